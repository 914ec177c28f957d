"""The samplers that are compared, each as its authors ship it."""

from collections.abc import Callable
import warnings

import optuna
from optuna.samplers import BaseSampler

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler


def _gp(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.GPSampler(seed=seed)


CONTENDERS: dict[str, Callable[[int], BaseSampler]] = {
    "DNAS": lambda seed: DNASSampler(seed=seed),
    "DNAS (paper)": lambda seed: DNASSampler(seed=seed, config=DNASConfig.paper()),
    "Random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "TPE": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "GP": _gp,
    "NSGA-II": lambda seed: optuna.samplers.NSGAIISampler(seed=seed),
}
