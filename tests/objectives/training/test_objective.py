"""The objective that trains, in studies."""

from dataclasses import replace
from typing import Any

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState
import pytest

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives.training import _objective
from optuna_dnas.objectives.training import CellTrainingObjective
from optuna_dnas.objectives.training import DivergedError
from optuna_dnas.objectives.training import InsufficientMemoryError
from optuna_dnas.objectives.training import train
from optuna_dnas.search_space import ModelSpec

from .toy import CHAIN
from .toy import CONV1
from .toy import CONV3
from .toy import QUICK
from .toy import SKIP
from .toy import toy_data


DATA = toy_data()
DIAMOND = "|0110/0001/0001/0000"
TWINS = [ModelSpec.parse(ops + DIAMOND) for ops in (f"{CONV3},{CONV1}", f"{CONV1},{CONV3}")]


def build(**options: Any) -> CellTrainingObjective:
    return CellTrainingObjective(DATA, **({"config": QUICK, "max_vertices": 4} | options))


def as_written(spec: ModelSpec) -> dict[str, Any]:
    """Parameters of a cell of 2 to 4 vertices in its own order: the output is vertex 3."""
    n = len(spec.ops)
    slots = [*range(n - 1), 3]
    params: dict[str, Any] = {f"edge_{i}_{j}": 0 for j in range(4) for i in range(j)}
    for i in range(n):
        for j in range(i + 1, n):
            params[f"edge_{slots[i]}_{slots[j]}"] = int(spec.matrix[i, j])
    interior = [*spec.ops[1:-1], CONV3, CONV3]
    return params | {"op_1": interior[0], "op_2": interior[1]}


def run(
    objective: CellTrainingObjective, *specs: ModelSpec, study: optuna.Study | None = None
) -> list[optuna.trial.FrozenTrial]:
    study = study or optuna.create_study(directions=objective.directions)
    n_before = len(study.trials)
    for spec in specs:
        study.enqueue_trial(as_written(spec))
    study.optimize(objective, n_trials=len(specs))
    return study.trials[n_before:]


def test_trial_keeps_what_training_gives() -> None:
    objective = build()
    (trial,) = run(objective, SKIP)
    (result,) = train(SKIP, DATA, QUICK, seeds=[0])
    cost = objective.space.cost(SKIP)
    assert trial.value == result.final.validation_accuracy
    assert trial.intermediate_values == result.validation_accuracies
    attrs = trial.user_attrs
    assert attrs["architecture"] == str(SKIP)
    assert attrs["architecture_hash"] == SKIP.hash()
    assert (attrs["flops"], attrs["params"]) == (cost.flops, cost.params)
    assert attrs["test_accuracy"] == result.final.test_accuracy
    assert attrs["train_accuracy"] == result.final.train_accuracy
    assert attrs["training_time"] > 0
    assert "validation_accuracy" not in attrs
    assert objective.evaluate(trial.params) == trial.value


def test_several_seeds_give_means() -> None:
    (trial,) = run(build(seed=[4, 0, 2]), SKIP)
    results = train(SKIP, DATA, QUICK, seeds=[4, 0, 2])
    assert trial.value == np.mean([result.final.validation_accuracy for result in results])
    assert trial.user_attrs["test_accuracy"] == np.mean([r.final.test_accuracy for r in results])
    curves = [list(result.validation_accuracies.values()) for result in results]
    assert list(trial.intermediate_values.values()) == np.mean(curves, axis=0).tolist()
    assert len({result.final.validation_accuracy for result in results}) > 1


def test_one_seed_is_the_seed_alone() -> None:
    study = optuna.create_study(direction="maximize")
    run(build(seed=3), SKIP, study=study)
    (trial,) = run(build(seed=[3]), SKIP, study=study)
    assert trial.user_attrs["reused_from"] == 0


def test_who_prunes_nothing_validates_at_the_stops_only(monkeypatch: pytest.MonkeyPatch) -> None:
    epochs: list[int] = []

    def spy(*args: Any, **options: Any) -> Any:
        results = train(*args, **options)
        epochs[:] = results[0].validation_accuracies
        return results

    monkeypatch.setattr(_objective, "train", spy)
    config = replace(QUICK, epochs=5)
    one, two = (build(config=config, metrics=names) for names in (["test_accuracy"], ["flops"]))
    (trial,) = run(one, CHAIN)
    assert epochs == [1, 2, 3, 4, 5]
    (other,) = run(two, CHAIN)
    assert epochs == [3, 5]
    assert other.user_attrs["test_accuracy"] == trial.value


def test_several_objectives_have_their_directions() -> None:
    names = ["test_accuracy", "flops", "training_time"]
    objective = build(metrics=names)
    assert objective.metric_names == names
    maximize, minimize = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE
    assert objective.directions == [maximize, minimize, minimize]
    (trial,) = run(objective, CHAIN)
    assert trial.values[1] == objective.space.cost(CHAIN).flops
    assert "validation_accuracy" in trial.user_attrs
    assert not trial.intermediate_values


def test_cost_alone_reports_no_accuracy() -> None:
    (trial,) = run(build(metrics=["flops"]), CHAIN)
    assert not trial.intermediate_values


def test_limits_are_constraints() -> None:
    cost = build().space.cost(SKIP)
    objective = build(limits={"flops": cost.flops - 1, "params": cost.params + 2})
    (trial,) = run(objective, SKIP)
    assert trial.constraints == {"max_flops": 1, "max_params": -2}
    assert objective.evaluate_constraints(trial.params) == trial.constraints


