"""What a table of cells, each trained several times, says about itself.

N: cells, R: runs of a cell. Accuracies are shares, and higher is better.
"""

from collections.abc import Sequence
import itertools
from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.search_space import ModelSpec


class Cells(NamedTuple):
    """What the table knows; accuracies are of the validation part at the end, unless named."""

    specs: list[ModelSpec]
    flops: FloatArray  # (N,) multiply-adds
    params: FloatArray  # (N,)
    runs: FloatArray  # (N, R)
    means: FloatArray  # (N,)
    halfway: FloatArray  # (N,) means
    test: FloatArray  # (N,) means
    train: FloatArray  # (N,) means
    training_time: float  # seconds of all runs

    @classmethod
    def of(cls, table: DigitsTable) -> "Cells":
        """All of a table."""
        specs = [table.cell(i) for i in range(len(table))]
        runs = [
            [table.query(spec, repeat=r).validation_accuracy for r in range(table.n_repeats)]
            for spec in specs
        ]
        return cls(
            specs,
            flops=table.mean("flops"),
            params=table.mean("params"),
            runs=np.array(runs),
            means=table.mean("validation_accuracy").round(9),
            halfway=table.mean("validation_accuracy", stop="halfway"),
            test=table.mean("test_accuracy"),
            train=table.mean("train_accuracy"),
            training_time=float(table.mean("training_time").sum()) * table.n_repeats,
        )

    def ranked(self) -> list[int]:
        """Indices, the best first."""
        return [int(k) for k in np.argsort(-self.means, kind="stable")]


class Fall(NamedTuple):
    """How cells that were chosen by all runs but one do in that one, on average over the runs."""

    chosen: float  # accuracy in the runs that they were chosen by
    fresh: float  # accuracy in the run that was left out
    rank: float  # among all cells in the run that was left out, from 1


class Group(NamedTuple):
    """Cells that have something in common."""

    name: str
    n_cells: int
    mean: float
    best: float


def rank_correlation(a: FloatArray, b: FloatArray) -> float:
    """Spearman's, of two (N,)."""
    return float(spearmanr(a, b).statistic)


def correlation_of_runs(
    runs: FloatArray,  # (N, R)
) -> float:
    """Mean over all pairs of runs."""
    pairs = itertools.combinations(runs.T, 2)
    return float(np.mean([rank_correlation(a, b) for a, b in pairs]))


def correlation_left_out(
    runs: FloatArray,  # (N, R)
) -> float:
    """A run with the mean of the others; mean over all choices of the run."""
    return float(np.mean([rank_correlation(run, rest) for run, rest in _left_out(runs)]))


def correlation_in_top(
    runs: FloatArray,  # (N, 3)
    share: float,
) -> float:
    """Of two runs among the cells that are best in the third, which favours neither of them."""
    n_top = round(share * len(runs))
    correlations = []
    for k in range(3):
        top = np.argsort(-runs[:, k], kind="stable")[:n_top]
        correlations.append(correlation_of_runs(np.delete(runs[top], k, axis=1)))
    return float(np.mean(correlations))


def spearman_brown(correlation: float, n: int) -> float:
    """Of means of ``n`` runs with those of ``n`` others, from that of single ones."""
    return n * correlation / (1 + (n - 1) * correlation)


def sd_of_runs(
    runs: FloatArray,  # (N, R)
) -> float:
    """Of one cell, without what a seed does to all of them."""
    n_cells, n_runs = runs.shape
    residuals = runs - runs.mean(axis=0) - runs.mean(axis=1, keepdims=True) + runs.mean()
    return float(np.sqrt((residuals**2).sum() / ((n_cells - 1) * (n_runs - 1))))


def winners_fall(
    runs: FloatArray,  # (N, R)
    n_chosen: int,
) -> Fall:
    """What is left of the lead of the best ``n_chosen`` cells once luck is no longer chosen."""
    falls = []
    for run, rest in _left_out(runs):
        chosen = np.argsort(-rest, kind="stable")[:n_chosen]
        ranks = 1 + (run > run[chosen, None]).sum(axis=1)
        falls.append((rest[chosen].mean(), run[chosen].mean(), ranks.mean()))
    return Fall(*np.mean(falls, axis=0).tolist())


def pareto_front(
    costs: FloatArray,  # (N,)
    accuracies: FloatArray,  # (N,)
) -> IntArray:
    """Indices, by ascending cost, of the cells that are more accurate than all cheaper ones."""
    order = np.lexsort((-accuracies, costs))
    before = np.maximum.accumulate(np.append(-np.inf, accuracies[order][:-1]))
    front: IntArray = order[accuracies[order] > before]
    return front


def n_within(
    accuracies: FloatArray,  # (N,)
    margin: float,
) -> int:
    """How many cells are no further than ``margin`` from the best, which counts too."""
    # A mean of shares has rounding errors, and a margin may be met exactly.
    return int((accuracies.max() - accuracies <= margin + 1e-9).sum())


def group_by(
    labels: Sequence[str],
    accuracies: FloatArray,  # (N,)
) -> list[Group]:
    """The cells of every label, sorted by label."""
    names = np.array(labels)
    members = {name: accuracies[names == name] for name in sorted(set(labels))}
    return [
        Group(name, len(values), float(values.mean()), float(values.max()))
        for name, values in members.items()
    ]


def _left_out(runs: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """(N,) every run and the mean of the others."""
    return [(runs[:, k], np.delete(runs, k, axis=1).mean(axis=1)) for k in range(runs.shape[1])]
