from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
import pytest
from scipy.stats import chisquare
from scipy.stats import kstest

from optuna_dnas._typing import FloatArray
from optuna_dnas.controller import Features
from optuna_dnas.controller import FittedController
from optuna_dnas.controller import GaussianProcessConfig
from optuna_dnas.controller import IdentityLatent
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.strategies import CostEdge
from optuna_dnas.strategies import DenseRegions
from optuna_dnas.strategies import PromisingRegions
from optuna_dnas.strategies import SearchState


SPACE = FlatSpace(
    {
        "x": FloatDistribution(0.0, 1.0),
        "y": FloatDistribution(0.0, 1.0),
        "op": CategoricalDistribution("abcde"),
    }
)
LATENT = IdentityLatent(SPACE)
FEATURES = Features(LATENT)


@st.composite
def one_dimension(draw: st.DrawFn) -> PromisingRegions:
    centres = draw(st.lists(st.floats(-1.0, 2.0), min_size=1, max_size=6))
    half_width = draw(st.one_of(st.just(0.0), st.floats(1e-3, 1.0)))
    return PromisingRegions(np.array(centres)[:, None], np.array([half_width]))


def make_state(
    elite: FloatArray, headroom: Callable[[FloatArray], FloatArray] | None = None
) -> SearchState:
    objectives = GaussianProcessConfig().fit(
        elite,
        np.arange(float(len(elite)))[:, None],
        layout=FEATURES.layout,
        rng=np.random.default_rng(0),
    )
    fitted = FittedController(FEATURES, objectives, None)
    return SearchState(SPACE, fitted, elite, elite, np.ones(1), headroom)


# -- Eq. 4


@given(one_dimension())
def test_intervals_are_disjoint_and_ascending(regions: PromisingRegions) -> None:
    intervals = regions.intervals(0)
    assert intervals.shape == (len(intervals), 2)
    assert (intervals[:, 0] <= intervals[:, 1]).all()
    assert (intervals[1:, 0] > intervals[:-1, 1]).all()


@given(one_dimension(), st.lists(st.floats(-3.0, 4.0), min_size=1, max_size=20))
def test_a_code_is_contained_if_it_lies_in_an_interval(
    regions: PromisingRegions, codes: list[float]
) -> None:
    intervals = regions.intervals(0)
    z = np.array(codes)
    z = z[(np.abs(z[:, None] - intervals.ravel()) > 1e-9).all(axis=1)]  # but for the ends
    inside = ((z[:, None] >= intervals[:, 0]) & (z[:, None] <= intervals[:, 1])).any(axis=1)
    np.testing.assert_array_equal(regions.contains(z[:, None])[:, 0], inside)


@given(one_dimension())
def test_the_union_is_that_of_the_intervals_around_the_centres(regions: PromisingRegions) -> None:
    delta = regions.half_width[0]
    ends = np.concatenate([regions.centres - delta, regions.centres + delta], axis=1)
    intervals = regions.intervals(0)
    for low, high in ends:
        within = (intervals[:, 0] <= low) & (high <= intervals[:, 1])
        assert within.sum() == 1
    assert np.isin(intervals[:, 0], ends[:, 0]).all()
    assert np.isin(intervals[:, 1], ends[:, 1]).all()


def test_overlapping_intervals_are_merged() -> None:
    centres = np.array([[0.9], [0.1], [0.5], [0.2]])
    regions = PromisingRegions(centres, np.array([0.1]))
    np.testing.assert_allclose(regions.intervals(0), [[0.0, 0.3], [0.4, 0.6], [0.8, 1.0]])
    touching = PromisingRegions(np.array([[0.25], [0.75]]), np.array([0.25]))
    np.testing.assert_array_equal(touching.intervals(0), [[0.0, 1.0]])


def test_dimensions_have_regions_of_their_own() -> None:
    regions = PromisingRegions(np.array([[0.0, 5.0], [1.0, 5.0]]), np.array([0.1, 0.2]))
    np.testing.assert_allclose(regions.intervals(0), [[-0.1, 0.1], [0.9, 1.1]])
    np.testing.assert_allclose(regions.intervals(1), [[4.8, 5.2]])
    inside = regions.contains(np.array([[0.05, 5.15], [0.5, 5.0], [1.0, 1.0]]))
    np.testing.assert_array_equal(inside, [[True, True], [False, True], [True, False]])


