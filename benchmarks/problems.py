"""What is searched. A problem is made once in each process."""

import abc
from collections.abc import Callable
import math
import os
from typing import Any

import numpy as np
import optuna
from optuna.study import StudyDirection

from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.objectives import NASBench101Objective
from optuna_dnas.objectives import NASBench101Table
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


def _nasbench101(metric: str, reported: str | None = None) -> Problem:
    """Mean over the runs of 108 epochs."""
    path = os.environ.get("OPTUNA_DNAS_NASBENCH101")
    if path is None:
        raise SystemExit("Set OPTUNA_DNAS_NASBENCH101 to a NASBench-101 TFRecord or store.")
    objective = NASBench101Objective(NASBench101Table.open(path), metrics=[metric])
    return CellProblem(objective, reported)


class Hartmann6(Problem):
    """The six-dimensional Hartmann function on [0, 1]^6."""

    optimum = -3.32237
    _ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
    _A = np.array([
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ])
    _P = 1e-4 * np.array([
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ])

    def __call__(self, trial: optuna.Trial) -> float:
        x = np.array([trial.suggest_float(f"x{i}", 0.0, 1.0) for i in range(6)])
        exponents = (self._A * (x - self._P) ** 2).sum(axis=1)
        return float(-(self._ALPHA * np.exp(-exponents)).sum())


class Mixed(Problem):
    """Two floats (one logarithmic), an integer, a category, and a branch for one of them.

    The minimum is at rate 0.01, width 48, momentum 0.9 and the optimizer "sgd".
    """

    optimum = 0.0

    def __call__(self, trial: optuna.Trial) -> float:
        rate = trial.suggest_float("rate", 1e-5, 1.0, log=True)
        width = trial.suggest_int("width", 8, 128, step=8)
        optimizer = trial.suggest_categorical("optimizer", ["adam", "sgd", "rmsprop", "lion"])
        loss = (math.log10(rate) + 2) ** 2 / 4 + ((width - 48) / 60) ** 2
        if optimizer == "sgd":
            return loss + (trial.suggest_float("momentum", 0.0, 1.0) - 0.9) ** 2
        return loss + {"adam": 0.1, "rmsprop": 0.3, "lion": 0.5}[optimizer]


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "nasbench101-test": lambda: _nasbench101("test_accuracy"),
    "nasbench101-validation": lambda: _nasbench101("validation_accuracy", "test_accuracy"),
    "digits": lambda: CellProblem(DigitsCellObjective(metrics=["validation_accuracy"])),
    "hartmann6": Hartmann6,
    "mixed": Mixed,
}
