"""Known numbers give a known table, and known curves."""

import json
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner
import numpy as np
import pytest

from benchmarks.report import Curve
from benchmarks.report import draw
from benchmarks.report import format_mean
from benchmarks.report import format_p
from benchmarks.report import format_table
from benchmarks.report import load_problems
from benchmarks.report import main
from benchmarks.report import make_curves


def line(sampler: str, seed: int, best: list[float], **fields: Any) -> dict[str, Any]:
    defaults = {
        "problem": "toy",
        "sampler": sampler,
        "seed": seed,
        "queries": len(best),
        "direction": "MAXIMIZE",
        "optimum": 10.0,
        "best": best,
        "invalid": 2,
        "repeated": 0,
        "sampling_cpu_seconds": 0.25,
    }
    return defaults | fields


# The differences at the end are 1, 2 and 3: t = 2 / (1 / sqrt(3)), with two degrees of freedom.
LINES = [line("TPE", seed, [1.0, 4.0]) for seed in range(3)]
LINES += [line("DNAS", seed, [1.0, 5.0 + seed]) for seed in range(3)]
P = 0.5 - 0.5 * np.sqrt(12) / np.sqrt(2 + 12)


def test_table_of_known_numbers() -> None:
    (problem,) = load_problems(LINES)
    assert format_table(problem, (2, 3)).splitlines() == [
        "| sampler | runs | at 2 (p) | at 3 (p) | invalid | repeated | sampling CPU s |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| DNAS | 3 | 6.00 ± 0.58 | - | 2.00 | 0.00 | 0.25 |",
        f"| TPE | 3 | 4 ({P:.3f}".replace("0.0", ".0") + ") | - | 2.00 | 0.00 | 0.25 |",
    ]


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
    (problem,) = load_problems(LINES, regret=True)
    assert problem.is_minimized
    assert problem.best["TPE"][0].tolist() == [9.0, 6.0]
    assert f"({P:.3f}".replace("0.", ".") in format_table(problem, (2,))


def test_regret_needs_an_optimum() -> None:
    with pytest.raises(click.ClickException, match="toy"):
        load_problems([line("TPE", 0, [1.0], optimum=None)], regret=True)


def test_run_that_gave_up_keeps_what_it_had() -> None:
    (problem,) = load_problems([line("TPE", 0, [1.0, 3.0], queries=4)])
    assert problem.best["TPE"][0].tolist() == [1.0, 3.0, 3.0, 3.0]
    (problem,) = load_problems([line("TPE", 0, [], queries=2)])
    assert np.isnan(problem.best["TPE"][0]).all()
    assert "| - |" in format_table(problem, (2,))


def test_the_longest_run_of_a_seed_counts() -> None:
    (problem,) = load_problems([line("TPE", 0, [1.0, 3.0]), line("TPE", 0, [2.0])])
    assert problem.best["TPE"][0].tolist() == [1.0, 3.0]


def test_curves_begin_with_the_reference() -> None:
    (problem,) = load_problems(LINES)
    ours, theirs = make_curves(problem)
    assert (ours.sampler, theirs.sampler) == ("DNAS", "TPE")
    np.testing.assert_allclose(ours.mean, [1.0, 6.0])
    np.testing.assert_allclose(ours.error, [0.0, 1 / np.sqrt(3)])


def test_band_of_a_regret_stays_above_zero() -> None:
    curve = Curve("DNAS", np.array([1.0, 0.5]), np.array([2.0, 0.1]))
    band, mean = draw("toy", [curve], is_regret=True).data
    np.testing.assert_allclose(mean.y, [1.0, 0.5])
    np.testing.assert_allclose(band.x, [1, 2, 2, 1])
    np.testing.assert_allclose(band.y, [3.0, 0.6, 0.4, 0.1])


def test_each_problem_has_its_picture(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    others = [fields | {"problem": "other"} for fields in LINES]
    results.write_text("".join(json.dumps(fields) + "\n" for fields in LINES + others))
    arguments = [str(results), "--at", "2", "--plot", str(tmp_path / "curves.html")]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.output.count("| DNAS | 3 |") == 2
    assert {path.name for path in tmp_path.glob("*.html")} == {
        "curves-toy.html",
        "curves-other.html",
    }