def test_invalid_cell_is_pruned_with_the_reason() -> None:
    objective = build()
    study = optuna.create_study(directions=objective.directions)
    params = dict.fromkeys(as_written(CHAIN), 0) | {"op_1": CONV3, "op_2": CONV3}
    study.enqueue_trial(params)
    study.optimize(objective, n_trials=1)
    assert study.trials[0].state == TrialState.PRUNED
    assert "not connected" in study.trials[0].user_attrs["invalid"]
    with pytest.raises(OutOfDomainError, match="not connected"):
        objective.evaluate(params)


@pytest.mark.parametrize("metrics", [["validation_accuracy"], ["flops", "test_accuracy"]])
def test_isomorphic_cell_is_answered_from_storage(
    monkeypatch: pytest.MonkeyPatch, metrics: list[str]
) -> None:
    objective = build(metrics=metrics)
    study = optuna.create_study(directions=objective.directions)
    (first,) = run(objective, TWINS[0], study=study)
    monkeypatch.setattr(_objective, "train", lambda *_, **__: pytest.fail("trained again"))
    second, third = run(objective, TWINS[1], TWINS[0], study=study)

    measured = {"validation_accuracy", "test_accuracy", "train_accuracy", "training_time"}
    for trial in (second, third):
        assert trial.state == TrialState.COMPLETE
        assert trial.user_attrs["reused_from"] == first.number
        for name in measured - set(metrics):
            assert trial.user_attrs[name] == first.user_attrs[name]
        assert trial.values[-1] == first.values[-1]
    assert "reused_from" not in first.user_attrs
    assert second.user_attrs["architecture"] == str(TWINS[1]) != str(TWINS[0])
    # What counts is the cell as proposed.
    assert second.user_attrs["params"] == objective.space.cost(TWINS[1]).params


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"seed": [0, 1]},
        {"config": replace(QUICK, epochs=3)},
        {"reuse": False},
        {"metrics": ["test_accuracy"]},
    ],
)
def test_other_training_is_not_answered_from_storage(change: dict[str, Any]) -> None:
    study = optuna.create_study(direction="maximize")
    run(build(), CHAIN, study=study)
    (trial,) = run(build(**change), CHAIN, study=study)
    assert trial.state == TrialState.COMPLETE
    assert "reused_from" not in trial.user_attrs


def test_pruned_cell_is_trained_again() -> None:
    objective = build()
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.ThresholdPruner(2.0))
    (first,) = run(objective, CHAIN, study=study)
    study.pruner = optuna.pruners.NopPruner()
    (second,) = run(objective, CHAIN, study=study)
    assert (first.state, second.state) == (TrialState.PRUNED, TrialState.COMPLETE)
    assert list(first.intermediate_values) == [1]
    assert first.user_attrs["architecture"] == str(CHAIN)
    assert "reused_from" not in second.user_attrs


def test_divergence_is_pruned_and_the_study_goes_on() -> None:
    objective = build(config=replace(QUICK, learning_rate=1e30), limits={"params": 177})
    trials = run(objective, CHAIN, SKIP)
    for trial, spec in zip(trials, (CHAIN, SKIP), strict=True):
        assert trial.state == TrialState.PRUNED
        assert "in epoch 1 with seed 0" in trial.user_attrs["failure"]
        assert trial.user_attrs["architecture_hash"] == spec.hash()
        assert trial.constraints["max_params"] > 0
    with pytest.raises(DivergedError):
        objective.evaluate(trials[0].params)


def test_too_little_memory_is_pruned_and_the_study_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail_once(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(_objective, "train", train)
        raise InsufficientMemoryError("too large")

    monkeypatch.setattr(_objective, "train", fail_once)
    first, second = run(build(), CHAIN, CHAIN)
    assert first.state == TrialState.PRUNED
    assert first.user_attrs["failure"] == "too large"
    assert second.state == TrialState.COMPLETE


def test_successive_halving_completes() -> None:
    objective = build(config=replace(QUICK, epochs=4))
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
    )
    study.optimize(objective, n_trials=20)
    stopped = [t for t in study.trials if t.state == TrialState.PRUNED and t.intermediate_values]
    assert stopped
    assert all(len(t.intermediate_values) < 4 for t in stopped)
    assert study.best_trial.state == TrialState.COMPLETE
    assert {t.state for t in study.trials} == {TrialState.PRUNED, TrialState.COMPLETE}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": []}, "at least one"),
        ({"metrics": "flops"}, "sequence of names, but got 'flops'"),
        ({"metrics": ["accuracy"]}, "but got 'accuracy'"),
        ({"limits": {"flops": 0}}, r"`limits\['flops'\]` must be positive, but got 0"),
        ({"max_vertices": 8}, "`max_vertices` must be from 2 to 7, but got 8"),
        ({"seed": []}, r"`seed` must be one integer or different ones, but got \[\]"),
        ({"seed": (1, 1)}, r"`seed` must be one integer or different ones, but got \(1, 1\)"),
        ({"device": "tpu"}, "`device` must be .* but got 'tpu'"),
        (
            {"max_vertices": 7, "config": replace(QUICK, stem_channels=4)},
            "`stem_channels` must be at least 5 for cells of 7 vertices, but got 4",
        ),
    ],
)
def test_errors_name_argument_and_value(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**options)
