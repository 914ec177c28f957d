"""``optuna-dnas benchmark``."""

import json
from pathlib import Path
import re
from typing import Any

import numpy as np
import optuna
import pytest

from optuna_dnas.benchmarking import SAMPLERS
from optuna_dnas.cli import _benchmark
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.objectives import NASBench101Table

from .command import assert_is_message
from .command import run


SMALL = ("--seeds", 3, "--queries", 4, "--sampler", "DNAS", "--sampler", "Random")


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rows(output: str) -> dict[str, list[str]]:
    """The cells of the table, by the first of each line."""
    lines = [line.strip("| ").split("|") for line in output.splitlines() if line.startswith("|")]
    return {name.strip(): [cell.strip() for cell in cells] for name, *cells in lines}


def test_table_is_of_the_searches(folder: Path) -> None:
    result = run("benchmark", *SMALL, "--output", "searches.jsonl")
    assert result.exit_code == 0, result.output
    assert "2,532 cells" in result.output
    done = records(folder / "searches.jsonl")
    assert [(r["sampler"], r["seed"]) for r in done] == [
        (sampler, seed) for seed in range(3) for sampler in ("DNAS", "Random")
    ]
    best = DigitsTable.load().mean("validation_accuracy").max()
    table = rows(result.output)
    assert table["sampler"] == ["runs", "at 2 (p)", "at 4 (p)", "sampling CPU s"]
    for sampler in ("DNAS", "Random"):
        regrets = [100 * (best - r["best"][-1]) for r in done if r["sampler"] == sampler]
        n_runs, _, at_4, _ = table[sampler]
        mean, error = map(float, re.findall(r"[\d.]+", at_4)[:2])
        assert n_runs == "3"
        assert mean == pytest.approx(np.mean(regrets), rel=0.02)
        assert error == pytest.approx(np.std(regrets, ddof=1) / np.sqrt(3), rel=0.06)
    last = result.stdout.splitlines()[-1]
    assert "percentage points of validation accuracy" in last
    assert "benchmarks/README.md" in last


def test_lines_of_the_table_are_equally_long(folder: Path) -> None:
    lines = [n for n in run("benchmark", *SMALL).output.splitlines() if n.startswith("|")]
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert not list(folder.iterdir())


def test_what_the_file_holds_is_not_run_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = folder / "deep" / "searches.jsonl"
    arguments = ["--queries", 4, "--sampler", "Random", "--output", output]
    assert run("benchmark", *arguments, "--seeds", 2).exit_code == 0
    before = output.read_text()
    assert run("benchmark", *arguments, "--seeds", 3).exit_code == 0
    assert output.read_text().startswith(before)
    assert [r["seed"] for r in records(output)] == [0, 1, 2]

    monkeypatch.setattr(_benchmark, "run_search", None)  # It would fail.
    result = run("benchmark", *arguments, "--seeds", 2)
    assert result.exit_code == 0, result.output
    assert rows(result.output)["Random"][0] == "2"


def test_interrupted_command_compares_what_there_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = _benchmark.run_search

    def interrupted(search: Any, *arguments: Any) -> dict[str, Any]:
        if search.seed == 2:
            raise KeyboardInterrupt
        return original(search, *arguments)

    monkeypatch.setattr(_benchmark, "run_search", interrupted)
    result = run("benchmark", *SMALL, "--output", "searches.jsonl")
    assert result.exit_code == 130, result.output
    assert "Interrupted." in result.output
    assert rows(result.output)["DNAS"][0] == rows(result.output)["Random"][0] == "2"
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    result = run("benchmark", *SMALL, "--output", "searches.jsonl")
    assert rows(result.output)["DNAS"][0] == "3"


def test_interrupt_before_the_first_search_has_ended(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_benchmark, "run_search", interrupted)
    result = run("benchmark", *SMALL)
    assert result.exit_code == 130, result.output
    assert "No search has ended." in result.output


