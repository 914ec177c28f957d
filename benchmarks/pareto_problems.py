"""Problems of several objectives: what is reported is the hypervolume.

N: cells, M: objectives.
"""

from collections.abc import Callable
from collections.abc import Sequence

import numpy as np
import optuna
from optuna.study import StudyDirection

from optuna_dnas._optuna_compat import compute_hypervolume
from optuna_dnas._typing import FloatArray
from optuna_dnas.benchmarking import Problem
from optuna_dnas.benchmarking import Progress
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.objectives import NASBench101Objective


class ParetoProblem(Problem):
    """Accuracy against costs, of which the logarithm counts, or what they are.

    Reported is the share of the hypervolume of the table's front that has been reached. Costs of
    NASBench-101 depend a little on the vertex order: the front's are those of the table's cells.

    Args:
        objective: Of an accuracy and costs, in this order.
        least_accuracy: Of the reference point, which has the largest costs of the table.
        logarithmic: Whether the logarithm of a cost counts.
    """

    direction = StudyDirection.MAXIMIZE
    optimum = 1.0

    def __init__(
        self,
        objective: DigitsCellObjective | NASBench101Objective,
        least_accuracy: float,
        *,
        logarithmic: bool = True,
    ) -> None:
        self._objective = objective
        self._scale: Callable[[FloatArray], FloatArray] = np.log10 if logarithmic else np.asarray
        self.space = objective.space
        means = [objective.table.mean(name) for name in objective.metric_names]
        values = np.stack([-means[0], *map(self._scale, means[1:])], axis=1)  # (N, M), minimised
        self.table = values[~np.isnan(values).any(axis=1)]
        self.is_logarithmic = logarithmic
        self.reference = np.append(-least_accuracy, self.table[:, 1:].max(axis=0))
        self.volume = hypervolume(self.table, self.reference)

    @property
    def directions(self) -> list[StudyDirection]:
        return self._objective.directions

    def __call__(self, trial: optuna.Trial) -> Sequence[float]:
        values = self._objective(trial)
        assert isinstance(values, tuple)
        accuracy, *costs = values
        return accuracy, *self._scale(np.array(costs)).tolist()

    def key(self, trial: optuna.trial.FrozenTrial) -> str:
        """The hash: isomorphic cells are one query."""
        return str(trial.user_attrs.get("architecture_hash"))

    def progress(self) -> Progress:
        return _Front(self)


class _Front(Progress):
    """The hypervolume of all queries, as a share of the table's."""

    def __init__(self, problem: ParetoProblem) -> None:
        self._problem = problem
        self._values: list[list[float]] = []

    def add(self, trial: optuna.trial.FrozenTrial) -> float:
        accuracy, *costs = trial.values
        self._values.append([-accuracy, *costs])
        return hypervolume(np.array(self._values), self._problem.reference) / self._problem.volume


def hypervolume(
    values: FloatArray,  # (N, M), minimised
    reference: FloatArray,  # (M,)
) -> float:
    """Of what is better than the reference in all objectives."""
    inside = values[(values < reference).all(axis=1)]
    return float(compute_hypervolume(inside, reference)) if len(inside) else 0.0
