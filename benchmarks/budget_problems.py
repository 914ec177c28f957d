"""Accuracy within a budget.

What limits of multiply-adds and optima are, computed from the table in seconds:

    python -m benchmarks.budget_problems nasbench_only108.tfrecord
"""

from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import optuna

from benchmarks.flat_problems import AnonymousCells
from optuna_dnas._typing import FloatArray
from optuna_dnas.benchmarking import CellProblem
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.objectives import NASBench101Objective
from optuna_dnas.objectives import NASBench101Table
from optuna_dnas.search_space import NASBench101Space


class Budget(NamedTuple):
    """A limit of multiply-adds, and the best that it allows."""

    max_flops: int
    best_test_accuracy: float  # mean over the runs of 108 epochs


# By percentile of the multiply-adds of all 423,624 cells in canonical vertex order: the costs of
# so many percent of them, the limit included.
BUDGETS = {
    10: Budget(251_008_000, 0.9275173611),
    25: Budget(432_753_152, 0.9349626068),
    50: Budget(787_878_912, 0.9384014423),
    75: Budget(1_601_573_888, 0.9404714209),
}
_CHUNK = 20_000


class BudgetProblem(CellProblem):
    """Mean test accuracy with limits of multiply-adds.

    Args:
        table: Of NASBench-101.
        percentile: Of `BUDGETS`, the upper limit.
        least: Of `BUDGETS`, the lower limit of a band. The best cell of each of these bands is
            the best below its upper limit.
    """

    def __init__(
        self, table: NASBench101Table, percentile: int, *, least: int | None = None
    ) -> None:
        budget = BUDGETS[percentile]
        low = None if least is None else BUDGETS[least].max_flops
        super().__init__(
            NASBench101Objective(
                table,
                metrics=["test_accuracy"],
                limits={"flops": (low, budget.max_flops)},
            )
        )
        self.optimum = budget.best_test_accuracy


class AnonymousBudgetProblem(AnonymousCells):
    """Accuracy of digits' cells as plain categories, with a limit that only a query tells.

    Args:
        percentile: Of the multiply-adds of all cells, the limit.
    """

    def __init__(self, percentile: int) -> None:
        metric = "validation_accuracy"
        table = DigitsTable.load()
        flops, accuracies = table.mean("flops"), table.mean(metric)
        limit = np.quantile(flops, percentile / 100, method="lower")
        objective = DigitsCellObjective(metrics=[metric], limits={"flops": float(limit)})
        super().__init__(objective, optimum=float(accuracies[flops <= limit].max()))


class TimeBudgetProblem(CellProblem):
    """Accuracy of digits' cells with a limit of training time, which only a query tells.

    The space is declared, and does not know times. They were measured, and are noisy.

    Args:
        percentile: Of the training times of all cells, the limit.
    """

    def __init__(self, percentile: int) -> None:
        metric = "validation_accuracy"
        super().__init__(DigitsCellObjective(metrics=[metric]))
        table = self._objective.table
        seconds, accuracies = table.mean("training_time"), table.mean(metric)
        self._limit = float(np.quantile(seconds, percentile / 100, method="lower"))
        self.optimum = float(accuracies[seconds <= self._limit].max())

    def __call__(self, trial: optuna.Trial) -> float:
        value = super().__call__(trial)
        trial.set_constraint("seconds", trial.user_attrs["training_time"] - self._limit)
        return value


def canonical_flops(table: NASBench101Table) -> FloatArray:
    """(N,) multiply-adds of all cells of a table, as a sampler that knows the space has them."""
    space = NASBench101Space()
    chunks = [slice(k, k + _CHUNK) for k in range(0, len(table), _CHUNK)]
    canonical = (space.canonicalize(table.tokens(rows))[0] for rows in chunks)
    return np.concatenate([space.token_costs(tokens)[:, 0] for tokens in canonical])


@click.command()
@click.argument("table", type=click.Path(path_type=Path))
def main(table: Path) -> None:
    """Print what `BUDGETS` says, of limits and of the bands between them."""
    opened = NASBench101Table.open(table)
    flops, accuracies = canonical_flops(opened), opened.mean("test_accuracy")
    below = 0
    for percentile in BUDGETS:
        limit = int(np.quantile(flops, percentile / 100, method="lower"))
        best = np.nanmax(accuracies[flops <= limit])
        best_in_band = np.nanmax(accuracies[(flops >= below) & (flops <= limit)])
        click.echo(f"{percentile}: {limit:,} {best:.10f}, in the band {best_in_band:.10f}")
        below = limit


if __name__ == "__main__":
    main()
