"""Trials without ordinary values: failed, pruned, infinite."""

from collections.abc import Callable
import math
import warnings

import optuna
from optuna.trial import Trial
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig

from .toy import BOTH_KINDS
from .toy import cell_objective
from .toy import Kind
from .toy import make_sampler
from .toy import MODEL_SOURCES
from .toy import n_different
from .toy import OBJECTIVES
from .toy import params_of
from .toy import run
from .toy import SOURCES
from .toy import sources_of


def _raise_error(trial: Trial, value: float) -> float:
    raise ArithmeticError


def _return_nan(trial: Trial, value: float) -> float:
    return math.nan


def _prune_unreported(trial: Trial, value: float) -> float:
    raise optuna.TrialPruned


def _prune_reported(trial: Trial, value: float) -> float:
    trial.report(2 * value, 0)
    trial.report(value, 1)
    raise optuna.TrialPruned


def _prune_nan(trial: Trial, value: float) -> float:
    trial.report(math.nan, 0)
    raise optuna.TrialPruned


def _return_infinity(trial: Trial, value: float) -> float:
    return math.inf


def _return_minus_infinity(trial: Trial, value: float) -> float:
    return -math.inf


OUTCOMES: dict[Callable[[Trial, float], float], TrialState] = {
    _raise_error: TrialState.FAIL,
    _return_nan: TrialState.FAIL,
    _prune_unreported: TrialState.PRUNED,
    _prune_reported: TrialState.PRUNED,
    _prune_nan: TrialState.PRUNED,
    _return_infinity: TrialState.COMPLETE,
    _return_minus_infinity: TrialState.COMPLETE,
}


@BOTH_KINDS
@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("period", [1, 3])
def test_a_study_survives_trials_of_every_outcome(
    kind: Kind,
    outcome: Callable[[Trial, float], float],
    period: int,
    config: DNASConfig,
    messages: Callable[[], list[str]],
) -> None:
    """Every third one, or all of them; a cell that failed is not proposed again."""

    def objective(trial: Trial) -> float:
        value = OBJECTIVES[kind](trial)
        return outcome(trial, value) if trial.number % period == 0 else value

    study = optuna.create_study(sampler=make_sampler(kind, config))
    study.optimize(objective, n_trials=18, catch=(ArithmeticError,))
    states = [t.state for t in study.trials]
    assert states[::period] == [OUTCOMES[outcome]] * len(states[::period])
    assert states.count(OUTCOMES[outcome]) + states.count(TrialState.COMPLETE) >= 18
    assert n_different(study) == 18
    assert messages() == []
    assert set(sources_of(study)) <= SOURCES
    has_values = OUTCOMES[outcome] == TrialState.COMPLETE or outcome is _prune_reported
    # In a flat space, what is pruned without a report is the worst there is.
    is_worst = OUTCOMES[outcome] == TrialState.PRUNED and kind == "flat"
    model_expected = has_values or is_worst or period > 1
    assert (sources_of(study)[-1] in MODEL_SOURCES) == model_expected


def test_pruned_trials_teach_the_model_their_last_report(config: DNASConfig) -> None:
    def objective(trial: Trial) -> float:
        value = cell_objective(trial)
        trial.report(-1.0, 0)
        trial.report(value, 1)
        raise optuna.TrialPruned

    study = optuna.create_study(sampler=make_sampler("cell", config))
    study.optimize(objective, n_trials=22)
    assert params_of(study) == params_of(run("cell", make_sampler("cell", config)))


@BOTH_KINDS
def test_hyperband_shows_a_part_of_a_study(
    kind: Kind, config: DNASConfig, messages: Callable[[], list[str]]
) -> None:
    """Its wrapper has no user attributes; nothing fails in silence or with a warning of ours."""

    def objective(trial: Trial) -> float:
        value = OBJECTIVES[kind](trial)
        for step in range(1, 10):
            trial.report(value + 1 / step, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9)
    study = optuna.create_study(sampler=make_sampler(kind, config), pruner=pruner, study_name="s")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study.optimize(objective, n_trials=30)
    assert messages() == []
    assert set(sources_of(study)) <= SOURCES
    assert {"dense", "local"} & set(sources_of(study))
    assert {t.state for t in study.trials} == {TrialState.COMPLETE, TrialState.PRUNED}