@given(one_dimension(), st.integers(0, 2**32 - 1))
def test_samples_lie_in_the_regions(regions: PromisingRegions, seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert regions.contains(regions.sample(50, rng)).all()
    assert regions.contains(regions.sample_uniform(50, rng)).all()


def test_uniform_samples_are_uniform_over_the_union() -> None:
    centres = np.array([[0.0], [0.05], [0.1], [1.0]])
    regions = PromisingRegions(centres, np.array([0.1]))
    z = regions.sample_uniform(4_000, np.random.default_rng(0))[:, 0]
    # The union is [-0.1, 0.2] and [0.9, 1.1]; put side by side, it is [0, 0.5].
    position = np.where(z < 0.5, z + 0.1, z - 0.9 + 0.3)
    assert kstest(position / 0.5, "uniform").pvalue > 0.001


def test_samples_are_denser_where_more_architectures_agree() -> None:
    centres = np.array([[0.0], [0.1], [0.1], [1.0]])
    regions = PromisingRegions(centres, np.array([0.1]))
    z = regions.sample(8_000, np.random.default_rng(0))[:, 0]
    counts = np.histogram(z, bins=[-0.1, 0.0, 0.1, 0.2, 0.5, 0.9, 1.1])[0]
    assert counts[4] == counts[3] == 0
    # Intervals that cover a part, times the part's length.
    expected = np.array([1, 3, 2, 2]) / 8 * 8_000
    assert chisquare(counts[[0, 1, 2, 5]], expected).pvalue > 0.001


def test_coordinates_are_drawn_independently() -> None:
    centres = np.array([[0.0, 0.0], [1.0, 1.0]])
    regions = PromisingRegions(centres, np.array([0.01, 0.01]))
    for sample in (regions.sample, regions.sample_uniform):
        z = np.rint(sample(4_000, np.random.default_rng(0)))
        corners = np.bincount((2 * z[:, 0] + z[:, 1]).astype(int), minlength=4)
        assert chisquare(corners).pvalue > 0.001


def test_categories_are_points() -> None:
    elite = np.array([[0.2, 0.3, 1.0], [0.9, 0.3, 4.0], [0.5, 0.5, 4.0]])
    for uniform in (False, True):
        strategy = DenseRegions(share=1.0, top_k=3, uniform=uniform)
        codes = strategy.propose(make_state(elite), 500, np.random.default_rng(0))
        assert set(codes[:, 2]) == {1.0, 4.0}
        assert (codes[:, 2] == 4.0).mean() == pytest.approx(1 / 2 if uniform else 2 / 3, abs=0.08)


def test_only_the_best_span_the_regions() -> None:
    elite = np.array([[0.2, 0.2, 0.0], [0.3, 0.3, 1.0], [0.9, 0.9, 2.0]])
    for uniform in (False, True):
        strategy = DenseRegions(share=1.0, top_k=2, uniform=uniform)
        codes = strategy.propose(make_state(elite), 300, np.random.default_rng(0))
        assert codes.shape == (300, 3)
        assert PromisingRegions(elite[:2], LATENT.half_width).contains(codes).all()
        assert not PromisingRegions(elite[:1], LATENT.half_width).contains(codes).all()


# -- The edge of the cost limit


def test_edge_codes_lie_just_below_the_limit() -> None:
    elite = np.array([[0.5, 0.5, 0.0], [0.4, 0.6, 1.0]])

    def headroom(codes: FloatArray) -> FloatArray:
        return 1.0 - codes[:, :2].sum(axis=1) / 1.0

    state, rng = make_state(elite, headroom), np.random.default_rng(0)
    codes = CostEdge(share=1.0, oversampling=5).propose(state, 200, rng)
    regions = PromisingRegions(elite, LATENT.half_width)
    everywhere = headroom(regions.sample(4_000, rng))
    assert len(codes) == 200
    assert regions.contains(codes).all()
    assert (everywhere < 0).mean() > 0.4
    assert (headroom(codes) >= 0).mean() > 0.95
    assert headroom(codes).mean() < everywhere[everywhere >= 0].mean() / 2


def test_above_the_limit_the_nearest_are_taken() -> None:
    elite = np.array([[0.5, 0.5, 0.0]])

    def headroom(codes: FloatArray) -> FloatArray:
        return 0.1 - codes[:, :2].sum(axis=1)

    codes = CostEdge(share=1.0).propose(make_state(elite, headroom), 100, np.random.default_rng(0))
    everywhere = PromisingRegions(elite, LATENT.half_width).sample(4_000, np.random.default_rng(1))
    assert headroom(codes).min() > np.median(headroom(everywhere))


def test_without_limits_there_is_no_edge() -> None:
    codes = CostEdge(share=1.0).propose(
        make_state(np.array([[0.5, 0.5, 0.0]])), 100, np.random.default_rng(0)
    )
    assert codes.shape == (0, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DenseRegions(share=0.0), "`share` must be positive, but got 0.0"),
        (lambda: DenseRegions(share=float("nan")), "`share` must be positive, but got nan"),
        (lambda: DenseRegions(share=1.0, top_k=0), "`top_k` must be positive, but got 0"),
        (lambda: CostEdge(share=1.0, top_k=-1), "`top_k` must be positive, but got -1"),
        (lambda: CostEdge(share=1.0, oversampling=0), "`oversampling` must be positive"),
    ],
)
def test_bad_settings_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
