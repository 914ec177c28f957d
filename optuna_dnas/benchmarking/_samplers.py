"""Samplers for any problem, each as its authors ship it."""

from collections.abc import Callable
from typing import Any
import warnings

import optuna
from optuna.samplers import BaseSampler

from optuna_dnas.sampler import DNASSampler
from optuna_dnas.search_space import SearchSpace


SamplerFactory = Callable[[int, SearchSpace[Any] | None], BaseSampler]
"""A sampler for a seed, and for the declared space of the problem, if it has one."""


def _gp(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.GPSampler(seed=seed)


SAMPLERS: dict[str, SamplerFactory] = {
    "DNAS": lambda seed, space: DNASSampler(seed=seed, space=space),
    "TPE": lambda seed, _: optuna.samplers.TPESampler(seed=seed),
    "NSGA-II": lambda seed, _: optuna.samplers.NSGAIISampler(seed=seed),
    "GP": lambda seed, _: _gp(seed),
    "Random": lambda seed, _: optuna.samplers.RandomSampler(seed=seed),
}
