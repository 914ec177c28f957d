"""The page of the digits says what the table says."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import digits_page
from benchmarks import digits_statistics as statistics
from benchmarks.digits_page import make_page
from benchmarks.digits_pictures import draw_front
from benchmarks.digits_pictures import draw_noise
from benchmarks.digits_statistics import Cells
from benchmarks.digits_statistics import Group
from benchmarks.retrain_digits import differences
from optuna_dnas.objectives import DigitsTable


# Four cells with three runs.
RUNS = np.array([[0.1, 0.2, 0.3], [0.5, 0.4, 0.6], [0.4, 0.5, 0.6], [0.9, 0.8, 0.7]])
NOISE = np.random.default_rng(0).normal(0.5, 0.01, (4_000, 3))


@pytest.fixture(scope="module")
def cells() -> Cells:
    return Cells.of(DigitsTable.load())


def test_correlations_of_known_runs() -> None:
    # The second and third cells change places in the first two runs, and are equal in the third.
    swapped, tied = 0.8, np.sqrt(0.9)
    assert statistics.correlation_of_runs(RUNS) == pytest.approx((swapped + 2 * tied) / 3)
    assert statistics.correlation_left_out(RUNS) == pytest.approx((swapped + swapped + 1) / 3)
    assert statistics.correlation_in_top(np.tile(RUNS[:, :1], 3), 0.5) == pytest.approx(1)
    assert abs(statistics.correlation_in_top(NOISE, 0.5)) < 0.05


def test_spearman_brown_of_means() -> None:
    quality = np.random.default_rng(1).normal(0.5, 0.02, (len(NOISE), 1))
    runs = quality + np.random.default_rng(2).normal(0, 0.02, (len(NOISE), 6))
    means = runs.reshape(len(runs), 2, 3).mean(axis=2)
    single = statistics.correlation_of_runs(runs)
    predicted = statistics.spearman_brown(single, 3)
    assert predicted == pytest.approx(statistics.correlation_of_runs(means), abs=0.02)


def test_sd_of_runs_leaves_out_cells_and_seeds() -> None:
    assert statistics.sd_of_runs(NOISE) == pytest.approx(0.01, rel=0.05)
    cells, seeds = np.arange(4_000.0)[:, None], np.array([0.0, 1.0, 5.0])
    assert statistics.sd_of_runs(cells + seeds) == pytest.approx(0, abs=1e-9)
    assert statistics.sd_of_runs(cells + seeds + NOISE) == pytest.approx(0.01, rel=0.05)


def test_winners_of_a_lottery_fall_to_the_mean() -> None:
    fall = statistics.winners_fall(NOISE, 100)
    assert fall.chosen > 0.51
    assert fall.fresh == pytest.approx(0.5, abs=0.002)
    assert fall.rank == pytest.approx(2_000, rel=0.1)


def test_winners_without_luck_stay() -> None:
    fall = statistics.winners_fall(np.tile(RUNS[:, :1], 3), 2)
    assert fall.chosen == pytest.approx(0.7)
    assert fall.fresh == pytest.approx(0.7)
    assert fall.rank == 1.5


def test_front_is_of_cells_that_no_cheaper_one_equals() -> None:
    costs = np.array([3.0, 1.0, 2.0, 2.0, 4.0, 1.0])
    accuracies = np.array([0.7, 0.4, 0.6, 0.8, 0.9, 0.5])
    assert statistics.pareto_front(costs, accuracies).tolist() == [5, 3, 4]


def test_cells_near_the_best() -> None:
    accuracies = np.array([0.9, 0.8, 0.895, 0.7])
    assert [statistics.n_within(accuracies, margin) for margin in (0, 0.005, 0.1)] == [1, 2, 3]


def test_groups() -> None:
    assert statistics.group_by(["b", "a", "b"], np.array([0.25, 0.5, 0.75])) == [
        Group("a", 1, 0.5, 0.5),
        Group("b", 2, 0.5, 0.75),
    ]


def test_page_is_up_to_date(cells: Cells) -> None:
    written = Path(digits_page.__file__).with_name("digits.md").read_text("utf-8")
    assert make_page(DigitsTable.load(), cells) == written


def test_pictures_show_all_cells(cells: Cells) -> None:
    dots, front = draw_front(cells).data
    assert len(dots.x) == len(cells.specs)
    assert max(front.y) == 100 * cells.means.max()
    histogram, *_ = draw_noise(cells).data
    assert len(histogram.x) == len(cells.specs)


def test_cell_trained_again_gives_the_metrics_of_the_table() -> None:
    """To the last bit on the same CPU and version; elsewhere it has another seed, so to speak."""
    table = DigitsTable.load()
    spec = table.cell(0)
    found = dict(differences(table, spec))
    assert len(found) == 6
    assert max(found.values()) < 0.2
