"""Both ends of a front are searched, whatever the scales of quality and cost."""

from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
from optuna.trial import Trial
import pytest

from optuna_dnas import DNASSampler
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import SearchSpace

from .toy import params_of


Transform = Callable[[float], float]
_BEST = 0.941  # Two cells have .9467 and .9470, the best of all others .9415.


def _search(
    objective: DigitsCellObjective,
    space: SearchSpace[Any] | None,
    *transforms: Transform,
    n_trials: int,
    seed: int = 0,
    direction: str = "maximize",
) -> optuna.Study:
    """Values are transformed; an objective without a transform stays as it is."""

    def transformed(trial: Trial) -> tuple[float, ...]:
        values = objective(trial)
        assert isinstance(values, tuple)
        return tuple(f(v) for f, v in zip(transforms, values, strict=True))

    directions = [direction, *["minimize"] * (len(transforms) - 1)]
    study = optuna.create_study(directions=directions, sampler=DNASSampler(seed=seed, space=space))
    study.optimize(transformed, n_trials=n_trials)
    return study


def _same(value: float) -> float:
    return value


def _millions(value: float) -> float:
    return 1e6 * value


@pytest.mark.parametrize(
    ("cost", "metrics"),
    [
        (np.log10, ("flops",)),
        (np.log10, ("training_time",)),
        (_millions, ("flops",)),
        (_millions, ("training_time",)),
        (_millions, ("flops", "training_time")),
    ],
)
def test_the_scale_of_a_cost_changes_nothing(cost: Transform, metrics: tuple[str, ...]) -> None:
    objective = DigitsCellObjective(metrics=("validation_accuracy", *metrics))
    plain, scaled = (
        _search(objective, objective.space, _same, *[f] * len(metrics), n_trials=24)
        for f in (_same, lambda value: float(cost(value)))
    )
    assert params_of(plain) == params_of(scaled)


def test_an_error_in_thousandths_is_as_good_as_an_accuracy() -> None:
    objective = DigitsCellObjective(metrics=("validation_accuracy", "flops"))
    plain = _search(objective, objective.space, _same, _same, n_trials=30)
    error = _search(
        objective,
        objective.space,
        lambda accuracy: 1_000.0 * (1.0 - accuracy),
        _same,
        n_trials=30,
        direction="minimize",
    )
    assert params_of(plain) == params_of(error)


def test_units_change_nothing_where_no_space_is_declared() -> None:
    objective = DigitsCellObjective(metrics=("validation_accuracy", "flops", "training_time"))
    space = FlatSpace(objective.space.distributions)
    plain, scaled = (
        _search(objective, space, *[lambda v, unit=unit: unit * v] * 3, n_trials=24)
        for unit in (1.0, 2.0**20)
    )
    assert params_of(plain) == params_of(scaled)


@pytest.mark.slow
@pytest.mark.parametrize("is_declared", [True, False])
def test_the_most_accurate_cells_are_on_the_front(is_declared: bool) -> None:
    """They are among the most expensive ones: 361,280 multiply-adds, the table's most 369,472."""
    objective = DigitsCellObjective(metrics=("validation_accuracy", "flops"))
    best = [
        max(t.values[0] for t in study.trials if t.values)
        for study in (
            _search(
                objective,
                objective.space if is_declared else None,
                _same,
                _same,
                n_trials=100,
                seed=seed,
            )
            for seed in range(2)
        )
    ]
    assert np.mean(best) >= _BEST
