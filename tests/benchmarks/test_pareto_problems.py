"""The hypervolume of a search is a share of the table's."""

from collections.abc import Callable

import numpy as np
import optuna
import pytest

from benchmarks.pareto_problems import hypervolume
from benchmarks.pareto_problems import ParetoProblem
from benchmarks.problems import PROBLEMS
from optuna_dnas._typing import FloatArray
from optuna_dnas.benchmarking import run_search
from optuna_dnas.benchmarking import Search
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.strategies._hypervolume import non_dominated


def test_volume_of_a_known_front() -> None:
    values = np.array([[0.0, 2.0], [1.0, 1.0], [2.0, 0.0], [1.5, 1.5], [4.0, -9.0]])
    assert hypervolume(values, np.array([3.0, 3.0])) == pytest.approx(3 + 2 * 2 - 1 + 2 - 1 - 1)
    assert hypervolume(values, np.array([0.0, 0.0])) == 0.0


@pytest.mark.parametrize(
    ("name", "scale"), [("digits-pareto", np.log10), ("digits-pareto-linear", np.array)]
)
def test_all_cells_reach_all_of_the_volume(
    name: str, scale: Callable[[FloatArray], FloatArray]
) -> None:
    problem = PROBLEMS[name]()
    assert isinstance(problem, ParetoProblem)
    table = DigitsTable.load()
    values = np.stack([table.mean("validation_accuracy"), scale(table.mean("flops"))], axis=1)
    front = values[non_dominated(values * [-1.0, 1.0])]
    progress = problem.progress()
    shares = [progress.add(optuna.create_trial(values=list(map(float, v)))) for v in front]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert shares[0] < 0.9


@pytest.mark.parametrize("metrics", [["flops"], ["params", "training_time"]])
def test_search_reports_shares_that_grow(metrics: list[str]) -> None:
    objective = DigitsCellObjective(metrics=["validation_accuracy", *metrics])
    problem = ParetoProblem(objective, 0.7)
    random = optuna.samplers.RandomSampler
    record = run_search(
        Search("digits-pareto", "Random", 0, 40), problem, lambda seed, _: random(seed=seed)
    )
    assert all(len(values) == 1 + len(metrics) for values in record["values"])
    assert 0.2 < record["best"][-1] <= 1.0
    assert record["best"] == sorted(record["best"])
    assert (record["direction"], record["optimum"]) == ("MAXIMIZE", 1.0)