def test_no_p_without_dnas(folder: Path) -> None:
    arguments = ["--seeds", 2, "--sampler", "Random", "--sampler", "TPE"]
    result = run("benchmark", *arguments, "--queries", 3, "--at", 3, "--at", 1, "--at", 3)
    assert result.exit_code == 0, result.output
    assert rows(result.output)["sampler"] == ["runs", "at 1", "at 3", "sampling CPU s"]
    assert "t-test" not in result.output


@pytest.mark.parametrize("by_environment", [False, True])
def test_nasbench101(
    table: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, by_environment: bool
) -> None:
    where = [table]
    if by_environment:
        monkeypatch.setenv("OPTUNA_DNAS_NASBENCH101", str(table))
        where = ["--benchmark", "nasbench101"]
    options = ["--sampler", "DNAS", "--seeds", 1, "--queries", 5, "--output", "searches.jsonl"]
    result = run("benchmark", *where, *options)
    assert result.exit_code == 0, result.output
    assert "percentage points of test accuracy" in result.output
    (record,) = records(folder / "searches.jsonl")
    assert record["problem"] == "nasbench101-test"
    assert record["optimum"] == NASBench101Table.open(table).mean("test_accuracy").max()


def test_search_that_found_nothing_has_no_regret(table: Path, folder: Path) -> None:
    """The table holds 16 cells, which samplers that do not know the space miss."""
    result = run("benchmark", table, "--sampler", "Random", "--seeds", 1, "--queries", 3)
    assert result.exit_code == 0, result.output
    assert rows(result.output)["Random"][:3] == ["1", "-", "-"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cells.tfrecord", "--benchmark", "digits"], "leave out the file"),
        (["--benchmark", "nasbench101"], "curl -O https://storage.googleapis.com/nasbench"),
        (["--benchmark", "cifar"], "'digits', 'nasbench101'"),
        (["missing.tfrecord"], "No such file"),
        (["--sampler", "CMA-ES"], "'DNAS', 'TPE', 'NSGA-II', 'GP', 'Random'"),
        (["--seeds", "0"], "--seeds"),
        (["--queries", "0"], "--queries"),
        (["--queries", "9", "--at", "5", "--at", "10"], "--at 10 is beyond --queries 9."),
        (["--output", "."], "Is a directory"),
    ],
)
def test_errors_are_messages(folder: Path, arguments: list[str], message: str) -> None:
    assert message in assert_is_message(run("benchmark", *arguments))
    assert not list(folder.iterdir())


def test_file_of_something_else_is_left_alone(folder: Path) -> None:
    notes = folder / "notes.txt"
    notes.write_text("my notes")
    assert "notes.txt" in assert_is_message(run("benchmark", *SMALL, "--output", notes))
    assert notes.read_text() == "my notes"


def test_help_has_the_defaults() -> None:
    words = " ".join(run("benchmark", "--help").output.split())
    for default in ("DNAS, TPE, NSGA-II, Random", "10", "50", "half of the queries, and all"):
        assert f"[default: {default}" in words or f"[default: ({default})" in words


@pytest.mark.parametrize("name", list(SAMPLERS))
def test_samplers_are_what_they_are_called(name: str) -> None:
    sampler = SAMPLERS[name](0, None)
    assert isinstance(sampler, optuna.samplers.BaseSampler)
    assert type(sampler).__name__.lower().startswith(name.lower().replace("-", ""))


@pytest.mark.slow
def test_without_arguments_ours_is_better_by_the_test(folder: Path) -> None:
    result = run("benchmark")
    assert result.exit_code == 0, result.output
    table = rows(result.output)
    assert table["DNAS"][0] == "10"
    assert list(table) == ["sampler", "-" * 7, "DNAS", "NSGA-II", "Random", "TPE"]
    for sampler in ("NSGA-II", "Random", "TPE"):
        (p,) = re.findall(r"\((\S+)\)", table[sampler][2])
        assert float(p) < 0.01
