"""Runs go on where they were stopped, and count queries as the protocol says."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

from click.testing import CliRunner
import optuna
import pytest

from benchmarks import run
from benchmarks._problem import Problem
from tests.killed import run_and_kill


ROOT = Path(run.__file__).parents[1]
Run = tuple[str, str, int, int]
SAMPLERS = ("Random", "TPE")


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """No searches, and no processes; the runs that were asked for."""
    asked: list[Run] = []

    def fake(_: Callable[..., Any], runs: Iterable[Run], n_workers: int) -> Iterator[Any]:
        for problem, sampler, seed, queries in runs:
            asked.append((problem, sampler, seed, queries))
            yield {"problem": problem, "sampler": sampler, "seed": seed, "queries": queries}

    monkeypatch.setattr(run, "map_unordered", fake)
    return asked


def start(output: Path, *options: str) -> None:
    arguments = ["--problem", "mixed", "--queries", "5", "--output", str(output), *options]
    arguments += [word for sampler in SAMPLERS for word in ("--sampler", sampler)]
    result = CliRunner().invoke(run.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_samplers_take_turns(tmp_path: Path, instant: list[Run]) -> None:
    start(tmp_path / "results.jsonl", "--seeds", "3:5")
    assert [(sampler, seed) for _, sampler, seed, _ in instant] == [
        ("Random", 3),
        ("TPE", 3),
        ("Random", 4),
        ("TPE", 4),
    ]


def test_only_what_is_missing_is_run(tmp_path: Path, instant: list[Run]) -> None:
    output = tmp_path / "results.jsonl"
    start(output, "--seeds", "0:2")
    instant.clear()
    start(output, "--seeds", "0:3")
    assert [(sampler, seed) for _, sampler, seed, _ in instant] == [("Random", 2), ("TPE", 2)]
    start(output, "--seeds", "0:1", "--queries", "6")
    assert instant[2:] == [("mixed", "Random", 0, 6), ("mixed", "TPE", 0, 6)]


@pytest.mark.parametrize("n_cut", [1, 20])
def test_cut_line_is_run_again(tmp_path: Path, instant: list[Run], n_cut: int) -> None:
    output = tmp_path / "results.jsonl"
    start(output, "--seeds", "0:2")
    whole = output.read_text()
    output.write_text(whole[:-n_cut])
    assert len(run.read_runs(output)) == 3
    instant.clear()
    start(output, "--seeds", "0:2")
    assert instant == [("mixed", "TPE", 1, 5)]
    assert output.read_text() == whole


class Steps(Problem):
    """Ten points, of which the odd ones are invalid."""

    def __call__(self, trial: optuna.Trial) -> float:
        x = trial.suggest_int("x", 0, 9)
        if x % 2:
            raise optuna.TrialPruned
        return float(x)


def test_invalid_and_repeated_points_cost_no_query() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for x in (1, 4, 4, 6, 3, 2, 6):
        study.enqueue_trial({"x": x})
    queries = run._search(study, Steps(), Steps(), 3)
    assert queries.values == [4.0, 6.0, 2.0]
    assert queries.best == [4.0, 4.0, 2.0]
    assert sum(trial.state.is_finished() for trial in study.trials) == 6


def test_search_of_few_points_ends() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    queries = run._search(study, Steps(), Steps(), 8)
    assert sorted(queries.values) == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert queries.best[-1] == 0.0
    last = next(t.number for t in study.trials if t.value == queries.values[-1])
    assert len(study.trials) == last + 1 + run._MAX_FUTILE


class Held(Steps):
    """Chooses by the value, and reports another metric."""

    def reported(self, trial: optuna.trial.FrozenTrial) -> float:
        return 10.0 * trial.params["x"] + trial.number


def test_incumbent_is_chosen_by_the_value_and_reported_by_another_metric() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for x in (4, 6, 4, 2, 8):
        study.enqueue_trial({"x": x})
    queries = run._search(study, Held(), Held(), 4)
    assert queries.best == [40.0, 40.0, 23.0, 23.0]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="It reads /proc.")
def test_killed_run_goes_on(tmp_path: Path) -> None:
    output = tmp_path / "results.jsonl"
    command = [sys.executable, "-m", "benchmarks.run", "--problem", "mixed", "--sampler", "TPE"]
    command += ["--seeds", "0:24", "--queries", "40", "--jobs", "2", "--output", str(output)]
    run_and_kill(command, output, 3, folder=ROOT)
    before = run.read_runs(output)
    assert len(before) < 24

    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    runs = [json.loads(line) for line in output.read_text().splitlines()]
    assert runs[: len(before)] == before
    assert sorted(line["seed"] for line in runs) == list(range(24))
    assert all(line["optimum"] == 0.0 for line in runs)
    assert all(len(line["best"]) == 40 for line in runs)
