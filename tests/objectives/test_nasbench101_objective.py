"""The objective that queries NASBench-101, on a table of all cells of up to 4 vertices."""

from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState
import pytest

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives import NASBench101Objective
from optuna_dnas.objectives import NASBench101Table
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space

from .records import Run
from .records import write_table


SPACE = NASBench101Space()
SMALL = NASBench101Space(max_vertices=4)
CELLS = SMALL.tokens_to_architectures(SMALL.enumerate_tokens())


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> NASBench101Table:
    """Cell k has validation accuracy k / 1000 in its first run, and one more in its second."""
    runs = [
        Run(spec, (1.0, 0.1, 0.2, 0.3), (10.0 + k, 0.9, (k + r) / 1000, 0.5 + k / 1000))
        for k, spec in enumerate(CELLS)
        for r in range(2)
    ]
    return NASBench101Table.open(
        write_table(tmp_path_factory.mktemp("table") / "small.tfrecord", runs)
    )


def ask(objective: NASBench101Objective, spec: ModelSpec) -> optuna.trial.FrozenTrial:
    """Evaluate one cell in a study."""
    study = optuna.create_study(directions=objective.directions)
    study.enqueue_trial(SPACE.architecture_to_params(spec))
    study.optimize(objective, n_trials=1)
    return study.trials[0]


def test_trial_keeps_what_the_table_and_the_space_say(table: NASBench101Table) -> None:
    spec = CELLS[50]
    trial = ask(NASBench101Objective(table), spec)
    assert trial.value == pytest.approx(0.0505)
    assert ModelSpec.parse(trial.user_attrs["architecture"]).hash() == spec.hash()
    assert trial.user_attrs["architecture_hash"] == spec.hash()
    canonical = SPACE.canonical(spec)
    assert trial.user_attrs["flops"] == SPACE.cost(canonical).flops
    assert trial.user_attrs["params"] == SPACE.cost(canonical).params
    assert trial.user_attrs["test_accuracy"] == pytest.approx(0.55)
    assert trial.user_attrs["training_time"] == 60.0
    assert "validation_accuracy" not in trial.user_attrs


@pytest.mark.parametrize(
    ("options", "expected"), [({"repeat": 0}, 0.05), ({"repeat": 1}, 0.051), ({}, 0.0505)]
)
def test_a_run_or_the_mean(
    table: NASBench101Table, options: dict[str, Any], expected: float
) -> None:
    assert ask(NASBench101Objective(table, **options), CELLS[50]).value == pytest.approx(expected)


def test_halfway(table: NASBench101Table) -> None:
    objective = NASBench101Objective(table, metrics=["test_accuracy"], stop="halfway")
    assert ask(objective, CELLS[50]).value == pytest.approx(0.3)


def test_several_objectives_have_their_directions(table: NASBench101Table) -> None:
    names = ["test_accuracy", "flops", "params", "training_time"]
    objective = NASBench101Objective(table, metrics=names)
    maximize, minimize = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE
    assert objective.metric_names == names
    assert objective.directions == [maximize, minimize, minimize, minimize]
    cost = SPACE.cost(SPACE.canonical(CELLS[7]))
    expected = [pytest.approx(0.507), cost.flops, cost.params, 17.0]
    assert ask(objective, CELLS[7]).values == expected
    assert list(objective.evaluate(SPACE.architecture_to_params(CELLS[7]))) == expected


def test_limits_are_constraints(table: NASBench101Table) -> None:
    cost = SPACE.cost(SPACE.canonical(CELLS[30]))
    objective = NASBench101Objective(
        table, limits={"flops": cost.flops + 5, "params": cost.params - 7}
    )
    expected = {"max_flops": -5.0, "max_params": 7.0}
    assert ask(objective, CELLS[30]).constraints == expected
    params = SPACE.architecture_to_params(CELLS[30])
    assert objective.evaluate_constraints(params) == expected


def test_invalid_cell_is_pruned_with_the_reason(table: NASBench101Table) -> None:
    objective = NASBench101Objective(table)
    params = SPACE.architecture_to_params(CELLS[0]) | {"edge_0_6": 0}
    study = optuna.create_study(directions=objective.directions)
    study.enqueue_trial(params)
    study.optimize(objective, n_trials=1)
    assert study.trials[0].state == TrialState.PRUNED
    assert "not connected" in study.trials[0].user_attrs["invalid"]
    with pytest.raises(OutOfDomainError, match="not connected"):
        objective.evaluate(params)


def test_cell_that_the_table_lacks_is_pruned(table: NASBench101Table) -> None:
    spec = next(s for s in SPACE.sample(np.random.default_rng(0), 20) if len(s.ops) == 7)
    trial = ask(NASBench101Objective(table), spec)
    assert trial.state == TrialState.PRUNED
    assert "does not hold" in trial.user_attrs["invalid"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": []}, "at least one"),
        ({"metrics": "flops"}, "sequence of names, but got 'flops'"),
        ({"metrics": ["accuracy"]}, "but got 'accuracy'"),
        ({"metrics": ["latency"]}, "`metrics` must be of .*'params'\\), but got 'latency'"),
        ({"metrics": ["flops", "flops"]}, "different names"),
        ({"limits": {"flops": 0}}, r"`limits\['flops'\]` must be positive, but got 0"),
        ({"limits": {"params": -1.0}}, r"`limits\['params'\]` must be positive, but got -1.0"),
        ({"epochs": 5}, "`epochs` must be one of"),
    ],
)
def test_errors_name_argument_and_value(
    table: NASBench101Table, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        NASBench101Objective(table, **options)


def test_metric_that_the_table_was_opened_without(tmp_path: Path, table: NASBench101Table) -> None:
    blind = NASBench101Table.open(table.path, metrics=["validation_accuracy"])
    with pytest.raises(ValueError, match="without the metric 'test_accuracy'"):
        NASBench101Objective(blind, metrics=["test_accuracy"])
    assert "test_accuracy" not in ask(NASBench101Objective(blind), CELLS[3]).user_attrs
