"""What a Gaussian process regresses on."""

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import rankdata

from optuna_dnas.controller.predictors._gaussian_process import half_rank_scores
from optuna_dnas.controller.predictors._gaussian_process import normal_scores


def test_normal_scores_of_ranks() -> None:
    values = np.array([3.0, -np.inf, 7.0, np.inf, 3.0, 1e300])
    scores = normal_scores(values)
    expected = ndtri((rankdata(values) - 0.5) / 6)
    np.testing.assert_allclose(scores, (expected - expected.mean()) / expected.std())


@pytest.mark.parametrize("to_targets", [normal_scores, half_rank_scores])
def test_equal_values_have_no_scores(to_targets) -> None:  # type: ignore[no-untyped-def]
    np.testing.assert_array_equal(to_targets(np.full(4, 5.0)), np.zeros(4))
    np.testing.assert_array_equal(to_targets(np.array([5.0])), np.zeros(1))


def test_the_better_half_keeps_its_distances() -> None:
    values = np.random.default_rng(0).standard_normal(41)
    scores = half_rank_scores(values)
    good = np.argsort(values)[:21]
    slope, rest = np.polyfit(values[good], scores[good], 1)
    assert slope > 0
    np.testing.assert_allclose(scores[good], slope * values[good] + rest, atol=1e-12)


def test_how_bad_a_bad_value_is_does_not_matter() -> None:
    values = np.random.default_rng(0).standard_normal(40)
    worse = np.where(values > np.median(values), np.exp(9 * values), values)
    worse[values.argmax()] = np.inf
    np.testing.assert_allclose(half_rank_scores(worse), half_rank_scores(values))


def test_of_normal_values_both_scores_are_alike() -> None:
    values = ndtri((np.arange(400) + 0.5) / 400)
    np.testing.assert_allclose(half_rank_scores(values), normal_scores(values), atol=1e-9)


def test_the_number_of_equal_values_does_not_matter() -> None:
    values = np.random.default_rng(0).standard_normal(30)
    repeated = np.append(values, np.full(20, values.min()))
    scores = half_rank_scores(repeated)
    once, again = np.polyfit(half_rank_scores(values), scores[:30], 1), scores[30:]
    np.testing.assert_allclose(again, scores[values.argmin()])
    np.testing.assert_allclose(scores[:30], np.polyval(once, half_rank_scores(values)))


@pytest.mark.parametrize(
    "values", [[-np.inf, 1.0, 2.0, 3.0], [1.0, np.inf], [-np.inf, np.inf], [-1e308, 0.0, 1e308]]
)
def test_extreme_values_have_finite_scores_in_their_order(values: list[float]) -> None:
    scores = half_rank_scores(np.array(values))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) >= 0).all()
