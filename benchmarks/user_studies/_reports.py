"""What trials report while they run is not what they return.

Three parameters, ten steps, 80 trials; the truth is the distance from the optimum, without noise.
"""

from collections.abc import Callable
import functools
import itertools
import math
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.pruners import HyperbandPruner
from optuna.pruners import MedianPruner
from optuna.pruners import SuccessiveHalvingPruner
from optuna.pruners import WilcoxonPruner

from benchmarks.user_studies._case import Case


N_STEPS = 10
PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "median": MedianPruner,
    "halving": SuccessiveHalvingPruner,
    "hyperband": lambda: HyperbandPruner(min_resource=1, max_resource=N_STEPS, reduction_factor=3),
    "wilcoxon": lambda: WilcoxonPruner(p_threshold=0.1, n_startup_steps=2),
}
Curve = Callable[[float, np.ndarray, int], tuple[np.ndarray, float]]
"""Of a distance from the optimum, the noise of each step, and the seed of the study: (N_STEPS,)
what is reported, and what is returned."""

_NOISE = 0.02
_ACTIVATIONS = {"relu": 0.1, "gelu": 0.0, "tanh": 0.2}


class ReportedCase(Case):
    """A loss that is reported step by step, in one way or another.

    Args:
        seed: Of the noise.
        curve: Of `CURVES`.
        pruner: Of `PRUNERS`.
    """

    n_trials = 80

    def __init__(self, seed: int, curve: str, pruner: str) -> None:
        super().__init__(seed)
        self._curve, self._pruner = CURVES[curve], PRUNERS[pruner]

    def pruner(self) -> BasePruner:
        return self._pruner()

    def __call__(self, trial: optuna.Trial) -> float:
        trial.suggest_float("x", 0.0, 1.0)
        trial.suggest_float("rate", 1e-5, 1.0, log=True)
        trial.suggest_categorical("activation", list(_ACTIVATIONS))
        rng = np.random.default_rng([self.seed, trial.number])
        noise = _NOISE * rng.standard_normal(N_STEPS)
        reports, value = self._curve(_distance(trial.params), noise, self.seed)
        for step, report in enumerate(reports):
            trial.report(float(report), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(value)

    def truth(self, trial: optuna.trial.FrozenTrial) -> float:
        return _distance(trial.params)


def _distance(params: dict[str, Any]) -> float:
    rate = math.log10(params["rate"])
    loss: float = (params["x"] - 0.3) ** 2 + ((rate + 2) / 5) ** 2
    return loss + _ACTIVATIONS[params["activation"]]


def _first_fold(distance: float, noise: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """Cross-validation: the mean of the folds until now, of which the first is easy."""
    difficulty = np.where(np.arange(N_STEPS) == 0, -0.5, 0.05)
    means = (distance + difficulty + noise).cumsum() / np.arange(1, N_STEPS + 1)
    return means, means[-1]


def _sum(distance: float, noise: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """A loss that is summed over the steps, and returned as their sum."""
    sums = (0.1 + distance + noise).cumsum()
    return sums, sums[-1]


def _other_unit(distance: float, noise: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """A share is reported, percent are returned."""
    losses, value = _falling(0.1 + distance, noise, seed)
    return losses, 100 * value


def _rising(distance: float, noise: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """Steps are harder and harder: a curriculum, more and more classes."""
    losses = distance + 0.1 * np.arange(N_STEPS) + noise
    return losses, losses[-1]


def _instances(distance: float, noise: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """A loss on each of ten instances, some of them harder; returned is the mean."""
    difficulty = np.random.default_rng(seed).uniform(0.0, 1.0, N_STEPS)
    losses = distance + difficulty + noise
    return losses, losses.mean()


def _falling(distance: float, noise: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """A training as usual: the loss falls towards what is returned."""
    losses = distance + np.exp(-np.arange(N_STEPS) / 2) + noise
    return losses, losses[-1]


CURVES: dict[str, Curve] = {
    "first-fold": _first_fold,
    "sum": _sum,
    "other-unit": _other_unit,
    "rising": _rising,
    "instances": _instances,
    "falling": _falling,
}
REPORTS: dict[str, Callable[[int], Case]] = {
    f"{curve}-{pruner}": functools.partial(ReportedCase, curve=curve, pruner=pruner)
    for curve, pruner in itertools.product(CURVES, PRUNERS)
}
