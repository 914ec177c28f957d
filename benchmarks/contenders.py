"""The samplers that are compared, each as its authors ship it."""

from collections.abc import Callable
from typing import Any
import warnings

import optuna
from optuna.samplers import BaseSampler

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas.search_space import SearchSpace


def _gp(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.GPSampler(seed=seed)


Contender = Callable[[int, SearchSpace[Any] | None], BaseSampler]
"""A sampler for a seed, and for the declared space of the problem, if it has one."""

CONTENDERS: dict[str, Contender] = {
    "DNAS": lambda seed, space: DNASSampler(seed=seed, space=space),
    "DNAS (paper)": lambda seed, space: DNASSampler(
        seed=seed, space=space, config=DNASConfig.paper()
    ),
    "Random": lambda seed, _: optuna.samplers.RandomSampler(seed=seed),
    "TPE": lambda seed, _: optuna.samplers.TPESampler(seed=seed),
    "GP": lambda seed, _: _gp(seed),
    "NSGA-II": lambda seed, _: optuna.samplers.NSGAIISampler(seed=seed),
}
