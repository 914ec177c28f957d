"""What a problem of the benchmarks is."""

import abc
from typing import Any

import optuna
from optuna.study import StudyDirection

from optuna_dnas.search_space import SearchSpace


class Problem(abc.ABC):
    """An objective with one value, and what is known about it.

    ``optimum`` is for reports: no sampler is told.
    """

    direction = StudyDirection.MINIMIZE
    space: SearchSpace[Any] | None = None
    optimum: float | None = None

    @abc.abstractmethod
    def __call__(self, trial: optuna.Trial) -> float:
        """The value to optimise; `optuna.TrialPruned` if the point is invalid."""

    def key(self, trial: optuna.trial.FrozenTrial) -> str:
        """Equal for trials that evaluated the same thing."""
        return repr(sorted(trial.params.items()))

    def reported(self, trial: optuna.trial.FrozenTrial) -> float:
        """What counts of the trial that is best by the value."""
        assert trial.value is not None
        return trial.value
