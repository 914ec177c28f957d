"""Latency as a metric and as a limit of the objective that trains."""

from dataclasses import replace
import math
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas._history import History
from optuna_dnas.objectives.training import _objective
from optuna_dnas.objectives.training import CellTrainingObjective
from optuna_dnas.objectives.training import InsufficientMemoryError
from optuna_dnas.objectives.training import LatencyConfig
from optuna_dnas.objectives.training import LatencyMeter
from optuna_dnas.search_space import ModelSpec

from .test_objective import as_written
from .test_objective import build
from .test_objective import run
from .test_objective import TWINS
from .toy import CHAIN
from .toy import QUICK
from .toy import SKIP


ATTRS = {"latency", "latency_batch_size", "latency_device"}
BRIEF = LatencyConfig(n_repeats=3, n_warm_up=1)


def measured(**options: Any) -> CellTrainingObjective:
    return build(**({"latency_config": BRIEF} | options))


@pytest.fixture
def latencies(monkeypatch: pytest.MonkeyPatch) -> list[ModelSpec]:
    """A meter that shows 2 ms for every vertex, and the cells that it has been given."""
    cells: list[ModelSpec] = []

    def measure(meter: LatencyMeter, spec: ModelSpec) -> float:
        cells.append(spec)
        return 2.0 * len(spec.ops)

    monkeypatch.setattr(LatencyMeter, "measure", measure)
    return cells


def forbid_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_objective, "train", lambda *_, **__: pytest.fail("trained"))


def test_what_nobody_asks_for_is_not_measured(latencies: list[ModelSpec]) -> None:
    objective = measured()
    (trial,) = run(objective, CHAIN)
    objective.evaluate(trial.params)
    assert latencies == []
    assert ATTRS.isdisjoint(trial.user_attrs)
    assert objective.limits == objective.latency_conditions == trial.constraints == {}


def test_latency_is_a_metric_to_minimise() -> None:
    objective = measured(metrics=["test_accuracy", "latency"])
    assert objective.metric_names == ["test_accuracy", "latency"]
    assert objective.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    (trial,) = run(objective, CHAIN)
    assert trial.values[1] == trial.user_attrs["latency"] > 0
    assert {name: trial.user_attrs[name] for name in ATTRS - {"latency"}} == (
        objective.latency_conditions
    )
    assert "validation_accuracy" in trial.user_attrs
    assert trial.constraints == {}
    assert objective.evaluate(trial.params)[1] > 0


def test_latency_is_known_of_a_trial_that_a_pruner_ends(latencies: list[ModelSpec]) -> None:
    pruner = optuna.pruners.ThresholdPruner(2.0)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    (trial,) = run(measured(limits={"latency": 7.5}), CHAIN, study=study)
    assert trial.state == TrialState.PRUNED
    assert list(trial.intermediate_values) == [1]
    assert trial.user_attrs["latency"] == 6.0
    assert trial.constraints == {"max_latency": -1.5}


@pytest.mark.parametrize("metrics", [["validation_accuracy"], ["test_accuracy", "latency"]])
def test_what_is_too_slow_is_pruned_without_being_trained(
    monkeypatch: pytest.MonkeyPatch, latencies: list[ModelSpec], metrics: list[str]
) -> None:
    forbid_training(monkeypatch)
    objective = measured(metrics=metrics, limits={"latency": 5.5})
    (trial,) = run(objective, CHAIN)
    assert trial.state == TrialState.PRUNED
    assert trial.constraints == {"max_latency": 0.5}
    assert trial.user_attrs["latency"] == 6.0
    assert trial.user_attrs["architecture"] == str(CHAIN)
    assert objective.evaluate_constraints(trial.params) == trial.constraints
    assert objective.limits == {"max_latency": 5.5}


def test_the_limit_itself_is_allowed(latencies: list[ModelSpec]) -> None:
    (trial,) = run(measured(limits={"latency": 6.0, "flops": 10**9}), CHAIN)
    assert trial.state == TrialState.COMPLETE
    assert trial.constraints["max_latency"] == 0.0
    assert trial.constraints["max_flops"] < 0


def test_value_without_a_trial_costs_no_measurement_of_the_limit(
    latencies: list[ModelSpec],
) -> None:
    objective = measured(limits={"latency": 1.0})
    assert 0 <= objective.evaluate(as_written(CHAIN)) <= 1
    assert latencies == []


@pytest.mark.parametrize(
    "options", [{"limits": {"latency": 9.0}}, {"metrics": ["flops", "latency"]}]
)
def test_latency_is_measured_once_for_isomorphic_cells(
    monkeypatch: pytest.MonkeyPatch, latencies: list[ModelSpec], options: dict[str, Any]
) -> None:
    objective = measured(**options)
    study = optuna.create_study(directions=objective.directions)
    (first,) = run(objective, TWINS[0], study=study)
    forbid_training(monkeypatch)
    (second,) = run(objective, TWINS[1], study=study)
    assert second.user_attrs["reused_from"] == first.number
    assert latencies == TWINS[:1]
    for name in ATTRS:
        assert second.user_attrs[name] == first.user_attrs[name]
    assert second.constraints == first.constraints
    assert second.values[-1] == first.values[-1]


