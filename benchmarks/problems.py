"""What is searched. A problem is made once in each process."""

from collections.abc import Callable
import os

import numpy as np
import optuna
from optuna.study import StudyDirection

from benchmarks._problem import Problem as Problem
from benchmarks.flat_problems import AnonymousCells
from benchmarks.flat_problems import CategoryTable
from benchmarks.flat_problems import Hartmann6
from benchmarks.flat_problems import Mixed
from benchmarks.flat_problems import Regression
from benchmarks.flat_problems import Sparse24
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.objectives import NASBench101Objective
from optuna_dnas.objectives import NASBench101Table


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


def _nasbench101(metric: str) -> NASBench101Objective:
    """Mean over the runs of 108 epochs."""
    path = os.environ.get("OPTUNA_DNAS_NASBENCH101")
    if path is None:
        raise SystemExit("Set OPTUNA_DNAS_NASBENCH101 to a NASBench-101 TFRecord or store.")
    return NASBench101Objective(NASBench101Table.open(path), metrics=[metric])


def _digits() -> DigitsCellObjective:
    """Mean over three trainings."""
    return DigitsCellObjective(metrics=["validation_accuracy"])


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "nasbench101-test": lambda: CellProblem(_nasbench101("test_accuracy")),
    "nasbench101-validation": lambda: CellProblem(
        _nasbench101("validation_accuracy"), "test_accuracy"
    ),
    "nasbench101-flat": lambda: AnonymousCells(_nasbench101("test_accuracy")),
    "digits": lambda: CellProblem(_digits()),
    "digits-flat": lambda: AnonymousCells(_digits()),
    "categories": CategoryTable,
    "regression": Regression,
    "hartmann6": Hartmann6,
    "mixed": Mixed,
    "sparse24": Sparse24,
}
