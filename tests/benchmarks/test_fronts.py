"""What has been found of a front, measured from both ends."""

from pathlib import Path

from click.testing import CliRunner
import numpy as np
import optuna
import pytest

from benchmarks import fronts
from benchmarks.fronts import FIGURES
from benchmarks.fronts import TrueFront
from benchmarks.pareto_problems import ParetoProblem
from benchmarks.problems import PROBLEMS
from optuna_dnas._typing import FloatArray
from optuna_dnas.benchmarking import append_records
from optuna_dnas.benchmarking import run_search
from optuna_dnas.benchmarking import Search
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.strategies import non_dominated


def _problem(name: str) -> ParetoProblem:
    problem = PROBLEMS[name]()
    assert isinstance(problem, ParetoProblem)
    return problem


@pytest.fixture(scope="module")
def table() -> FloatArray:
    """(N, 2) accuracies and multiply-adds."""
    digits = DigitsTable.load()
    return np.stack([digits.mean("validation_accuracy"), digits.mean("flops")], axis=1)


def test_the_whole_front_is_all_that_there_is(table: FloatArray) -> None:
    front = table[non_dominated(table * [-1.0, 1.0])]
    values = np.concatenate([front, table[table[:, 1] == table[:, 1].min()]])
    measured = TrueFront(_problem("digits-pareto-linear")).measure(values)
    assert measured == pytest.approx((1.0, 1.0, 0.0, 1.0, 0.0))


def test_the_scale_that_a_search_was_told_makes_no_difference(table: FloatArray) -> None:
    some = table[np.random.default_rng(0).integers(0, len(table), 20)]
    logarithmic = np.column_stack([some[:, 0], np.log10(some[:, 1])])
    told_cost = TrueFront(_problem("digits-pareto-linear")).measure(some)
    told_logarithm = TrueFront(_problem("digits-pareto")).measure(logarithmic)
    assert told_cost == pytest.approx(told_logarithm)


def test_a_missing_end_shows(table: FloatArray) -> None:
    front = TrueFront(_problem("digits-pareto-linear"))
    cheap = table[table[:, 1] <= np.quantile(table[:, 1], 0.25)]
    in_log, in_cost, behind, cheapest, distance = front.measure(cheap)
    # What is cheap is nearly all of the volume over the logarithm, and less of that over the cost.
    assert in_log - in_cost > 0.02
    assert behind == pytest.approx(100 * (table[:, 0].max() - cheap[:, 0].max()))
    assert cheapest == 1.0
    assert distance > 0
    dear = table[table[:, 1] > np.quantile(table[:, 1], 0.75)]
    assert front.measure(dear)[3] == 0.0


def test_more_queries_are_never_worse(table: FloatArray) -> None:
    front = TrueFront(_problem("digits-pareto-linear"))
    some = table[np.random.default_rng(1).permutation(len(table))[:60]]
    measured = np.array([front.measure(some[:n]) for n in (5, 15, 60)])
    signs = np.array([-1 if figure.is_minimized else 1 for figure in FIGURES])
    assert (np.diff(measured * signs, axis=0) >= -1e-12).all()


def test_table_of_records(tmp_path: Path) -> None:
    path = tmp_path / "pareto.jsonl"
    problem = _problem("digits-pareto-linear")
    random = optuna.samplers.RandomSampler
    searches = [
        Search("digits-pareto-linear", sampler, seed, 20 + 5 * (sampler == "TPE"))
        for sampler in ("TPE", "DNAS")
        for seed in range(3)
    ]
    records = [
        run_search(search, problem, lambda seed, _: random(seed=seed)) for search in searches
    ]
    assert len(list(append_records(path, records))) == 6
    result = CliRunner().invoke(fronts.main, [str(path), "--at", "20", "--at", "25"])
    assert result.exit_code == 0, result.output
    _, _, *lines = result.output.splitlines()
    starts = [line.split("|")[1:5] for line in lines if line.startswith("|")]
    assert [[cell.strip() for cell in start] for start in starts] == [
        ["digits-pareto-linear", "20", "DNAS", "3"],
        ["digits-pareto-linear", "20", "TPE", "3"],
        ["digits-pareto-linear", "25", "TPE", "3"],
    ]
    # Both are the same searches.
    assert lines[1].count("(equal)") == len(FIGURES)
    assert lines[0].count("(") == lines[2].count("(") == 0


@pytest.mark.parametrize("line", ["", "no record"])
def test_a_file_without_fronts_is_an_error(tmp_path: Path, line: str) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text(line)
    result = CliRunner().invoke(fronts.main, [str(path), "--at", "20"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert path.name in result.output
