"""The objective of digits, asking its table and training anew."""

import pickle
from typing import Any

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState
import pytest
import torch

from optuna_dnas import DNASSampler
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.objectives import LatencyConfig
from optuna_dnas.objectives.training import LatencyMeter
from optuna_dnas.objectives.training._device import cpu_kind
from optuna_dnas.search_space import ModelSpec


TABLE = DigitsTable.load()
CONV3, CONV1, POOL = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
# Of the 2 channels more that do not divide evenly, the first two vertices get one each.
FAN = "|01110/00001/00001/00001/00000"
TWINS = [
    ModelSpec.parse(f"{ops}{FAN}")
    for ops in (f"{CONV3},{CONV1},{POOL}", f"{POOL},{CONV1},{CONV3}")
]
ACCURACIES = ("train_accuracy", "validation_accuracy", "test_accuracy")
# With another rounding a training ends as with another seed: means of 3 differ by 0.03 (sd).
TOLERANCE = 0.1


def as_written(spec: ModelSpec) -> dict[str, Any]:
    """Parameters of a cell of 5 vertices in its own order."""
    edges = {f"edge_{i}_{j}": int(spec.matrix[i, j]) for j in range(5) for i in range(j)}
    return edges | {f"op_{v}": spec.ops[v] for v in range(1, 4)}


def ask(
    objective: DigitsCellObjective,
    *params: dict[str, Any],
    study: optuna.Study | None = None,
) -> list[optuna.trial.FrozenTrial]:
    """Evaluate some cells in a study."""
    study = study or optuna.create_study(directions=objective.directions)
    n_before = len(study.trials)
    for each in params:
        study.enqueue_trial(each)
    study.optimize(objective, n_trials=len(params))
    return study.trials[n_before:]


def test_trial_keeps_what_the_table_and_the_space_say() -> None:
    objective = DigitsCellObjective()
    for spec in TWINS:
        (trial,) = ask(objective, as_written(spec))
        metrics, cost = TABLE.query(spec), objective.space.cost(spec)
        assert trial.value == metrics.validation_accuracy
        attrs = trial.user_attrs
        assert attrs == {
            "architecture": str(spec),
            "architecture_hash": spec.hash(),
            "flops": cost.flops,
            "params": cost.params,
            "test_accuracy": metrics.test_accuracy,
            "train_accuracy": metrics.train_accuracy,
            "training_time": metrics.training_time,
        }
        assert objective.evaluate(trial.params) == trial.value
    # What counts is the cell as proposed.
    assert len({objective.space.cost(spec) for spec in TWINS}) == 2


def test_cells_of_the_table_cost_what_it_says() -> None:
    objective = DigitsCellObjective(metrics=["flops", "params"])
    assert objective.table is TABLE
    for index in range(0, len(TABLE), 25):
        params = objective.space.architecture_to_params(TABLE.cell(index))
        values = [TABLE.mean(name)[index] for name in ("flops", "params")]
        assert list(objective.evaluate(params)) == values


@pytest.mark.parametrize(
    "options",
    [{}, {"repeat": 0}, {"repeat": 2}, {"stop": "halfway"}, {"repeat": 1, "stop": "halfway"}],
)
def test_options_are_those_of_the_table(options: dict[str, Any]) -> None:
    objective = DigitsCellObjective(metrics=["test_accuracy"], **options)
    (trial,) = ask(objective, as_written(TWINS[0]))
    assert trial.value == TABLE.query(TWINS[0], **options).test_accuracy


def test_several_objectives_have_their_directions() -> None:
    names = ["validation_accuracy", "flops", "training_time"]
    objective = DigitsCellObjective(metrics=names)
    maximize, minimize = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE
    assert objective.metric_names == names
    assert objective.directions == [maximize, minimize, minimize]


def test_limits_are_constraints() -> None:
    cost = DigitsCellObjective().space.cost(TWINS[0])
    objective = DigitsCellObjective(limits={"flops": cost.flops + 5, "params": cost.params - 7})
    (trial,) = ask(objective, as_written(TWINS[0]))
    assert trial.constraints == {"max_flops": -5.0, "max_params": 7.0}
    assert objective.evaluate_constraints(trial.params) == trial.constraints


def test_invalid_cell_is_pruned_with_the_reason() -> None:
    objective = DigitsCellObjective()
    params = as_written(TWINS[0]) | {"edge_0_1": 0, "edge_0_2": 0, "edge_0_3": 0}
    (trial,) = ask(objective, params)
    assert trial.state == TrialState.PRUNED
    assert "not connected" in trial.user_attrs["invalid"]
    with pytest.raises(OutOfDomainError, match="not connected"):
        objective.evaluate(params)


