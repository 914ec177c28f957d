"""Architectures together with hyperparameters, the best of which depend on nothing.

What is lost by a hyperparameter is a formula; the accuracies of the cells were measured.
"""

from collections.abc import Callable
import functools
import math
from typing import Any

import numpy as np
import optuna
from optuna.study import StudyDirection

from benchmarks.user_studies._case import Case
from benchmarks.user_studies._costs import evaluate
from benchmarks.user_studies._costs import suggest
from optuna_dnas.objectives import DigitsCellObjective


# Name, range, the best value, and what a factor of ten costs, squared.
_RATE = ("rate", (1e-5, 1e1), 1e-2, 0.02)
_DECAY = ("decay", (1e-7, 1e-1), 1e-4, 0.005)


class Together(Case):
    """Accuracy of digits' cells, less what a learning rate and a weight decay cost.

    Args:
        seed: Not used.
        with_decay: Whether there is a weight decay.
        is_anonymous: Whether the parameters of a cell have names that do not tell what they are.
    """

    n_trials = 100
    direction = StudyDirection.MAXIMIZE

    def __init__(self, seed: int, *, with_decay: bool = False, is_anonymous: bool = False) -> None:
        super().__init__(seed)
        self._objective = DigitsCellObjective()
        self._parameters = [_RATE, _DECAY] if with_decay else [_RATE]
        self._is_anonymous = is_anonymous
        self.space = self._objective.space
        self.optimum = float(np.nanmax(self._objective.table.mean("validation_accuracy")))

    def __call__(self, trial: optuna.Trial) -> float:
        params = suggest(trial, self._objective, is_anonymous=self._is_anonymous)
        loss = 0.0
        for name, (low, high), best, weight in self._parameters:
            value = trial.suggest_float(name, low, high, log=True)
            loss += weight * math.log10(value / best) ** 2
        return evaluate(self._objective, params) - loss

    def notes(self, trials: list[optuna.trial.FrozenTrial]) -> dict[str, float]:
        """How many decades hyperparameters are from their best in the second half, the median."""
        late = trials[len(trials) // 2 :]
        return {
            f"decades of {name}": _median_distance(late, name, best)
            for name, _, best, _ in self._parameters
        }


def _median_distance(trials: list[optuna.trial.FrozenTrial], name: str, best: float) -> float:
    values: list[Any] = [trial.params[name] for trial in trials if name in trial.params]
    return float(np.median(np.abs(np.log10(values) - math.log10(best))))


TOGETHER: dict[str, Callable[[int], Case]] = {
    f"cell-rate{'-decay' * with_decay}{'-anonymous' * is_anonymous}": functools.partial(
        Together, with_decay=with_decay, is_anonymous=is_anonymous
    )
    for with_decay in (False, True)
    for is_anonymous in (False, True)
}
