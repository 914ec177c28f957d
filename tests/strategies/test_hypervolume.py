"""Candidates of several objectives come in the order of what they add to the hypervolume."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from optuna_dnas._optuna_compat import compute_hypervolume
from optuna_dnas.strategies._hypervolume import _MARGIN
from optuna_dnas.strategies._hypervolume import _MARGIN_OF_UNKNOWN
from optuna_dnas.strategies._hypervolume import _N_DRAWN
from optuna_dnas.strategies._hypervolume import _quadrature
from optuna_dnas.strategies._hypervolume import improvement_order
from optuna_dnas.strategies._hypervolume import infer_reference
from optuna_dnas.strategies._hypervolume import known_costs
from optuna_dnas.strategies._hypervolume import non_dominated
from optuna_dnas.strategies._hypervolume import qualities
from optuna_dnas.strategies._hypervolume import ValueScale


def draw(seed: int, n: int, n_objectives: int) -> np.ndarray:
    """Points around a front; few are dominated."""
    points = np.abs(np.random.default_rng(seed).standard_normal((n, n_objectives)))
    radius = np.random.default_rng(seed + 1).uniform(0.8, 1.2, (n, 1))
    return 1.0 - radius * points / np.linalg.norm(points, axis=1, keepdims=True)


def order_of(
    means: np.ndarray,
    observed: np.ndarray,
    reference: np.ndarray,
    deviations: np.ndarray | float = 0.0,
    seed: int = 0,
) -> list[int]:
    rng = np.random.default_rng(seed)
    spread = np.broadcast_to(deviations, means.shape)
    return list(improvement_order(means, spread, observed, reference, rng))


def volume(points: np.ndarray, reference: np.ndarray) -> float:
    inside = points[(points < reference).all(axis=1)]
    return compute_hypervolume(inside, reference) if len(inside) else 0.0


@pytest.mark.parametrize("n_objectives", [2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_picks_are_nearly_as_good_as_the_greedy_ones(seed: int, n_objectives: int) -> None:
    sampled, observed = draw(seed, 40, n_objectives), draw(seed + 100, 6, n_objectives)
    reference = np.full(n_objectives, 1.1)
    order = order_of(sampled, observed, reference)
    assert sorted(order) == list(range(40))
    greedy = observed
    for _ in range(8):
        gains = [volume(np.vstack([greedy, y]), reference) for y in sampled]
        greedy = np.vstack([greedy, sampled[np.argmax(gains)]])
    before, best = volume(observed, reference), volume(greedy, reference)
    reached = volume(np.vstack([observed, sampled[order[:8]]]), reference)
    # Directions estimate gains with an error of a few per cent.
    assert reached - before > 0.9 * (best - before)


def test_what_adds_nothing_comes_last() -> None:
    observed = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    sampled = np.array([[0.9, 0.9], [0.2, 0.6], [2.0, -0.5], [0.5, 0.5], [0.6, 0.1]])
    order = order_of(sampled, observed, np.array([1.1, 1.1]))
    # The third one is better in an objective, but beyond the reference in the other.
    assert set(order[:2]) == {1, 4}


def test_order_does_not_depend_on_units() -> None:
    sampled, observed = draw(3, 60, 2), draw(4, 9, 2)
    scale, shift = np.array([1e6, 1e-3]), np.array([-5.0, 40.0])
    reference = np.array([1.0, 1.05])
    deviations = np.random.default_rng(5).uniform(0.0, 0.2, (60, 2))
    scaled = order_of(
        sampled * scale + shift,
        observed * scale + shift,
        reference * scale + shift,
        deviations * scale,
    )
    assert order_of(sampled, observed, reference, deviations) == scaled


@pytest.mark.parametrize("certain", [(), (1,)])
@pytest.mark.parametrize("seed", range(4))
def test_the_first_pick_is_expected_to_add_nearly_the_most(
    seed: int, certain: tuple[int, ...]
) -> None:
    """Expectations by drawing 4,000 times."""
    rng = np.random.default_rng(seed)
    means, observed, reference = draw(seed, 12, 2), draw(seed + 50, 5, 2), np.array([1.1, 1.1])
    deviations = rng.uniform(0.05, 0.4, (12, 2))
    deviations[:, list(certain)] = 0.0
    before = volume(observed, reference)
    draws = rng.standard_normal((4_000, 2))
    gains = [
        np.mean([volume(np.vstack([observed, m + d * x]), reference) - before for x in draws])
        for m, d in zip(means, deviations, strict=True)
    ]
    first = order_of(means, observed, reference, deviations)[0]
    assert gains[first] > 0.85 * max(gains)


def test_who_may_be_better_comes_before_who_is_surely_as_good() -> None:
    observed = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    means, deviations = np.full((3, 2), 0.5), np.array([[0.0, 0.0], [0.3, 0.0], [0.1, 0.0]])
    assert order_of(means, observed, np.array([1.1, 1.1]), deviations) == [1, 2, 0]


POINTS = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=20)


@given(POINTS)
def test_front_is_what_nothing_dominates(points: list[tuple[int, int, int]]) -> None:
    values = np.array(points, dtype=float)
    front = set(non_dominated(values).tolist())
    for row, value in enumerate(points):
        dominated = any(
            all(o <= v for o, v in zip(other, value, strict=True)) and other != value
            for other in points
        )
        assert (row not in front) == dominated


def test_costs_are_known_by_their_order() -> None:
    rng = np.random.default_rng(0)
    costs = np.exp(rng.standard_normal((30, 2)))
    values = np.stack([np.log(costs[:, 1]), rng.standard_normal(30), 3.0 * costs[:, 0]], axis=1)
    assert known_costs(values, costs) == {0: 1, 2: 0}
    assert known_costs(-values, costs) == {}
    assert known_costs(values, None) == {}
    assert known_costs(np.ones((30, 1)), costs) == {}


def test_a_bad_architecture_is_of_no_interest_however_cheap() -> None:
    rng = np.random.default_rng(1)
    values = rng.uniform(size=(40, 2))
    reference = infer_reference(values, 16, known={1})
    assert np.mean(values[:16, 0] > reference[0]) == pytest.approx(0.25)
    # A known cost is in logarithms: the reference is a share of their extent beyond all of them.
    beyond = reference[1] - values[:, 1].max()
    assert beyond == pytest.approx(_MARGIN * np.ptp(values[:, 1]))


def test_the_best_of_the_expensive_end_is_worth_a_share_of_the_front() -> None:
    """Not the little that is left to a reference near the largest cost."""
    cost = np.linspace(8.0, 12.0, 9)
    observed = np.stack([-np.sqrt(cost - 7.0), cost], axis=1)
    reference = infer_reference(observed, 9, known={1})
    better = observed[-1] - [0.2, 0.0]  # at the largest cost
    between = observed[4:6].mean(axis=0) - [0.2, 0.0]
    before = volume(observed, reference)
    gains = [volume(np.vstack([observed, y]), reference) - before for y in (better, between)]
    assert gains[0] > gains[1]


def test_what_is_dear_in_a_measured_cost_too_is_of_interest() -> None:
    """A time that is measured rises with the multiply-adds, an error falls."""
    rng = np.random.default_rng(2)
    cost = rng.uniform(size=40)
    time, error = cost + rng.normal(0.0, 0.1, 40), rng.normal(0.0, 0.1, 40) - cost
    values = np.stack([error, cost, time], axis=1)
    reference = infer_reference(values, 16, known={1})
    front = values[non_dominated(values)]
    assert (front[:, 1:] < reference[1:]).all()
    assert np.mean(values[:16, 0] > reference[0]) == pytest.approx(0.25)


def test_all_of_the_front_counts_where_all_is_measured() -> None:
    values = draw(5, 50, 3)
    reference = infer_reference(values, 16, known=())
    front = values[non_dominated(values)]
    assert (front < reference).all()
    np.testing.assert_allclose(
        reference - front.max(axis=0), _MARGIN_OF_UNKNOWN * np.ptp(front, axis=0)
    )


@pytest.mark.parametrize("n_objectives", [4, 7, 10, 20])
def test_many_objectives_need_no_more_nodes_than_a_few(n_objectives: int) -> None:
    nodes, weights = _quadrature(np.ones(n_objectives, dtype=bool), np.random.default_rng(0))
    assert nodes.shape == (_N_DRAWN, n_objectives)
    np.testing.assert_allclose(weights @ nodes, 0.0, atol=1e-12)
    assert weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("n_objectives", [4, 7, 10, 20])
def test_of_many_objectives_the_likely_improvement_comes_first(n_objectives: int) -> None:
    observed, reference = np.full((1, n_objectives), 0.5), np.ones(n_objectives)
    means = np.full((40, n_objectives), 0.6)
    means[17] = 0.4
    order = order_of(means, observed, reference, deviations=0.05)
    assert order[0] == 17
    assert sorted(order) == list(range(40))


def test_a_scale_maps_predictions_to_values() -> None:
    """Exact for a perfect ranking at the quartiles, linear between them and beyond."""
    predictions, values = np.linspace(-2.0, 2.0, 41), np.linspace(0.0, 1.0, 41) ** 3
    scale = ValueScale.between(predictions, values)
    assert scale is not None
    np.testing.assert_allclose(scale(predictions[[0, 10, 20, 30]]), values[[0, 10, 20, 30]])
    assert scale(np.array([-1.5])) == pytest.approx((values[0] + values[10]) / 2)
    assert scale(np.array([-3.0])) == pytest.approx(values[0] - (values[10] - values[0]))
    assert scale(np.array([3.0])) == pytest.approx(values[30] + 2 * (values[30] - values[20]))


@pytest.mark.parametrize(
    "values",
    [np.zeros(8), np.full(8, np.inf), np.r_[0.0, np.ones(7)], np.linspace(-1e308, 1e308, 8)],
)
def test_without_quartiles_there_is_no_scale(values: np.ndarray) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        assert ValueScale.between(np.arange(8.0), values) is None


def test_qualities_are_what_does_not_rise_with_a_cost() -> None:
    cost = np.random.default_rng(3).uniform(size=40)
    values = np.stack([-cost, cost, cost**2, np.roll(cost, 1)], axis=1)
    assert qualities(values, known={1}) == [0, 3]
    assert qualities(values, known=()) == []


def test_order_does_not_depend_on_the_unit_of_a_quality() -> None:
    sampled, observed = draw(3, 60, 2), draw(4, 9, 2)
    reference, deviations = np.array([1.0, 1.05]), np.full((60, 2), [0.2, 0.0])
    orders = []
    for unit in (1.0, 1_000.0):
        scale = ValueScale.between(observed[:, 0], unit * np.exp(observed[:, 0]) - unit)
        assert scale is not None
        rng = np.random.default_rng(0)
        order = improvement_order(sampled, deviations, observed, reference, rng, {0: scale})
        orders.append(list(order))
    assert orders[0] == orders[1] != order_of(sampled, observed, reference, deviations)
