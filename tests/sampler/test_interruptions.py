"""Trials that ended for no reason of their own, and failures by chance."""

from collections.abc import Callable
import contextlib
import math
from pathlib import Path

import numpy as np
import optuna
from optuna.storages import RDBStorage
from optuna.trial import Trial
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas._history import History
from optuna_dnas._optuna_compat import was_interrupted
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.search_space import FlatSpace

from .toy import BOTH_KINDS
from .toy import Kind
from .toy import make_sampler
from .toy import OBJECTIVES
from .toy import params_of
from .toy import run


def _interrupt(trial: Trial) -> float:
    raise KeyboardInterrupt


def _raise(trial: Trial) -> float:
    raise ArithmeticError


def _return_nan(trial: Trial) -> float:
    return math.nan


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    ("end", "expected"), [(_interrupt, True), (_raise, False), (_return_nan, False)]
)
def test_why_a_trial_failed_is_kept(
    end: Callable[[Trial], float], expected: bool, n_jobs: int, tmp_path: Path
) -> None:
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(storage=storage, sampler=DNASSampler(seed=0), study_name="s")

    def objective(trial: Trial) -> float:
        trial.suggest_float("x", 0.0, 1.0)
        return end(trial)

    try:
        study.optimize(objective, n_trials=n_jobs, n_jobs=n_jobs, catch=(ArithmeticError,))
    except KeyboardInterrupt:
        assert expected
    (trial, *_) = optuna.load_study(storage=storage, study_name="s").trials
    assert trial.state == TrialState.FAIL
    assert was_interrupted(trial) == expected


def test_an_expired_heartbeat_is_an_interruption(tmp_path: Path) -> None:
    storage = RDBStorage(
        f"sqlite:///{tmp_path / 'study.db'}", heartbeat_interval=1, grace_period=1
    )
    study = optuna.create_study(storage=storage, sampler=DNASSampler(seed=0))
    dead = study.ask()
    dead.suggest_float("x", 0.0, 1.0)
    storage.set_trial_state_values(dead._trial_id, TrialState.FAIL)  # as `fail_stale_trials` does
    assert was_interrupted(study.trials[0])
    told = study.ask()
    told.suggest_float("x", 0.0, 1.0)
    study.tell(told, state=TrialState.FAIL)
    assert not was_interrupted(study.trials[1])


def test_of_trials_of_others_a_failure_is_taken_for_one() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0) * math.nan, n_trials=1)
    assert not was_interrupted(study.trials[0])


@BOTH_KINDS
def test_an_interrupted_trial_leaves_no_trace(kind: Kind, config: DNASConfig) -> None:
    """Its architecture is proposed to the next trial that would get it."""
    whole = run(kind, make_sampler(kind, config), 22)
    study = optuna.create_study(sampler=make_sampler(kind, config))
    study.optimize(OBJECTIVES[kind], n_trials=21)

    def objective(trial: Trial) -> float:
        OBJECTIVES[kind](trial)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.optimize(objective, n_trials=1)
    interrupted = study.trials[21]
    assert interrupted.params == params_of(whole)[21]
    asked = {name: d for trial in study.trials for name, d in trial.distributions.items()}
    space = make_sampler(kind, config)._space or FlatSpace(asked)
    history = History(space, study.directions)
    history.update(study.trials)
    assert len(history.observations.tokens) == 21
    assert len(history.taken(study.trials, but=-1)) == 21


def _lookup(trial: Trial, table: np.ndarray) -> float:
    rows, columns = (list(range(n)) for n in table.shape)
    i, j = trial.suggest_categorical("i", rows), trial.suggest_categorical("j", columns)
    return float(table[i, j])


@pytest.mark.slow
@pytest.mark.parametrize("fail", [_raise, _return_nan])
def test_an_optimum_is_found_though_a_third_of_all_trials_fail(
    fail: Callable[[Trial], float],
) -> None:
    for seed in range(5):
        rng = np.random.default_rng(1_000 + seed)
        table = np.add.outer(rng.normal(size=12), rng.normal(size=12))
        table += 0.5 * rng.normal(size=(12, 12))
        breaks = rng.random(80) < 0.3
        study = optuna.create_study(sampler=DNASSampler(seed=seed))
        study.optimize(
            lambda trial, table=table, breaks=breaks: (
                _lookup(trial, table) + (fail(trial) if breaks[trial.number] else 0.0)
            ),
            n_trials=80,
            catch=(ArithmeticError,),
        )
        assert study.best_value == table.min()


@pytest.mark.slow
def test_the_best_cell_is_found_though_its_first_trial_was_interrupted() -> None:
    """Of 2,532 cells; whether a worker was killed, or somebody pressed Ctrl-C."""
    objective = DigitsCellObjective()
    best = float(np.nanmax(objective.table.mean("validation_accuracy")))
    for seed in range(2):
        n_interrupted = 0

        def interrupted(trial: Trial) -> float:
            nonlocal n_interrupted
            value = objective(trial)
            assert isinstance(value, float)
            if value == best and n_interrupted == 0:
                n_interrupted += 1
                raise KeyboardInterrupt
            return value

        study = optuna.create_study(
            direction="maximize", sampler=DNASSampler(seed=seed, space=objective.space)
        )
        while len(study.trials) < 70:
            with contextlib.suppress(KeyboardInterrupt):
                study.optimize(interrupted, n_trials=70 - len(study.trials))
        assert n_interrupted == 1
        assert study.best_value == best
