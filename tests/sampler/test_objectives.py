"""One objective or several, in either direction, of any size."""

import math

import numpy as np
import optuna
from optuna.trial import Trial
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig

from .toy import BOTH_KINDS
from .toy import cell_objective
from .toy import flat_objective
from .toy import grid_objective
from .toy import Kind
from .toy import make_sampler
from .toy import MODEL_SOURCES
from .toy import n_different
from .toy import n_different_cells
from .toy import N_GRID_POINTS
from .toy import OBJECTIVES
from .toy import params_of
from .toy import run
from .toy import sources_of


@BOTH_KINDS
def test_model_trials_predict_in_the_units_of_the_study(kind: Kind, config: DNASConfig) -> None:
    def objective(trial: Trial) -> tuple[float, float, float]:
        value = OBJECTIVES[kind](trial)
        squashed = value / (1 + value)
        return squashed, 100 + squashed, -100 - squashed

    study = optuna.create_study(
        sampler=make_sampler(kind, config), directions=["minimize", "maximize", "maximize"]
    )
    study.optimize(objective, n_trials=20)
    for trial in study.trials:
        prediction = trial.user_attrs.get("dnas:prediction")
        if trial.user_attrs["dnas:source"] == "startup":
            assert prediction is None
            continue
        assert [type(value) for value in prediction] == [float] * 3
        assert 0 <= prediction[0] <= 1
        assert 100 <= prediction[1] <= 101
        assert -101 <= prediction[2] <= -100


def test_predictions_are_finite_where_values_are_not(config: DNASConfig) -> None:
    def objective(trial: Trial) -> float:
        value = flat_objective(trial)
        return (math.inf, -math.inf, value, value)[trial.number % 4]

    study = optuna.create_study(sampler=make_sampler("flat", config))
    study.optimize(objective, n_trials=30)
    for trial in study.trials[8:]:
        assert np.isfinite(trial.user_attrs["dnas:prediction"]).all()


@BOTH_KINDS
def test_maximising_is_minimising_the_negative(kind: Kind, config: DNASConfig) -> None:
    study = optuna.create_study(sampler=make_sampler(kind, config), direction="maximize")
    study.optimize(lambda trial: -OBJECTIVES[kind](trial), n_trials=22)
    assert params_of(study) == params_of(run(kind, make_sampler(kind, config)))


@pytest.mark.parametrize("n_objectives", [2, 3])
@pytest.mark.parametrize("kind", ["grid", "cell"])
def test_several_objectives_are_searched_without_duplicates(
    kind: Kind, n_objectives: int, config: DNASConfig
) -> None:
    def objective(trial: Trial) -> list[float]:
        value = grid_objective(trial) if kind == "grid" else cell_objective(trial)
        return [value, value % 3, 1 / (1 + value)][:n_objectives]

    directions = ["minimize", "maximize", "minimize"][:n_objectives]
    study = optuna.create_study(directions=directions, sampler=make_sampler(kind, config))
    study.optimize(objective, n_trials=N_GRID_POINTS)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * N_GRID_POINTS
    different = n_different(study) if kind == "grid" else n_different_cells(study)
    assert different == N_GRID_POINTS
    assert set(sources_of(study)[8:]) <= MODEL_SOURCES
