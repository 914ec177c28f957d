"""What a problem is that samplers are compared on."""

import abc
from collections.abc import Sequence
import math
from typing import Any

import numpy as np
import optuna
from optuna.study import StudyDirection

from optuna_dnas._trials import is_feasible
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.objectives import NASBench101Objective
from optuna_dnas.search_space import SearchSpace


class Problem(abc.ABC):
    """An objective, and what is known about it.

    ``direction`` and ``optimum`` are those of the number that is reported; no sampler is told.
    """

    direction = StudyDirection.MINIMIZE
    space: SearchSpace[Any] | None = None
    optimum: float | None = None

    @abc.abstractmethod
    def __call__(self, trial: optuna.Trial) -> float | Sequence[float]:
        """What to optimise; `optuna.TrialPruned` if the point is invalid."""

    @property
    def directions(self) -> list[StudyDirection]:
        """Of the objectives."""
        return [self.direction]

    def key(self, trial: optuna.trial.FrozenTrial) -> str:
        """Equal for trials that evaluated the same thing."""
        return repr(sorted(trial.params.items()))

    def reported(self, trial: optuna.trial.FrozenTrial) -> float:
        """What counts of the trial that is best by the value."""
        assert trial.value is not None
        return trial.value

    def progress(self) -> "Progress":
        """Of a new search."""
        return Incumbent(self)


class Progress(abc.ABC):
    """What a search has reached, query by query."""

    @abc.abstractmethod
    def add(self, trial: optuna.trial.FrozenTrial) -> float:
        """Take in a query; what is reported of all until now, NaN if that is nothing."""


class Incumbent(Progress):
    """The best feasible value until now."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._sign = -1 if problem.direction == StudyDirection.MAXIMIZE else 1
        self._lowest = math.inf
        self._reported = math.nan

    def add(self, trial: optuna.trial.FrozenTrial) -> float:
        assert trial.value is not None
        if is_feasible(trial) and self._sign * trial.value < self._lowest:
            self._lowest = self._sign * trial.value
            self._reported = self._problem.reported(trial)
        return self._reported


class CellProblem(Problem):
    """The accuracy of cells of a table.

    Args:
        objective: Has the metric that chooses.
        reported: The metric that counts; by default the same.
    """

    direction = StudyDirection.MAXIMIZE

    def __init__(
        self,
        objective: DigitsCellObjective | NASBench101Objective,
        reported: str | None = None,
    ) -> None:
        self._objective = objective
        self._reported = reported
        self.space = objective.space
        (metric,) = objective.metric_names
        self.optimum = float(np.nanmax(objective.table.mean(reported or metric)))

    def __call__(self, trial: optuna.Trial) -> float:
        value = self._objective(trial)
        assert isinstance(value, float)
        return value

    def key(self, trial: optuna.trial.FrozenTrial) -> str:
        """The hash: isomorphic cells are one query."""
        return str(trial.user_attrs.get("architecture_hash"))

    def reported(self, trial: optuna.trial.FrozenTrial) -> float:
        if self._reported is None:
            return super().reported(trial)
        return float(trial.user_attrs[self._reported])
