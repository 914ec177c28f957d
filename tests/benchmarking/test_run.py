"""A search counts queries as the protocol of the benchmarks says."""

import json
import math
from typing import Any

import optuna
import pytest

from optuna_dnas.benchmarking import _run
from optuna_dnas.benchmarking import CellProblem
from optuna_dnas.benchmarking import Problem
from optuna_dnas.benchmarking import run_search
from optuna_dnas.benchmarking import SamplerFactory
from optuna_dnas.benchmarking import SAMPLERS
from optuna_dnas.benchmarking import Search
from optuna_dnas.objectives import DigitsCellObjective


class Steps(Problem):
    """Ten points, of which the odd ones are invalid."""

    optimum = 0.0

    def __call__(self, trial: optuna.Trial) -> float:
        x = trial.suggest_int("x", 0, 9)
        if x % 2:
            raise optuna.TrialPruned
        return float(x)


class Held(Steps):
    """Chooses by the value, and reports another metric."""

    def reported(self, trial: optuna.trial.FrozenTrial) -> float:
        return 10.0 * trial.params["x"] + trial.number


class Scripted(optuna.samplers.RandomSampler):
    """Proposes what it was told to."""

    def __init__(self, xs: tuple[int, ...]) -> None:
        super().__init__()
        self._xs = xs

    def sample_independent(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial, *_: object
    ) -> int:
        return self._xs[trial.number]


def proposing(*xs: int) -> SamplerFactory:
    return lambda seed, space: Scripted(xs)


def search(problem: Problem, n_queries: int, *xs: int) -> dict[str, Any]:
    return run_search(Search("steps", "script", 0, n_queries), problem, proposing(*xs))


def test_invalid_and_repeated_points_cost_no_query() -> None:
    record = search(Steps(), 3, 1, 4, 4, 6, 3, 2, 6)
    assert record["values"] == [4.0, 6.0, 2.0]
    assert record["best"] == [4.0, 4.0, 2.0]
    assert (record["invalid"], record["repeated"]) == (2, 1)


def test_incumbent_is_chosen_by_the_value_and_reported_by_another_metric() -> None:
    record = search(Held(), 4, 4, 6, 4, 2, 8)
    assert record["best"] == [40.0, 40.0, 23.0, 23.0]


class Limited(Steps):
    """Points above 5 break a limit."""

    def __call__(self, trial: optuna.Trial) -> float:
        value = super().__call__(trial)
        trial.set_constraint("limit", value - 5)
        return -value


def test_what_breaks_a_constraint_is_a_query_but_never_the_best() -> None:
    record = search(Limited(), 4, 8, 2, 6, 4)
    assert record["values"] == [-8.0, -2.0, -6.0, -4.0]
    assert math.isnan(record["best"][0])
    assert record["best"][1:] == [-2.0, -2.0, -4.0]
    assert record["infeasible"] == 2


def test_search_of_few_points_ends() -> None:
    wanted = Search("steps", "Random", 0, 8)
    record = run_search(wanted, Steps(), SAMPLERS["Random"])
    assert sorted(record["values"]) == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert record["best"][-1] == 0.0
    assert record["invalid"] + record["repeated"] >= _run.MAX_FUTILE


def test_search_ends_after_so_many_futile_proposals() -> None:
    record = search(Steps(), 5, 4, *[4] * 150, 6, *[1] * 150, *[6] * 50)
    assert record["values"] == [4.0, 6.0]
    assert (record["invalid"], record["repeated"]) == (150, 200)


def test_record_is_json_and_says_which_search() -> None:
    record = search(Steps(), 1, 4)
    assert json.loads(json.dumps(record)) == record
    assert Search.of(record) == ("steps", "script", 0, 1)
    assert list(record) == [
        "problem",
        "sampler",
        "seed",
        "queries",
        "direction",
        "optimum",
        "values",
        "best",
        "flops",
        "invalid",
        "repeated",
        "infeasible",
        "sampling_cpu_seconds",
        "machine",
    ]


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_one_seed_is_one_search(sampler: str) -> None:
    problem = CellProblem(DigitsCellObjective(metrics=["validation_accuracy"]))
    one, two, other = (
        run_search(Search("digits", sampler, seed, 6), problem, SAMPLERS[sampler])
        for seed in (0, 0, 1)
    )
    assert one["values"] == two["values"] != other["values"]
    assert len(one["values"]) == 6
    assert one["best"][-1] == max(one["values"])
    assert one["direction"] == "MAXIMIZE"


def test_objective_does_not_count_as_sampling() -> None:
    class Slow(Steps):
        def __call__(self, trial: optuna.Trial) -> float:
            x = trial.suggest_int("x", 0, 9)
            return float(sum(k % (x + 1) for k in range(3_000_000)))

    assert search(Slow(), 3, 1, 2, 3)["sampling_cpu_seconds"] < 0.1
