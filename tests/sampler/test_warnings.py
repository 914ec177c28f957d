"""What warns, and what does not."""

from collections.abc import Callable
import warnings

import optuna
from optuna.samplers import RandomSampler
from optuna.trial import Trial
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas.search_space._cells import OPS

from .toy import BOTH_KINDS
from .toy import cell_objective
from .toy import CELLS
from .toy import Kind
from .toy import make_sampler
from .toy import MODEL_SOURCES
from .toy import n_different
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
    told = [message for message in messages() if "of trial 10 is drawn uniformly" in message]
    assert messages() == told  # from the next trial on the new range is known
    assert bool(told) == (warn and (low, high) != (1, 40))
    assert all("its range is not the one that was seen last" in message for message in told)


@pytest.mark.parametrize("is_declared", [True, False])
def test_what_is_searched_together_is_logged_once(
    is_declared: bool, config: DNASConfig, messages: Callable[[], list[str]]
) -> None:
    """Nothing is wrong, so nobody is warned."""

    def objective(trial: Trial) -> float:
        rates = [trial.suggest_float(name, 0.0, 1.0) for name in ("rate", "learning_rate")]
        return cell_objective(trial) + sum(rates)

    optuna.logging.set_verbosity(optuna.logging.INFO)
    space = CELLS if is_declared else None
    study = optuna.create_study(sampler=DNASSampler(seed=0, config=config, space=space))
    study.optimize(objective, n_trials=6)
    told = [message for message in messages() if "searched together" in message]
    assert told == [
        "The architectures of NASBench101Space are searched together with `learning_rate`, `rate`."
    ]


def test_the_search_of_the_paper_leaves_out_other_parameters(
    messages: Callable[[], list[str]],
) -> None:
    def objective(trial: Trial) -> float:
        return cell_objective(trial) + trial.suggest_float("rate", 0.0, 1.0)

    sampler = DNASSampler(seed=0, config=DNASConfig.paper(), space=CELLS)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=5)
    (message,) = messages()
    assert "`rate` is drawn uniformly, in this trial (1) and in all others" in message
    assert "no parameter of the declared NASBench101Space" in message


def test_an_objective_that_asks_for_a_part_of_its_space_is_told_and_searched(
    config: DNASConfig, messages: Callable[[], list[str]]
) -> None:
    """Of a declared space, its proposals are known as a whole."""

    def objective(trial: Trial) -> float:
        n_edges = sum(
            trial.suggest_categorical(f"edge_{i}_{j}", (0, 1))
            for i in range(5)
            for j in range(i + 1, 5)
        )
        return n_edges + (trial.suggest_categorical("op_1", OPS) == "maxpool3x3")

    study = optuna.create_study(sampler=make_sampler("cell", config))
    study.optimize(objective, n_trials=20)
    (message,) = messages()
    assert "Trial 0 did not ask for `op_2`, `op_3`" in message
    assert "space.suggest(trial)" in message
    assert set(sources_of(study)[8:]) <= MODEL_SOURCES
    assert study.best_trial.number >= 8


def test_trials_of_others_that_lack_parameters_of_the_space_are_told(
    config: DNASConfig, messages: Callable[[], list[str]]
) -> None:
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    study.optimize(lambda trial: trial.suggest_categorical("edge_0_1", (0, 1)), n_trials=9)
    study.sampler = make_sampler("cell", config)
    study.optimize(cell_objective, n_trials=2)
    (message,) = messages()
    assert "Trial 0 did not ask for `edge_0_2`" in message
    assert sources_of(study)[9:] == ["startup"] * 2
