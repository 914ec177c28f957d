"""Known numbers give known curves."""

import json
from pathlib import Path

from click.testing import CliRunner
import numpy as np

from benchmarks.report import Curve
from benchmarks.report import draw
from benchmarks.report import main
from benchmarks.report import make_curves
from optuna_dnas.benchmarking import load_comparisons
from tests.benchmarking.records import line
from tests.benchmarking.records import LINES


def test_curves_begin_with_the_reference() -> None:
    (comparison,) = load_comparisons(LINES)
    ours, theirs = make_curves(comparison)
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
    assert result.output.count("| DNAS    | 3    |") == 2
    assert {path.name for path in tmp_path.glob("*.html")} == {
        "curves-toy.html",
        "curves-other.html",
    }


def test_unknown_optimum_is_a_message(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    results.write_text(json.dumps(line("TPE", 0, [1.0], optimum=None)) + "\n")
    result = CliRunner().invoke(main, [str(results), "--regret"])
    assert result.exit_code == 1
    assert "Error: The optimum of toy is not known." in result.output


def test_it_tells_when_a_mean_reaches_a_value(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    results.write_text("".join(json.dumps(fields) + "\n" for fields in LINES))
    arguments = [str(results), "--at", "2", "--scale", "100", "--target", "500"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert "Queries until the mean is 500: DNAS: 2, TPE: not within 2." in result.output
    result = CliRunner().invoke(main, [*arguments[:-1], "8", "--regret", "--scale", "1"])
    assert "Queries until the mean is 8: DNAS: 2, TPE: 2." in result.output
