"""Architectures and the parameters beside them are searched together, declared or recognized."""

from collections.abc import Callable
import math
from pathlib import Path

import numpy as np
import optuna
from optuna.samplers import PartialFixedSampler
from optuna.samplers import TPESampler
from optuna.trial import Trial
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.search_space import NASBench101Space

from .toy import cell_objective
from .toy import CELLS
from .toy import MODEL_SOURCES
from .toy import n_different
from .toy import params_of
from .toy import sources_of


BEST_RATE = 1e-2
DECLARED = pytest.mark.parametrize("space", [CELLS, None], ids=["declared", "recognized"])


def objective(trial: Trial) -> float:
    """A momentum only for one of two optimizers."""
    rate = trial.suggest_float("rate", 1e-5, 10.0, log=True)
    loss = abs(math.log10(rate / BEST_RATE))
    if trial.suggest_categorical("optimizer", ("sgd", "adam")) == "sgd":
        loss += trial.suggest_float("momentum", 0.0, 1.0)
    return cell_objective(trial) / 10 + loss


def search(
    space: NASBench101Space | None,
    config: DNASConfig,
    n_trials: int,
    storage: str | None = None,
    seed: int = 0,
) -> optuna.Study:
    sampler = DNASSampler(seed=seed, space=space, config=config, n_startup_trials=8)
    study = optuna.create_study(
        sampler=sampler, storage=storage, study_name="s", load_if_exists=True
    )
    study.optimize(objective, n_trials=n_trials)
    return study


@DECLARED
def test_what_is_beside_a_cell_is_learned(
    space: NASBench101Space | None, config: DNASConfig, messages: Callable[[], list[str]]
) -> None:
    study = search(space, config, 40)
    assert set(sources_of(study)[9:]) <= MODEL_SOURCES
    distances = [abs(math.log10(t.params["rate"] / BEST_RATE)) for t in study.trials]
    assert np.median(distances[20:]) < 0.5 < np.median(distances[:8])
    assert n_different(study) == 40
    assert messages() == []


@DECLARED
def test_a_parameter_that_is_there_only_sometimes_is_proposed_only_then(
    space: NASBench101Space | None, config: DNASConfig
) -> None:
    study = search(space, config, 40)
    for trial in study.trials[12:]:
        proposed = trial.system_attrs["dnas:relative_params:0"]
        assert ('"momentum"' in proposed) == (trial.params["optimizer"] == "sgd")


@DECLARED
def test_a_study_on_disk_goes_on_as_if_it_had_not_been_interrupted(
    space: NASBench101Space | None, config: DNASConfig, tmp_path: Path
) -> None:
    whole = search(space, config, 24, f"sqlite:///{tmp_path}/a.db")
    search(space, config, 13, f"sqlite:///{tmp_path}/b.db")
    parts = search(space, config, 11, f"sqlite:///{tmp_path}/b.db")
    assert params_of(parts) == params_of(whole)


def test_a_recognized_cell_is_valid_as_a_declared_one_is(config: DNASConfig) -> None:
    """Of independent parameters of cells, 3 in 10 make none."""
    study = search(None, config, 40)
    states = [trial.state for trial in study.trials[1:]]
    assert states == [TrialState.COMPLETE] * 39


def test_fixed_and_enqueued_parameters_are_kept(config: DNASConfig) -> None:
    sampler = DNASSampler(seed=0, space=CELLS, config=config, n_startup_trials=8)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=12)
    study.sampler = PartialFixedSampler({"rate": 1e-4, "op_1": "maxpool3x3"}, sampler)
    study.optimize(objective, n_trials=6)
    study.sampler = sampler
    study.enqueue_trial({"rate": 1e-3, "op_2": "conv3x3-bn-relu"})
    study.optimize(objective, n_trials=1)
    for trial in study.trials[12:18]:
        assert (trial.params["rate"], trial.params["op_1"]) == (1e-4, "maxpool3x3")
    last = study.trials[18]
    assert (last.params["rate"], last.params["op_2"]) == (1e-3, "conv3x3-bn-relu")


def test_limits_of_the_space_hold(config: DNASConfig) -> None:
    costs = CELLS.token_costs(CELLS.enumerate_tokens())
    assert costs is not None
    limit = int(np.median(costs[:, 1]))
    space = CELLS.within({"params": limit})
    study = search(space, config, 30)
    for trial in study.trials:
        assert CELLS.cost(CELLS.params_to_architecture(trial.params)).params <= limit


def test_several_objectives(config: DNASConfig) -> None:
    def both(trial: Trial) -> tuple[float, float]:
        loss = objective(trial)
        return loss, CELLS.cost(CELLS.params_to_architecture(trial.params)).flops

    sampler = DNASSampler(seed=0, space=CELLS, config=config, n_startup_trials=8)
    study = optuna.create_study(directions=["minimize"] * 2, sampler=sampler)
    study.optimize(both, n_trials=24)
    assert set(sources_of(study)[9:]) <= MODEL_SOURCES


def test_workers_propose_different_settings(config: DNASConfig) -> None:
    study = optuna.create_study(
        sampler=DNASSampler(seed=0, space=CELLS, config=config, n_startup_trials=4)
    )
    study.optimize(objective, n_trials=10)
    running = [study.ask() for _ in range(6)]
    for trial in running:
        with_rate = trial.relative_params
        assert {"rate", "op_1"} <= with_rate.keys()
    assert len({repr(sorted(trial.relative_params.items())) for trial in running}) == 6


@pytest.mark.slow
@DECLARED
def test_it_is_better_than_tpe(space: NASBench101Space | None) -> None:
    """Accuracies of the table, less what a learning rate costs."""
    cells = DigitsCellObjective()

    def trained(trial: Trial) -> float:
        rate = trial.suggest_float("rate", 1e-5, 10.0, log=True)
        try:
            CELLS.suggest(trial)
        except OutOfDomainError:
            raise optuna.TrialPruned from None
        value = cells.evaluate(trial.params)
        assert isinstance(value, float)
        return value - 0.02 * math.log10(rate / BEST_RATE) ** 2

    gaps = []
    for seed in range(4):
        ours, tpe = (
            optuna.create_study(direction="maximize", sampler=sampler)
            for sampler in (DNASSampler(seed=seed, space=space), TPESampler(seed=seed))
        )
        for study in (ours, tpe):
            study.optimize(trained, n_trials=70)
        gaps.append(ours.best_value - tpe.best_value)
        rates = [trial.params["rate"] for trial in ours.trials[35:]]
        assert np.median(np.abs(np.log10(np.array(rates) / BEST_RATE))) < 0.2
    assert np.mean(gaps) > 0.005
