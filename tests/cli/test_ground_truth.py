"""Ranks, regrets and Pareto fronts of the digits' table."""

import numpy as np
import pytest

from optuna_dnas.cli._benchmarks import Bound
from optuna_dnas.cli._benchmarks import Goal
from optuna_dnas.cli._benchmarks import open_benchmark
from optuna_dnas.cli._ground_truth import GroundTruth
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.search_space import ModelSpec


TABLE = DigitsTable.load()
CELLS = [TABLE.cell(k) for k in range(len(TABLE))]


def truth_of(*metrics: str, maxima: tuple[Bound, ...] = ()) -> GroundTruth:
    goal = Goal(metrics=metrics, maxima=maxima)
    return GroundTruth(open_benchmark("digits", None, goal, train=False, device="cpu"), goal)


@pytest.mark.parametrize(
    ("metric", "sign"), [("validation_accuracy", -1), ("test_accuracy", -1), ("flops", 1)]
)
def test_ranks_count_the_better_cells(metric: str, sign: int) -> None:
    values = sign * np.round(TABLE.mean(metric), 9)
    truth = truth_of(metric)
    standings = [truth.standing(cell) for cell in CELLS]
    assert [s.rank for s in standings] == [1 + np.count_nonzero(values < v) for v in values]
    assert [s.regret for s in standings] == pytest.approx(values - values.min())
    assert {s.n_cells for s in standings} == {2_532}
    assert all((s.rank == 1) == (s.regret == 0) for s in standings)
    assert min(s.rank for s in standings) == 1


def test_limits_leave_out_the_cells_beyond() -> None:
    flops, values = TABLE.mean("flops"), TABLE.mean("validation_accuracy")
    limit = float(np.quantile(flops, 0.3))
    truth = truth_of("validation_accuracy", maxima=(Bound("flops", limit),))
    allowed = np.flatnonzero(flops <= limit)
    best = CELLS[allowed[values[allowed].argmax()]]
    assert truth.standing(best) == (1, len(allowed), 0.0)
    assert truth_of("validation_accuracy").standing(best).n_cells == len(CELLS)


def test_all_cells_have_the_whole_front() -> None:
    metrics = ("validation_accuracy", "flops")
    share = truth_of(*metrics).front_share(CELLS)
    assert (share.n_cells, share.n_on_front) == (len(CELLS), share.n_front)
    assert share.n_front == len(_sweep(*(np.round(TABLE.mean(m), 9) for m in metrics)))


def test_cells_off_the_front_do_not_count() -> None:
    values, flops = (np.round(TABLE.mean(m), 9) for m in ("validation_accuracy", "flops"))
    front = _sweep(values, flops)
    others = [k for k in range(len(CELLS)) if k not in front][:10]
    found: list[ModelSpec] = [CELLS[k] for k in (front[0], front[0], *others)]
    share = truth_of("validation_accuracy", "flops").front_share(found)
    assert share == (11, 1, len(front))


def _sweep(accuracies: np.ndarray, costs: np.ndarray) -> list[int]:
    """By ascending cost, what is more accurate than all that is cheaper."""
    front: list[int] = []
    best = -np.inf
    for cost in np.unique(costs):
        rows = np.flatnonzero(costs == cost)
        top = accuracies[rows].max()
        if top > best:
            front += rows[accuracies[rows] == top].tolist()
            best = top
    return front
