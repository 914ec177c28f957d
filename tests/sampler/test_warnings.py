"""What warns, and what does not."""

from collections.abc import Callable
from typing import Any
import warnings

import optuna
from optuna.samplers import RandomSampler
from optuna.trial import Trial
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler

from .toy import BOTH_KINDS
from .toy import cell_objective
from .toy import Kind
from .toy import make_sampler
from .toy import MODEL_SOURCES
from .toy import n_different
from .toy import n_different_cells
from .toy import params_of
from .toy import run
from .toy import sources_of


@BOTH_KINDS
def test_an_ordinary_study_is_silent(
    kind: Kind, config: DNASConfig, caplog: pytest.LogCaptureFixture
) -> None:
    optuna.logging.enable_propagation()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run(kind, make_sampler(kind, config), 60)
    finally:
        optuna.logging.disable_propagation()
    assert [r.getMessage() for r in caplog.records if r.name.startswith("optuna")] == []


@pytest.mark.parametrize(("low", "high"), [(2, 5), (1, 40), (50, 90)])
@pytest.mark.parametrize("warn", [True, False])
def test_ranges_may_change(
    low: int, high: int, warn: bool, messages: Callable[[], list[str]]
) -> None:
    """A proposal made for the old range does not serve the new one: that trial is told so."""

    def objective(trial: Trial, low: int, high: int) -> float:
        x = trial.suggest_float("x", low, high, log=True)
        return x + trial.suggest_int("n", low, high)

    study = optuna.create_study(
        sampler=DNASSampler(seed=0, n_startup_trials=5, warn_independent_sampling=warn)
    )
    study.optimize(lambda trial: objective(trial, 1, 9), n_trials=10)
    assert messages() == []
    study.optimize(lambda trial: objective(trial, low, high), n_trials=10)
    for trial in study.trials[10:]:
        assert trial.state == TrialState.COMPLETE
        assert low <= trial.params["x"] <= high
        assert low <= trial.params["n"] <= high
    assert n_different(study) == 20
    assert set(sources_of(study)[11:]) <= MODEL_SOURCES
    told = [message for message in messages() if "Trial#10" in message]
    assert messages() == told  # from the next trial on the new range is known
    assert bool(told) == (warn and (low, high) != (1, 40))
    assert all("instead of `DNASSampler`" in message for message in told)


def test_what_the_space_does_not_hold_goes_to_the_independent_sampler(
    config: DNASConfig, messages: Callable[[], list[str]]
) -> None:
    def objective(trial: Trial) -> float:
        return cell_objective(trial) + trial.suggest_float("learning_rate", 0.0, 1.0)

    sampler = make_sampler("cell", config, independent_sampler=_ConstantSampler())
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=14)
    assert {params["learning_rate"] for params in params_of(study)} == {0.25}
    assert n_different_cells(study) == 14
    for number, message in zip(range(1, 14), messages(), strict=True):
        assert f"`learning_rate` in Trial#{number} is sampled independently" in message
        assert "using `_ConstantSampler` instead of `DNASSampler`" in message
        assert "it is no parameter of the declared search space" in message


class _ConstantSampler(RandomSampler):
    def sample_independent(self, *args: Any) -> float:
        return 0.25
