"""``optuna-dnas search TABLE`` and ``optuna-dnas convert``."""

from pathlib import Path

import numpy as np
import optuna
import pytest

from optuna_dnas.objectives import NASBench101Table

from .command import assert_is_message
from .command import next_commands
from .command import run
from .command import type_in


def test_search_reports_and_goes_on(table: Path, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    command = ["search", table, "--seed", 0, "--storage", storage, "--trials"]
    first = run(*command, 6)
    assert first.exit_code == 0, first.output
    study = optuna.load_study(study_name="nasbench101", storage=storage)
    assert len(study.trials) == 6
    best = study.best_trial
    assert f"trial {best.number}" in first.output
    assert best.user_attrs["architecture_hash"] in first.output
    assert f"{100 * best.value:.3f} %" in first.output
    assert f"{best.user_attrs['flops']:,}" in first.output
    assert "startup 6 (100 %)" in first.output
    assert storage in first.output

    assert run(*command, 4).exit_code == 0
    hashes = [t.user_attrs["architecture_hash"] for t in study.trials]
    assert len(hashes) == len(set(hashes)) == 10


def test_continued_search_equals_an_uninterrupted_one(table: Path, tmp_path: Path) -> None:
    one, two = f"sqlite:///{tmp_path}/one.db", f"sqlite:///{tmp_path}/two.db"
    assert run("search", table, "--seed", 0, "--storage", one, "--trials", 8).exit_code == 0
    for n in (3, 5):
        assert run("search", table, "--seed", 0, "--storage", two, "--trials", n).exit_code == 0
    trials = [optuna.load_study(study_name=None, storage=s).trials for s in (one, two)]
    assert [t.params for t in trials[0]] == [t.params for t in trials[1]]


def test_pareto_study(pareto_table: Path, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    metrics = ["--metric", "test_accuracy", "--metric", "params"]
    options = ["--seed", 0, "--storage", storage, "--trials", 8, *metrics]
    result = run("search", pareto_table, *options)
    assert result.exit_code == 0, result.output
    assert "Pareto front: test_accuracy, params" in result.output
    study = optuna.load_study(study_name=None, storage=storage)
    assert all(f"trial {t.number} " in result.output for t in study.best_trials)
    assert_is_message(run("search", pareto_table, "--storage", storage, "--trials", 1))


def test_rank_and_regret_are_the_tables(table: Path, folder: Path) -> None:
    result = run("search", table, "--seed", 0, "--trials", 16, "--metric", "test_accuracy")
    values = NASBench101Table.open(table).mean("test_accuracy")
    assert f"{100 * values.max():.3f} %" in result.output
    assert f"1 of {len(values)}\n" in result.output
    assert "0.000 percentage points" in result.output

    result = run("search", table, "--seed", 0, "--trials", 1, "--study-name", "short")
    values = NASBench101Table.open(table).mean("validation_accuracy")
    value = optuna.load_study(study_name="short", storage="sqlite:///optuna-dnas.db").best_value
    assert f"{1 + np.count_nonzero(values > value)} of {len(values)}\n" in result.output
    assert f"{100 * (values.max() - value):.3f} percentage points" in result.output


@pytest.mark.parametrize("option", [["--max", "params=1e9"], ["--metric", "flops"]])
def test_no_rank_where_the_table_has_no_costs(
    table: Path, folder: Path, option: list[str]
) -> None:
    result = run("search", table, "--seed", 0, "--trials", 2, *option)
    assert result.exit_code == 0, result.output
    assert "rank" not in result.output


def test_nothing_within_the_limits(table: Path, folder: Path) -> None:
    message = assert_is_message(run("search", table, "--max", "params=5"))
    assert "`limits['params']` must be at least 227,274" in message


@pytest.mark.parametrize("command", [["search"], ["convert"]])
def test_bad_table_is_a_message(command: list[str], tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.tfrecord"
    foreign.write_bytes(b"this is no table" * 10)
    for path in (foreign, tmp_path / "missing.tfrecord"):
        assert str(path) in assert_is_message(run(*command, path))


def test_convert_makes_the_store_once(table: Path, tmp_path: Path) -> None:
    store = tmp_path / "cells.store"
    assert run("convert", table, "--output", store).exit_code == 0
    made = (store / "cells.npy").stat().st_mtime_ns
    result = run("convert", table, "--output", store)
    assert result.exit_code == 0
    assert str(store) in result.output
    assert (store / "cells.npy").stat().st_mtime_ns == made


def test_table_from_the_environment(
    table: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPTUNA_DNAS_NASBENCH101", str(table))
    result = run("search", "--benchmark", "nasbench101", "--seed", 0, "--trials", 2)
    assert result.exit_code == 0, result.output
    assert type_in(next_commands(result.output)[0]).exit_code == 0
    study = optuna.load_study(study_name="nasbench101", storage="sqlite:///optuna-dnas.db")
    assert len(study.trials) == 4


@pytest.mark.parametrize("value", [None, ""])
def test_missing_table_says_how_to_get_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv("OPTUNA_DNAS_NASBENCH101", value)
    message = assert_is_message(run("search", "--benchmark", "nasbench101"))
    assert "curl -O https://storage.googleapis.com/nasbench/nasbench_only108" in message
    assert "OPTUNA_DNAS_NASBENCH101" in message
    assert not list(folder.iterdir())


def test_next_commands_name_the_table(
    table: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "my cells").symlink_to(table)
    result = run("search", "my cells", "--seed", 0, "--trials", 2)
    go_on, _, _, _, pareto = next_commands(result.output)
    assert go_on[2] == pareto[2] == "my cells"
    assert type_in(go_on).exit_code == 0
    assert type_in(pareto).exit_code == 0
    storage = "sqlite:///optuna-dnas.db"
    studies = {s.study_name: s.n_trials for s in optuna.get_all_study_summaries(storage)}
    assert studies == {"nasbench101": 4, "nasbench101-pareto": 2}
