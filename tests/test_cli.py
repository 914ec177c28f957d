"""The command line, as a user types it."""

import os
from pathlib import Path
import subprocess
import sys

from click.testing import CliRunner
from click.testing import Result
import numpy as np
import optuna
import pytest

from optuna_dnas.cli import main
from optuna_dnas.search_space import NASBench101Space
from tests.objectives.records import Run
from tests.objectives.records import write_table


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that holds every 16-trial start of seed 0: the cells that a search asks first."""
    folder = tmp_path_factory.mktemp("cli")
    space, rng = NASBench101Space(), np.random.default_rng(1)
    specs = {s.hash(): s for s in _start_of_a_search(space)}
    runs = [
        Run(spec, (1.0, *rng.random(3)), (2.0, *rng.random(3))) for spec in specs.values()
    ]
    return write_table(folder / "cells.tfrecord", runs)


def _start_of_a_search(space: NASBench101Space) -> list:
    from optuna_dnas import DNASSampler

    study = optuna.create_study(sampler=DNASSampler(space=space, seed=0))

    def objective(trial: optuna.Trial) -> float:
        specs.append(space.suggest(trial))
        return 0.0

    specs: list = []
    study.optimize(objective, n_trials=16)
    return specs


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


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


def test_pareto_study(table: Path, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    metrics = ["--metric", "test_accuracy", "--metric", "params"]
    result = run("search", table, "--seed", 0, "--storage", storage, "--trials", 8, *metrics)
    assert result.exit_code == 0, result.output
    assert "Pareto front: test_accuracy, params" in result.output
    study = optuna.load_study(study_name=None, storage=storage)
    assert all(f"trial {t.number} " in result.output for t in study.best_trials)
    other = run("search", table, "--storage", storage, "--trials", 1)
    assert other.exit_code != 0


def test_another_metric_needs_another_study(table: Path, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    command = ["search", table, "--storage", storage, "--trials", 1]
    assert run(*command).exit_code == 0
    result = run(*command, "--metric", "test_accuracy")
    assert result.exit_code == 1
    assert "optimises validation_accuracy, not test_accuracy" in result.output


def test_nothing_within_the_limits(table: Path, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    result = run("search", table, "--storage", storage, "--trials", 2, "--max-params", 5)
    assert result.exit_code == 0, result.output
    assert "No architecture" in result.output


@pytest.mark.parametrize("command", [["search"], ["convert"]])
def test_bad_input_is_a_message(command: list[str], tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.tfrecord"
    foreign.write_bytes(b"this is no table" * 10)
    for path in (foreign, tmp_path / "missing.tfrecord"):
        result = run(*command, path)
        assert result.exit_code == 1
        message = result.output.strip().splitlines()[-1]  # behind the progress bar
        assert message.startswith("Error:")
        assert str(path) in message
        assert "Traceback" not in result.output


def test_bad_storage_is_a_message(table: Path) -> None:
    result = run("search", table, "--trials", 1, "--storage", "sqlite:////nowhere/study.db")
    assert result.exit_code == 1
    assert "Traceback" not in result.output


def test_convert_makes_the_store_once(table: Path, tmp_path: Path) -> None:
    store = tmp_path / "cells.store"
    assert run("convert", table, "--output", store).exit_code == 0
    made = (store / "cells.npy").stat().st_mtime_ns
    result = run("convert", table, "--output", store)
    assert result.exit_code == 0
    assert str(store) in result.output
    assert (store / "cells.npy").stat().st_mtime_ns == made


def test_table_from_the_environment(table: Path, tmp_path: Path) -> None:
    environment = os.environ | {"OPTUNA_DNAS_NASBENCH101": str(table)}
    command = [sys.executable, "-c", "from optuna_dnas.cli import main; main()"]
    done = subprocess.run(
        [*command, "search", "--seed", "0", "--trials", "2", "--storage", f"sqlite:///{tmp_path}/s.db"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Best architecture" in done.stdout
    assert "Warning" not in done.stderr
    assert "2/2" in done.stderr  # the progress bar


@pytest.mark.parametrize("command", [[], ["search"], ["convert"]])
def test_help(command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output
