"""SMAC3 as a sampler: it asks for what the distributions hold, and learns from what it is told."""

from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
import pytest

from benchmarks.peers import SMACSampler
from benchmarks.peers._smac import to_params
from benchmarks.peers._smac import to_value
from optuna_dnas._optuna_compat import contains


SPACE: dict[str, tuple[BaseDistribution, list[Any]]] = {
    "op": (CategoricalDistribution((None, "conv", 3)), [None, "conv", 3]),
    "x": (FloatDistribution(-1.0, 1.0), [-1.0, 0.25, 1.0]),
    "rate": (FloatDistribution(1e-5, 1.0, log=True), [1e-5, 0.1, 1.0]),
    "dropout": (FloatDistribution(0.0, 1.0, step=0.25), [0.0, 0.5, 1.0]),
    "depth": (IntDistribution(1, 9, step=2), [1, 5, 9]),
    "width": (IntDistribution(1, 100, log=True), [1, 10, 100]),
}
DISTRIBUTIONS = {name: distribution for name, (distribution, _) in SPACE.items()}


def loss(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", -1.0, 1.0)
    depth = trial.suggest_int("depth", 1, 9, step=2)
    op = trial.suggest_categorical("op", [None, "conv", 3])
    if op == 3:
        raise optuna.TrialPruned
    return (x - 0.3) ** 2 + 0.1 * abs(depth - 5) + (op is None)


def search(seed: int, n_trials: int) -> list[optuna.trial.FrozenTrial]:
    study = optuna.create_study(sampler=SMACSampler(seed, n_trials=n_trials))
    study.optimize(loss, n_trials=n_trials)
    return study.trials


@pytest.mark.parametrize("row", range(3))
def test_values_and_parameters_are_two_ways_to_write_a_point(row: int) -> None:
    params = {name: values[row] for name, (_, values) in SPACE.items()}
    written = {name: to_value(params[name], d) for name, d in DISTRIBUTIONS.items()}
    again = to_params(written, DISTRIBUTIONS)
    assert again == params
    assert list(map(type, again.values())) == list(map(type, params.values()))


def test_the_space_of_smac_holds_the_distributions() -> None:
    pytest.importorskip("smac", reason="SMAC3 is no part of the test extra.")
    from benchmarks.peers._smac import to_hyperparameter

    rng = np.random.default_rng(0)
    for name, distribution in DISTRIBUTIONS.items():
        hyperparameter = to_hyperparameter(name, distribution)
        values = hyperparameter.sample_value(200, seed=np.random.RandomState(0))
        for value in rng.permutation(np.asarray(values)):
            drawn = to_params({name: value}, {name: distribution})[name]
            assert contains(distribution, drawn)


def test_smac_learns_and_a_seed_decides_everything() -> None:
    pytest.importorskip("smac", reason="SMAC3 is no part of the test extra.")
    first, again, other = (search(seed, 30) for seed in (0, 0, 1))
    values = [[trial.value for trial in trials] for trials in (first, again, other)]
    assert values[0] == values[1] != values[2]
    complete = [value for value in values[0] if value is not None]
    assert np.median(complete[-8:]) < np.median(complete[:8])
