"""How good the result of a search is among all cells of a table.

N: cells within the limits, M: metrics. Values are minimised.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from optuna_dnas._trials import signs_of
from optuna_dnas._typing import FloatArray
from optuna_dnas.cli._benchmarks import Benchmark
from optuna_dnas.cli._benchmarks import Goal
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.strategies import non_dominated


# The mean of the same runs in another order may differ in its last bits.
_DECIMALS = 9


class Standing(NamedTuple):
    """Of a cell by one metric."""

    rank: int  # from 1; equal cells share the better rank
    n_cells: int
    regret: float  # what it lacks to the best, in units of the metric


class FrontShare(NamedTuple):
    """Of some cells and the Pareto front of the table."""

    n_cells: int
    n_on_front: int
    n_front: int


class GroundTruth:
    """What all cells within the limits are worth, for judging a search that has ended.

    Args:
        benchmark: Its table has the answers; what a study itself has trained does not count.
        goal: The metrics, and the limits.
    """

    def __init__(self, benchmark: Benchmark, goal: Goal) -> None:
        self._objective = benchmark.objective
        self._metrics = goal.metrics
        self._signs = signs_of(self._objective.directions)
        table = self._objective.table
        means = np.stack([table.mean(name) for name in goal.metrics], axis=1)
        known = ~np.isnan(means).any(axis=1)
        limits, cost_names = goal.limits, self._objective.space.cost_names
        if limits:
            costs = np.stack([table.mean(name) for name in cost_names], axis=1)
            known &= limits.allow(costs, cost_names)
        self._values = self._minimized(means[known])  # (N, M)

    @classmethod
    def of(cls, benchmark: Benchmark, goal: Goal) -> "GroundTruth | None":
        """`None` if it is about what the table does not tell.

        That is latency; and the costs of cells as proposed, where the table's are others.
        """
        cost_names = benchmark.objective.space.cost_names
        about_costs = bool(goal.limits) or not {*cost_names}.isdisjoint(goal.metrics)
        if goal.needs_latency or (about_costs and not benchmark.knows_costs):
            return None
        return cls(benchmark, goal)

    def standing(self, spec: ModelSpec) -> Standing:
        """Where a cell stands, by the only metric."""
        gaps = self._value(spec)[0] - self._values[:, 0]
        rank = 1 + int(np.count_nonzero(gaps > 0))
        return Standing(rank, len(gaps), max(0.0, float(gaps.max(initial=0.0))))

    def front_share(self, specs: Iterable[ModelSpec]) -> FrontShare:
        """How many cells nothing in the table dominates."""
        found = {spec.hash(): self._value(spec) for spec in specs}
        front = self._values[non_dominated(self._values)]
        both = np.concatenate([front, *(value[None] for value in found.values())])
        n_on_front = int(np.count_nonzero(non_dominated(both) >= len(front)))
        return FrontShare(len(found), n_on_front, len(front))

    def _value(self, spec: ModelSpec) -> FloatArray:
        """(M,) of one cell; its costs are those of the cell as it was proposed."""
        measured, cost = self._objective.table.query(spec), self._objective.space.cost(spec)
        by_name = measured.by_name() | dict(cost or {})
        return self._minimized(np.array([by_name[n] for n in self._metrics], dtype=float))

    def _minimized(self, means: FloatArray) -> FloatArray:
        return np.round(self._signs * means, _DECIMALS)
