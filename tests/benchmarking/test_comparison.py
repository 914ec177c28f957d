"""Known numbers give a known table."""

import subprocess
import sys

import numpy as np
import pytest

from optuna_dnas.benchmarking import format_mean
from optuna_dnas.benchmarking import format_p
from optuna_dnas.benchmarking import format_summary
from optuna_dnas.benchmarking import format_table
from optuna_dnas.benchmarking import load_comparisons

from .records import line
from .records import LINES


# Of differences 1, 2 and 3: t = 2 / (1 / sqrt(3)), with two degrees of freedom.
P = 0.5 - 0.5 * np.sqrt(12) / np.sqrt(2 + 12)


def test_table_of_known_numbers() -> None:
    (comparison,) = load_comparisons(LINES)
    assert format_table(comparison, (2, 3)).splitlines() == [
        "| sampler | runs | at 2 (p)    | at 3 (p) | invalid | repeated | sampling CPU s |",
        "| ------- | ---- | ----------- | -------- | ------- | -------- | -------------- |",
        "| DNAS    | 3    | 6.00 ± 0.58 | -        | 2.00    | 0.00     | 0.25           |",
        f"| TPE     | 3    | 4 ({P:.3f}".replace("0.0", ".0")
        + ")    | -        | 2.00    | 0.00     | 0.25           |",
    ]


def test_a_summary_has_a_line_for_each_problem() -> None:
    """With the ends of its runs, whoever took part."""
    alone = [r | {"problem": "other", "queries": 2, "best": r["best"][:2]} for r in LINES[:1]]
    comparisons = load_comparisons([*LINES, *alone])
    title, _, first, second = format_summary(comparisons).splitlines()
    names = [cell.strip() for cell in title.strip("|").split("|")]
    assert names == ["problem", "runs", "after", "DNAS", "TPE"]
    cells = [cell.strip() for cell in first.strip("|").split("|")]
    (comparison, _) = comparisons
    table = [line.split("|") for line in format_table(comparison, (2,)).splitlines()]
    assert cells[:3] == [comparison.name, "3", "2"]
    assert cells[3:] == [table[2][3].strip(), table[3][3].strip()]
    assert [cell.strip() for cell in second.strip("|").split("|")][:3] == ["other", "1", "2"]


def test_table_has_the_columns_that_are_asked_for() -> None:
    (comparison,) = load_comparisons(LINES)
    title, *_ = format_table(comparison, (1,), overheads=["invalid"]).splitlines()
    assert title == "| sampler | runs | at 1 (p)  | invalid |"


def test_infeasible_queries_are_shown_where_there_are_any() -> None:
    (comparison,) = load_comparisons([r | {"infeasible": r["seed"]} for r in LINES])
    title, _, first, *_ = format_table(comparison, (1,)).splitlines()
    assert title.split(" | ")[5].strip() == "infeasible"
    assert first.split(" | ")[5].strip() == "1.00"


@pytest.mark.parametrize("sampler", ["DNAS", "TPE"])
def test_no_p_of_a_sampler_alone(sampler: str) -> None:
    (comparison,) = load_comparisons([r for r in LINES if r["sampler"] == sampler])
    assert not comparison.is_tested
    assert "(" not in format_table(comparison, (2,))


@pytest.mark.parametrize(("is_minimized", "p"), [(False, P), (True, 1 - P)])
def test_p_is_that_ours_are_better(is_minimized: bool, p: float) -> None:
    ours, theirs = np.array([5.0, 6.0, 7.0]), np.array([4.0, 4.0, 4.0])
    assert format_p(ours, theirs, is_minimized=is_minimized) == f"{p:.3f}"[1:]


def test_extreme_p_is_readable() -> None:
    values = np.arange(20.0)
    better = values + 5 + np.sin(values)
    assert format_p(values, values, is_minimized=True) == "equal"
    assert format_p(values, values + 0.1, is_minimized=True) == "no spread"
    assert format_p(values, better, is_minimized=False) == ">.999"
    assert float(format_p(better, values, is_minimized=False)) < 1e-10


@pytest.mark.parametrize(
    ("mean", "error", "text"),
    [
        (0.941693, 0.00031, "0.94169 ± 0.00031"),
        (-3.04, 0.06, "-3.040 ± 0.060"),
        (1234.5, 321.0, "1234 ± 321"),
        (0.9, float("nan"), "0.9"),
        (0.9, 0.0, "0.9"),
    ],
)
def test_digits_of_a_mean_are_those_of_its_error(mean: float, error: float, text: str) -> None:
    assert format_mean(mean, error) == text


def test_regret_is_minimised() -> None:
    (comparison,) = load_comparisons(LINES, regret=True)
    assert comparison.is_minimized
    assert comparison.best["TPE"][0].tolist() == [9.0, 6.0]
    assert f"({P:.3f}".replace("0.", ".") in format_table(comparison, (2,))


def test_percentage_points_are_a_hundred_times_as_many() -> None:
    (comparison,) = load_comparisons(LINES, regret=True)
    (scaled,) = load_comparisons(LINES, regret=True, scale=100)
    assert scaled.best["TPE"][0].tolist() == [900.0, 600.0]
    assert f"({P:.3f}".replace("0.", ".") in format_table(scaled, (2,))
    assert scaled.overheads == comparison.overheads


def test_regret_needs_an_optimum() -> None:
    with pytest.raises(ValueError, match="toy"):
        load_comparisons([line("TPE", 0, [1.0], optimum=None)], regret=True)


def test_run_that_gave_up_keeps_what_it_had() -> None:
    (comparison,) = load_comparisons([line("TPE", 0, [1.0, 3.0], queries=4)])
    assert comparison.best["TPE"][0].tolist() == [1.0, 3.0, 3.0, 3.0]
    (comparison,) = load_comparisons([line("TPE", 0, [], queries=2)])
    assert np.isnan(comparison.best["TPE"][0]).all()
    assert "| -    |" in format_table(comparison, (2,))


def test_the_longest_run_of_a_seed_counts() -> None:
    (comparison,) = load_comparisons([line("TPE", 0, [1.0, 3.0]), line("TPE", 0, [2.0])])
    assert comparison.best["TPE"][0].tolist() == [1.0, 3.0]


def test_import_leaves_torch_and_scipy_alone() -> None:
    code = "import sys, optuna_dnas.benchmarking; print({'torch', 'scipy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
