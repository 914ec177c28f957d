"""Objectives whose parameters change: from branch to branch, and in time."""

from collections.abc import Callable
import math

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna.samplers import RandomSampler
from optuna.samplers import TPESampler
from optuna.trial import create_trial
from optuna.trial import Trial
import pytest

from optuna_dnas import DNASSampler


_RANGES = {"sgd": (1e-2, 1.0, 0.2), "adam": (1e-5, 1e-3, 1e-4)}


def with_branches(trial: Trial) -> float:
    """Best at 0, of Adam; each optimizer has learning rates and decays of its own."""
    optimizer = trial.suggest_categorical("optimizer", list(_RANGES))
    low, high, best = _RANGES[optimizer]
    lr = trial.suggest_float("lr", low, high, log=True)
    decay = trial.suggest_float("decay", low / 10, high / 10, log=True)
    x = trial.suggest_float("x", 0.0, 1.0)
    off = math.log10(lr / best) ** 2 + math.log10(20 * decay / best) ** 2
    return off + (x - 0.3) ** 2 + 0.1 * (optimizer == "sgd")


class _Counting(RandomSampler):
    def __init__(self) -> None:
        super().__init__(seed=0)
        self.numbers: list[int] = []

    def sample_independent(self, study, trial, param_name, param_distribution):
        self.numbers.append(trial.number)
        return super().sample_independent(study, trial, param_name, param_distribution)


@pytest.mark.parametrize("seed", range(3))
def test_proposals_are_of_the_range_of_their_branch(
    seed: int, messages: Callable[[], list[str]]
) -> None:
    independent = _Counting()
    sampler = DNASSampler(seed=seed, independent_sampler=independent)
    study = optuna.create_study(sampler=sampler)
    study.optimize(with_branches, n_trials=30)
    assert [number for number in independent.numbers if number >= 12] == []
    assert len(messages()) <= 2


@pytest.mark.slow
def test_a_range_for_each_branch_is_searched_better_than_by_tpe() -> None:
    def best(sampler: optuna.samplers.BaseSampler) -> float:
        study = optuna.create_study(sampler=sampler)
        study.optimize(with_branches, n_trials=60)
        return study.best_value

    ours = [best(DNASSampler(seed=seed)) for seed in range(10)]
    theirs = [best(TPESampler(seed=seed)) for seed in range(10)]
    assert np.median(ours) < 0.1 * np.median(theirs)


def _filled(n: int, *names: str) -> optuna.Study:
    study = optuna.create_study(sampler=DNASSampler(seed=0))
    rng = np.random.default_rng(0)
    for _ in range(n):
        params = {name: float(rng.random()) for name in names}
        study.add_trial(
            create_trial(
                params=params,
                distributions=dict.fromkeys(names, FloatDistribution(0.0, 1.0)),
                value=sum((value - 0.3) ** 2 for value in params.values()) + 0.5,
            )
        )
    return study


@pytest.mark.parametrize(("n_old", "extra"), [(300, ()), (50, ("z",))], ids=["added", "imported"])
def test_parameters_that_old_trials_lack_are_searched(n_old: int, extra: tuple[str, ...]) -> None:
    study = _filled(n_old, "x", *extra)

    def objective(trial: Trial) -> float:
        names = ("x", "y0", "y1", "y2")
        return sum((trial.suggest_float(name, 0.0, 1.0) - 0.6) ** 2 for name in names)

    study.optimize(objective, n_trials=40)
    assert min(trial.value for trial in study.trials[n_old:] if trial.value) < 0.01


def test_a_new_name_with_each_trial_leaves_the_space_as_it_was() -> None:
    study = optuna.create_study(sampler=DNASSampler(seed=0))

    def objective(trial: Trial) -> float:
        trial.suggest_float(f"only_in_{trial.number}", 0.0, 1.0)
        return trial.suggest_float("x", 0.0, 1.0)

    study.optimize(objective, n_trials=15)
    study.ask()
    space = study.sampler.infer_relative_search_space(study, study.trials[-1])
    assert space.keys() == {"x"}