def test_latency_is_that_of_the_network_that_is_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cell in its canonical vertex order; what is too slow costs no training."""
    cells: list[ModelSpec] = []

    def measure(meter: LatencyMeter, spec: ModelSpec) -> float:
        cells.append(spec)
        return 3.0

    monkeypatch.setattr(LatencyMeter, "measure", measure)
    objective = DigitsCellObjective(
        train=True,
        limits={"latency": 2.5, "flops": 10**9},
        latency_config=LatencyConfig(batch_size=7),
    )
    trials = ask(objective, *map(as_written, TWINS))
    assert cells == [objective.space.canonical(TWINS[0])] * 2
    for trial in trials:
        assert trial.state == TrialState.PRUNED
        assert trial.constraints["max_latency"] == 0.5
        assert trial.user_attrs["latency"] == 3.0
        assert trial.user_attrs["latency_batch_size"] == 7
        assert objective.evaluate_constraints(trial.params) == trial.constraints
    assert objective.limits == {"max_flops": 10**9, "max_latency": 2.5}
    assert DigitsCellObjective(limits={"flops": 10**9}).limits == {"max_flops": 10**9}


def test_copy_answers_alike() -> None:
    objective = DigitsCellObjective(metrics=["flops", "test_accuracy"], repeat=1)
    text = pickle.dumps(objective)
    assert len(text) < 10_000
    copy = pickle.loads(text)
    assert copy.table is TABLE
    assert copy.evaluate(as_written(TWINS[0])) == objective.evaluate(as_written(TWINS[0]))


def test_sampler_searches_it() -> None:
    objective = DigitsCellObjective()
    study = optuna.create_study(
        direction="maximize", sampler=DNASSampler(space=objective.space, seed=0)
    )
    study.optimize(objective, n_trials=5)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 5
    assert len({trial.user_attrs["architecture_hash"] for trial in study.trials}) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": []}, "at least one"),
        ({"metrics": ["accuracy"]}, "but got 'accuracy'"),
        ({"limits": {"flops": 0}}, r"`limits\['flops'\]` must be positive, but got 0"),
        ({"repeat": 3}, r"`repeat` must be in 0\.\.2, but got 3"),
        ({"stop": "end"}, "`stop` must be one of .* but got 'end'"),
        (
            {"train": True, "repeat": 0},
            "`repeat` must be None if `train` is True, but got 0",
        ),
        (
            {"train": True, "stop": "halfway"},
            "`stop` must be 'final' if `train` is True, but got 'halfway'",
        ),
        ({"train": True, "device": "tpu"}, "`device` must be .* but got 'tpu'"),
        (
            {"metrics": ["flops", "latency"]},
            r"`metrics` must not name 'latency' if `train` is False, but got .*'latency'\]",
        ),
        (
            {"limits": {"latency": 1.5}},
            "`limits` must not name 'latency' if `train` is False, but got .*1.5",
        ),
        ({"limits": {"flop": 1.5}}, r"`limits` must be of \('flops', 'params'\), but got 'flop'"),
        (
            {"latency_config": LatencyConfig(batch_size=2)},
            r"`latency_config` must be None if `train` is False, but got .*batch_size=2",
        ),
        (
            {"train": True, "limits": {"latency": 0}},
            r"`limits\['latency'\]` must be positive, but got 0",
        ),
    ],
)
def test_errors_name_argument_and_value(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DigitsCellObjective(**options)


def test_cells_of_the_table_are_canonical() -> None:
    """Training begins with weights drawn in this vertex order."""
    space = DigitsCellObjective().space
    specs = [TABLE.cell(index) for index in range(len(TABLE))]
    tokens = space.architectures_to_tokens(specs)
    canonical, valid = space.canonicalize(tokens)
    assert valid.all()
    assert space.tokens_to_architectures(canonical) == specs


@pytest.mark.slow
def test_training_gives_the_table() -> None:
    objective = DigitsCellObjective(metrics=["flops", "test_accuracy"], train=True)
    settings = TABLE.settings
    made_here = (torch.__version__, cpu_kind()) == (settings.torch, settings.cpu)
    rng = np.random.default_rng(0)
    for spec in (TWINS[1], *(TABLE.cell(int(index)) for index in rng.choice(len(TABLE), 3))):
        (trial,) = ask(objective, objective.space.architecture_to_params(spec))
        expected = TABLE.query(spec)
        found = trial.user_attrs | {"test_accuracy": trial.values[1]}
        for name in ACCURACIES:
            assert found[name] == pytest.approx(getattr(expected, name), abs=TOLERANCE)
            if made_here:
                assert found[name] == getattr(expected, name)
        assert found["training_time"] > 0
        assert not trial.intermediate_values


@pytest.mark.slow
def test_training_reports_prunes_and_reuses() -> None:
    objective = DigitsCellObjective(train=True)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
    )
    first, second = ask(objective, *map(as_written, TWINS), study=study)
    n_epochs = TABLE.settings.config["epochs"]
    assert list(first.intermediate_values) == list(range(1, n_epochs + 1))
    assert first.value == first.intermediate_values[n_epochs]
    assert second.user_attrs["reused_from"] == first.number
    assert second.value == first.value
    assert second.user_attrs["params"] == objective.space.cost(TWINS[1]).params

    specs = [TABLE.cell(int(i)) for i in np.argsort(TABLE.mean("validation_accuracy"))[:6]]
    params = map(objective.space.architecture_to_params, specs)
    trials = ask(objective, *params, study=study)
    assert TrialState.PRUNED in {trial.state for trial in trials}
    for trial in trials:
        assert (len(trial.intermediate_values) < n_epochs) == (trial.state == TrialState.PRUNED)
