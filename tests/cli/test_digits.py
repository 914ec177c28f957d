"""``optuna-dnas search``, on the cells that come with the package."""

import os
from pathlib import Path
import subprocess
import sys

import numpy as np
import optuna
import pytest

from optuna_dnas.objectives import DigitsTable

from .command import assert_is_message
from .command import next_commands
from .command import run
from .command import type_in


STORAGE = "sqlite:///optuna-dnas.db"


def n_trials() -> dict[str, int]:
    return {s.study_name: s.n_trials for s in optuna.get_all_study_summaries(STORAGE)}


def test_search_says_what_it_has_found(folder: Path) -> None:
    result = run("search", "--trials", 6, "--seed", 0)
    assert result.exit_code == 0, result.output
    assert [path.name for path in folder.iterdir()] == ["optuna-dnas.db"]
    best = optuna.load_study(study_name="digits", storage=STORAGE).best_trial
    values = DigitsTable.load().mean("validation_accuracy")
    rank = 1 + np.count_nonzero(values > best.value + 1e-9)
    assert "2,532 cells" in result.output
    assert best.user_attrs["architecture_hash"] in result.output
    assert f"{100 * best.value:.3f} %" in result.output
    assert f" {rank:,} of 2,532\n" in result.output
    assert f"{100 * (values.max() - best.value):.3f} percentage points" in result.output


def test_limits_leave_fewer_cells(folder: Path) -> None:
    table = DigitsTable.load()
    limit = float(np.quantile(table.mean("params"), 0.5))
    result = run("search", "--trials", 16, "--seed", 0, "--max", f"params={limit}")
    assert result.exit_code == 0, result.output
    allowed = table.mean("params") <= limit
    best = optuna.load_study(study_name="digits", storage=STORAGE).best_trial
    values = table.mean("validation_accuracy")[allowed]
    rank = 1 + np.count_nonzero(values > best.value + 1e-9)
    assert f" {rank:,} of {allowed.sum():,}\n" in result.output
    assert best.user_attrs["params"] <= limit


def test_a_band_of_costs_is_kept(folder: Path) -> None:
    table = DigitsTable.load()
    flops, values = table.mean("flops"), table.mean("validation_accuracy")
    low, high = (int(np.quantile(flops, q)) for q in (0.4, 0.6))
    band = ["--min", f"flops={low}", "--max", f"flops={high}"]
    result = run("search", "--trials", 18, "--seed", 0, *band)
    assert result.exit_code == 0, result.output
    study = optuna.load_study(study_name="digits", storage=STORAGE)
    assert all(low <= t.user_attrs["flops"] <= high for t in study.trials)
    limits = {"max_flops": high, "min_flops": low}
    assert study.user_attrs["dnas:search"] == {"benchmark": "digits"} | limits
    inside = values[(low <= flops) & (flops <= high)]
    rank = 1 + np.count_nonzero(inside > study.best_value + 1e-9)
    assert f" {rank:,} of {len(inside):,}\n" in result.output
    assert f"Limits: max_flops {high:,}, min_flops {low:,}\n" in result.output
    assert f"--min flops={low}" in result.output  # the command to go on with
    message = assert_is_message(run("search", "--trials", 1, "--max", f"flops={high}"))
    assert f"min_flops {low:,g}" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--min", "flops=9e6", "--max", "flops=8e6"],
            "The least of `limits['flops']` must be less than the most",
        ),
        (["--max", "params=5"], "`limits['params']` must be at least"),
        (["--min", "params=1e12"], "The least of `limits['params']` must be at most"),
    ],
)
def test_limits_that_leave_nothing_are_refused(
    folder: Path, options: list[object], message: str
) -> None:
    assert message in assert_is_message(run("search", *options))
    assert not list(folder.iterdir())


def test_continued_search_equals_an_uninterrupted_one(folder: Path) -> None:
    assert run("search", "--seed", 3, "--trials", 20, "--study-name", "one").exit_code == 0
    result = run("search", "--seed", 3, "--trials", 10, "--study-name", "two")
    assert type_in(next_commands(result.output)[0]).exit_code == 0
    one, two = (optuna.load_study(study_name=n, storage=STORAGE).trials for n in ("one", "two"))
    assert len(one) == len(two) == 20
    assert [t.params for t in one] == [t.params for t in two]
    assert [t.value for t in one] == [t.value for t in two]


