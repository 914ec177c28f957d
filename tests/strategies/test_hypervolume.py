"""Candidates of several objectives come in the order of what they add to the hypervolume."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from optuna_dnas._optuna_compat import compute_hypervolume
from optuna_dnas.strategies._hypervolume import improvement_order
from optuna_dnas.strategies._hypervolume import infer_reference
from optuna_dnas.strategies._hypervolume import known_costs
from optuna_dnas.strategies._hypervolume import non_dominated


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
    # A known cost is in logarithms: half as dear again as anything observed.
    assert np.exp(reference[1] - values[:, 1].max()) == pytest.approx(1.5)


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
    for a, b in itertools.combinations(range(3), 2):
        extent = front.max(axis=0) - front.min(axis=0)
        margin = reference - front.max(axis=0)
        assert margin[a] * extent[b] == pytest.approx(margin[b] * extent[a])
