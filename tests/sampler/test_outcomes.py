"""Trials without ordinary values: failed, pruned, infinite."""

from collections.abc import Callable
from functools import partial
import math
import warnings

import numpy as np
import optuna
from optuna.trial import Trial
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas._typing import BoolArray

from .toy import BOTH_KINDS
from .toy import cell_objective
from .toy import CELLS
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
    """Every third one, or all of them; only what an error ended is proposed again, if rarely.

    As long as nothing has succeeded there is no model.
    """

    def objective(trial: Trial) -> float:
        value = OBJECTIVES[kind](trial)
        return outcome(trial, value) if trial.number % period == 0 else value

    study = optuna.create_study(sampler=make_sampler(kind, config))
    study.optimize(objective, n_trials=18, catch=(ArithmeticError,))
    states = [t.state for t in study.trials]
    assert states[::period] == [OUTCOMES[outcome]] * len(states[::period])
    assert states.count(OUTCOMES[outcome]) + states.count(TrialState.COMPLETE) >= 18
    may_be_chance = outcome in (_raise_error, _return_nan) and period > 1
    assert n_different(study) >= 18 - 2 * may_be_chance
    assert messages() == []
    assert set(sources_of(study)) <= SOURCES
    has_values = outcome in (_prune_reported, _return_minus_infinity)
    assert (sources_of(study)[-1] in MODEL_SOURCES) == (has_values or period > 1)


def _flat_until_it_fails(trial: Trial, fail: Callable[[Trial, float], float]) -> float:
    """Better, the larger the rate; most are too large, and fail before the rest is suggested."""
    rate = trial.suggest_float("rate", 0.0, 1.0)
    if rate > 0.2:
        return fail(trial, 0.0)
    op = trial.suggest_categorical("op", ["conv", "pool"])
    return trial.suggest_int("depth", 1, 8) + (op == "pool") - rate


def _cell_until_it_fails(trial: Trial, fail: Callable[[Trial, float], float]) -> float:
    """Better, the more edges; with many it fails."""
    cell = CELLS.suggest(trial)
    n_edges = int(cell.matrix.sum())
    return fail(trial, 0.0) if n_edges > 5 else -float(n_edges)


@pytest.mark.slow
@BOTH_KINDS
@pytest.mark.parametrize("fail", [_raise_error, _return_nan, _prune_unreported, _return_infinity])
def test_what_fails_is_learned(
    kind: Kind, fail: Callable[[Trial, float], float], config: DNASConfig
) -> None:
    """Where the values pull to, and whatever the failure looks like."""
    until_it_fails = {"flat": _flat_until_it_fails, "cell": _cell_until_it_fails}[kind]
    n_failed = []
    for n_startup_trials in (8, 99):  # 99: all of them are random
        count = 0
        for seed in range(3):
            sampler = make_sampler(kind, config, seed, n_startup_trials=n_startup_trials)
            study = optuna.create_study(sampler=sampler)
            study.optimize(partial(until_it_fails, fail=fail), n_trials=32, catch=ArithmeticError)
            values = [t.value for t in study.trials[8:]]
            count += sum(value is None or math.isinf(value) for value in values)
        n_failed.append(count)
    assert n_failed[0] < 0.75 * n_failed[1]


@pytest.mark.slow
def test_failures_at_random_do_not_mislead(config: DNASConfig) -> None:
    """A machine that fails says nothing about the parameters."""
    best = []
    for n_startup_trials in (8, 99):  # 99: all of them are random
        for seed in range(4):
            sampler = make_sampler("flat", config, seed, n_startup_trials=n_startup_trials)
            breaks = np.random.default_rng(seed).random(40) < 0.2

            def objective(trial: Trial, breaks: BoolArray = breaks) -> float:
                value = OBJECTIVES["flat"](trial)
                return math.nan if breaks[trial.number] else value

            study = optuna.create_study(sampler=sampler)
            study.optimize(objective, n_trials=40)
            best.append(study.best_value)
    assert np.mean(best[:4]) < 0.5 * np.mean(best[4:])


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