def test_a_tighter_limit_holds_for_what_is_reused(latencies: list[ModelSpec]) -> None:
    study = optuna.create_study(direction="maximize")
    run(measured(limits={"latency": 6.5}), CHAIN, study=study)
    (trial,) = run(measured(limits={"latency": 5.0}), CHAIN, study=study)
    assert (trial.state, trial.constraints) == (TrialState.PRUNED, {"max_latency": 1.0})
    assert trial.user_attrs["reused_from"] == 0
    assert latencies == [CHAIN]


@pytest.mark.parametrize(
    "change",
    [
        {"limits": None},
        {"latency_config": replace(BRIEF, batch_size=2)},
        {"latency_config": replace(BRIEF, n_repeats=4)},
        {"n_threads": 2},
    ],
)
def test_other_measurements_are_not_reused(
    latencies: list[ModelSpec], change: dict[str, Any]
) -> None:
    study = optuna.create_study(direction="maximize")
    run(measured(limits={"latency": 9.0}), CHAIN, study=study)
    (trial,) = run(measured(**({"limits": {"latency": 9.0}} | change)), CHAIN, study=study)
    assert trial.state == TrialState.COMPLETE
    assert "reused_from" not in trial.user_attrs


def test_other_hardware_is_not_reused(
    monkeypatch: pytest.MonkeyPatch, latencies: list[ModelSpec]
) -> None:
    objective = measured(limits={"latency": 9.0})
    study = optuna.create_study(direction="maximize")
    run(objective, CHAIN, study=study)
    name = "optuna_dnas.objectives.training._latency.device_name"
    monkeypatch.setattr(name, lambda device: "another processor")
    (trial,) = run(objective, CHAIN, study=study)
    assert "reused_from" not in trial.user_attrs
    assert trial.user_attrs["latency_device"] == "cpu: another processor, 1 thread"


def test_too_little_memory_for_an_inference_is_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> float:
        raise InsufficientMemoryError("too large")

    monkeypatch.setattr(LatencyMeter, "measure", fail)
    (trial,) = run(measured(limits={"latency": 9.0}), CHAIN)
    assert trial.state == TrialState.PRUNED
    assert trial.user_attrs["failure"] == "too large"


def test_the_limit_is_predicted_and_never_taken_for_one_of_the_space(
    latencies: list[ModelSpec],
) -> None:
    """Also of trials that were pruned for it."""
    objective = measured(limits={"latency": 7.0, "flops": 10**9})
    trials = run(objective, TWINS[0], CHAIN)
    assert [trial.state for trial in trials] == [TrialState.PRUNED, TrialState.COMPLETE]
    history = History(objective.space, objective.directions)
    history.update(trials)
    assert history.observations.constraints is not None
    assert sorted(history.observations.constraints.tolist()) == [[-1.0], [1.0]]
    assert history.cost_limits == objective.space.limits


def test_the_sampler_avoids_what_is_too_slow(
    monkeypatch: pytest.MonkeyPatch, config: DNASConfig
) -> None:
    """An edge costs a millisecond; more than 5 are too many, as in most cells."""
    monkeypatch.setattr(LatencyMeter, "measure", lambda meter, spec: float(spec.matrix.sum()))
    objective = measured(
        limits={"latency": 5.0}, max_vertices=5, config=replace(QUICK, n_stacks=1, epochs=1)
    )
    n_slow = []
    for n_startup_trials in (12, 99):  # 99: all of them are random
        sampler = DNASSampler(
            space=objective.space, seed=0, config=config, n_startup_trials=n_startup_trials
        )
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(objective, n_trials=32)
        slow = [trial.constraints["max_latency"] > 0 for trial in study.trials]
        assert [trial.state == TrialState.PRUNED for trial in study.trials] == slow
        assert study.best_trial.constraints["max_latency"] <= 0
        n_slow.append(sum(slow[12:]))
    assert n_slow[0] < 0.5 * n_slow[1]


@pytest.mark.parametrize("limit", [0, -1.0, math.nan])
def test_a_limit_that_is_none_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match=rf"`limits\['latency'\]` must be .* but got {limit}"):
        build(limits={"latency": limit})


def test_metrics_with_latency_have_to_exist() -> None:
    with pytest.raises(ValueError, match=r"`metrics` must be of .*'latency'.* but got 'speed'"):
        build(metrics=["speed"])


def test_latency_does_not_change_the_training(latencies: list[ModelSpec]) -> None:
    (plain,) = run(build(), SKIP)
    (limited,) = run(measured(limits={"latency": 99.0}), SKIP)
    assert plain.value == limited.value
    assert plain.intermediate_values == limited.intermediate_values
