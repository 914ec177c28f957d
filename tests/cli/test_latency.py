"""``optuna-dnas search --train`` with latency as a metric or as a limit."""

from pathlib import Path
import re
from typing import Any

import optuna
from optuna.trial import TrialState
import pytest

from optuna_dnas.objectives.training import LatencyMeter

from .command import assert_is_message
from .command import next_commands
from .command import run


STORAGE = "sqlite:///optuna-dnas.db"
PARETO = ["--metric", "validation_accuracy", "--metric", "latency"]


@pytest.fixture
def edges(monkeypatch: pytest.MonkeyPatch) -> None:
    """A millisecond for every edge of a cell."""
    monkeypatch.setattr(LatencyMeter, "measure", lambda meter, spec: float(spec.matrix.sum()))


def train(*options: object, n_trials: int = 1) -> Any:
    return run("search", "--train", "--trials", n_trials, "--seed", 0, *options)


def load() -> optuna.Study:
    return optuna.load_study(study_name="digits-trained", storage=STORAGE)


def test_accuracy_is_traded_for_latency(folder: Path) -> None:
    result = train(*PARETO, "--latency-batch-size", 4, n_trials=2)
    assert result.exit_code == 0, result.output
    study = load()
    assert study.metric_names == ["validation_accuracy", "latency"]
    for trial in study.trials:
        assert trial.values[1] == trial.user_attrs["latency"] > 0
        assert trial.user_attrs["latency_batch_size"] == 4
    device = study.trials[0].user_attrs["latency_device"]
    assert "Pareto front: validation_accuracy, latency\n" in result.output
    for trial in study.best_trials:
        assert f"{trial.values[1]:12.6g}  trial {trial.number}" in result.output
    assert f"an inference of a batch of 4 on {device}\n" in result.output
    assert "true Pareto front" not in result.output  # no table knows it
    assert "--latency-batch-size 4" in result.output  # the command to go on with


def test_a_limit_is_kept_and_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    latencies = iter([6.75, 2.0, 6.5])
    monkeypatch.setattr(LatencyMeter, "measure", lambda meter, spec: next(latencies))
    result = train("--max", "latency=6.5", n_trials=3)
    assert result.exit_code == 0, result.output
    study = load()
    slow, *others = study.trials
    assert slow.state == TrialState.PRUNED
    assert not slow.intermediate_values
    assert [t.constraints["max_latency"] for t in study.trials] == [0.25, -4.5, 0.0]
    assert all(t.intermediate_values for t in others)
    best = study.best_trial
    assert best in others
    words = " ".join(result.output.split())
    assert f" latency {best.user_attrs['latency']:.3g} ms " in words
    assert "Limits: max_latency 6.5 ms\n" in result.output
    assert "an inference of a batch of 1 on cpu: " in result.output
    assert " pruned, 1 of them as too slow, study" in result.output
    assert " of 2,532" not in result.output  # the table does not know which are too slow
    assert next_commands(result.output)[0][-2:] == ["--max", "latency=6.5"]


@pytest.mark.usefixtures("edges")
def test_latencies_of_a_front_are_told_though_they_are_only_limited(folder: Path) -> None:
    metrics = ["--metric", "validation_accuracy", "--metric", "params"]
    result = train("--max", "latency=99", *metrics)
    assert result.exit_code == 0, result.output
    (trial,) = load().trials
    assert "Pareto front: validation_accuracy, params, latency\n" in result.output
    assert f"{trial.user_attrs['latency']:12.6g}  trial 0" in result.output


@pytest.mark.usefixtures("edges")
def test_nothing_fast_enough_is_said(folder: Path) -> None:
    result = train("--max", "latency=0.5", n_trials=3)
    assert result.exit_code == 0, result.output
    assert "No architecture that is within the limits has been evaluated." in result.output
    assert "0 architectures evaluated, 3 pruned, 3 of them as too slow" in result.output


@pytest.mark.usefixtures("edges")
@pytest.mark.parametrize(
    ("other", "message"),
    [
        (["--max", "latency=0.25"], "max_latency 0.5, .* not about .*, max_latency 0.25,"),
        ([], "max_latency 0.5, latency_batch_size 1, latency_device cpu: .* not about digits-tr"),
        (
            ["--max", "latency=0.5", "--latency-batch-size", 8],
            "latency_batch_size 1, .* latency_batch_size 8, latency_device cpu: ",
        ),
        (["--max", "latency=0.5", *PARETO], "optimises validation_accuracy, not .*, latency"),
    ],
)
def test_latencies_that_cannot_be_compared_need_another_study(
    folder: Path, other: list[object], message: str
) -> None:
    assert train("--max", "latency=0.5").exit_code == 0
    assert re.search(message, assert_is_message(train(*other)))
    assert len(load().trials) == 1


@pytest.mark.parametrize("table", [[], ["cells.tfrecord"]])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "latency"], "--metric latency needs --train"),
        (["--max", "latency=1.5"], "--max latency=1.5 needs --train"),
        (["--latency-batch-size", "4"], "--latency-batch-size 4 needs --train"),
    ],
)
def test_no_table_has_latencies(
    folder: Path, table: list[str], options: list[str], message: str
) -> None:
    assert message in assert_is_message(run("search", *table, *options))
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--latency-batch-size", 4], "needs --metric latency or --max latency=..."),
        (["--latency-batch-size", 0, *PARETO], "0 is not in the range x>=1"),
        (["--max", "latency=0"], "'latency=0' must end with = and a positive number."),
        (["--max", "latency=nan"], "'latency=nan' must end with ="),
    ],
)
def test_options_that_mean_nothing_are_refused(
    folder: Path, options: list[object], message: str
) -> None:
    assert message in assert_is_message(train(*options))
    assert not list(folder.iterdir())