def test_next_commands_can_be_typed(folder: Path) -> None:
    (folder / "my studies").mkdir()
    storage = "sqlite:///my studies/it's.db"
    result = run("search", "--trials", 2, "--storage", storage, "--max", "flops=1e9")
    go_on, explain, install, dashboard, pareto = next_commands(result.output)
    assert explain == ["optuna-dnas", "explain", storage, "digits"]
    assert install == ["pip", "install", "optuna-dashboard"]
    assert dashboard == ["optuna-dnas", "dashboard", storage]
    assert type_in(go_on).exit_code == 0
    result = type_in(pareto)
    assert result.exit_code == 0, result.output
    assert "Pareto front: validation_accuracy, flops" in result.output
    assert len(next_commands(result.output)) == 4
    studies = {s.study_name: s.n_trials for s in optuna.get_all_study_summaries(storage)}
    assert studies == {"digits": 4, "digits-pareto": 2}


def test_first_command_prints_what_the_readme_promises(folder: Path) -> None:
    result = run("search", "--trials", 1)
    commands = [" ".join(words) for words in next_commands(result.output)]
    assert commands == [
        "optuna-dnas search --trials 1",
        "optuna-dnas explain sqlite:///optuna-dnas.db digits",
        "pip install optuna-dashboard",
        "optuna-dnas dashboard sqlite:///optuna-dnas.db",
        "optuna-dnas search --trials 1 --metric validation_accuracy --metric flops "
        "--study-name digits-pareto",
    ]


def test_environment_does_not_change_the_benchmark(
    table: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPTUNA_DNAS_NASBENCH101", str(table))
    assert run("search", "--trials", 1).exit_code == 0
    assert n_trials() == {"digits": 1}


def test_pareto_study_is_compared_with_the_true_front(folder: Path) -> None:
    metrics = ["--metric", "validation_accuracy", "--metric", "params"]
    result = run("search", "--trials", 8, "--seed", 0, *metrics)
    assert result.exit_code == 0, result.output
    study = optuna.load_study(study_name="digits", storage=STORAGE)
    assert f" of these {len(study.best_trials)} cells are on the true Pareto" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cells.tfrecord", "--benchmark", "digits"], "leave out the file"),
        (["cells.tfrecord", "--train"], "--train is for the digits"),
        (["--benchmark", "nasbench101", "--train"], "--train is for the digits"),
        (["--benchmark", "cifar"], "'digits', 'nasbench101'"),
        (["--trials", "0"], "--trials"),
        (["--metric", "flops", "--metric", "flops"], "different names"),
        (["--max", "flop=5"], "'flop=5' must begin with one of flops, params, latency, and =."),
        (["--max", "flops"], "'flops' must end with = and a positive number."),
        (["--min", "flops=-5"], "'flops=-5' must end with = and a positive number."),
        (["--max", "flops=5e5", "--max", "flops=6e5"], "--max is given more than once of flops"),
        (["--max", "flops=nan"], "'flops=nan' must end with = and a positive number."),
        (["--device", "tpu"], "but got 'tpu'"),
        (["--device", "cuda:99"], "PyTorch finds"),
        (["--storage", "sqlite:////nowhere/study.db"], "unable to open"),
        (["--storage", "nothing"], "neither the URL of a database"),
        (["missing.tfrecord"], "No such file"),
    ],
)
def test_errors_are_messages(folder: Path, arguments: list[str], message: str) -> None:
    assert message in assert_is_message(run("search", *arguments))
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (["--metric", "test_accuracy"], "optimises validation_accuracy, not test_accuracy"),
        (["--max", "params=20000"], "about digits, not about digits, max_params 20,000."),
        (["--train", "--study-name", "digits"], "about digits, not about digits-trained."),
    ],
)
def test_another_search_needs_another_study(folder: Path, other: list[str], message: str) -> None:
    assert run("search", "--trials", 1).exit_code == 0
    assert message in assert_is_message(run("search", "--trials", 1, *other))
    assert n_trials() == {"digits": 1}


def test_command_in_a_shell(folder: Path) -> None:
    command = [sys.executable, "-c", "from optuna_dnas.cli import main; main()"]
    done = subprocess.run(
        [*command, "search", "--seed", "0", "--trials", "2"],
        env=os.environ | {"COLUMNS": "100"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Best architecture" in done.stdout
    assert "Warning" not in done.stderr
    assert "2/2" in done.stderr  # the progress bar


@pytest.mark.slow
def test_default_search_finds_a_cell_of_the_best(folder: Path) -> None:
    assert run("search", "--seed", 0).exit_code == 0
    study = optuna.load_study(study_name="digits", storage=STORAGE)
    hashes = {t.user_attrs["architecture_hash"] for t in study.trials}
    assert len(study.trials) == len(hashes) == 100
    values = DigitsTable.load().mean("validation_accuracy")
    # 100 random cells would do so with probability 1 - 0.99 ** 100 = 63 %.
    assert study.best_value >= np.quantile(values, 0.99)


@pytest.mark.parametrize("command", [[], ["search"], ["convert"]])
def test_help(command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_help_has_the_defaults() -> None:
    words = " ".join(run("search", "--help").output.split())
    assert "100; nasbench101: 150; with --train: 20" in words
