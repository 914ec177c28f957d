"""What is printed for the next step is what was typed."""

import shlex
from typing import Any

import pytest

from optuna_dnas.cli._next import command_line
from optuna_dnas.cli._search import search


def parse(arguments: list[str]) -> dict[str, Any]:
    return search.make_context("search", list(arguments)).params


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--train", "--device", "cuda:1"],
        ["my table.tfrecord", "--benchmark", "nasbench101", "--trials", "7", "--seed", "0"],
        ["--metric", "test_accuracy", "--metric", "training_time"],
        ["--max", "flops=1e20", "--max", "params=12345.678901234567"],
        ["--study-name", "v1.0", "--storage", "postgresql://it's@host/$db"],
        ["--study-name", "-x"],
        ["--study-name", "", "--trials", "100"],
    ],
)
def test_command_line_is_read_as_it_was_given(arguments: list[str]) -> None:
    line = command_line(search.make_context("search", list(arguments)))
    name, command, *words = shlex.split(line)
    assert (name, command) == ("optuna-dnas", "search")
    assert parse(words) == parse(arguments)
    assert len(words) == len(arguments)


def test_changes_replace_what_was_given() -> None:
    context = search.make_context("search", ["--study-name", "a", "--seed", "1"])
    line = command_line(context, study_name="b", metrics=("flops", "params"))
    changed = {"study_name": "b", "metrics": ("flops", "params")}
    assert parse(shlex.split(line)[2:]) == parse(["--seed", "1"]) | changed


def test_a_password_is_not_part_of_what_is_printed() -> None:
    url = "postgresql://me:secret@host/db"
    arguments = ["--study-name", "a:b@c", "--storage", url]
    line = command_line(search.make_context("search", list(arguments)))
    assert line == ('optuna-dnas search --storage "$OPTUNA_DNAS_STORAGE" --study-name a:b@c')
    assert parse(shlex.split(line.replace("$OPTUNA_DNAS_STORAGE", url))[2:]) == parse(arguments)
