from collections.abc import Callable
from dataclasses import replace
import math

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
import pytest
from scipy.stats import kstest

from optuna_dnas._typing import FloatArray
from optuna_dnas.controller import Features
from optuna_dnas.controller import FittedController
from optuna_dnas.controller import IdentityLatent
from optuna_dnas.controller import Predictor
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.strategies import LatentGradient
from optuna_dnas.strategies import Mutations
from optuna_dnas.strategies import Neighbourhood
from optuna_dnas.strategies import SearchState
from optuna_dnas.strategies import WholeSpace


SPACE = FlatSpace({"x": FloatDistribution(0.0, 1.0), "y": FloatDistribution(0.0, 1.0)})
LATENT = IdentityLatent(SPACE)
ELITE = np.array([[0.9, 0.1], [0.5, 0.5], [0.1, 0.7]])


class Quadratic(Predictor):
    """The squared distance from a centre for each value: (M, D)."""

    def __init__(self, *centres: list[float]) -> None:
        self._centres = np.array(centres)

    def predict(self, codes: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean = ((codes[:, None] - self._centres) ** 2).sum(axis=2)
        return mean, np.ones_like(mean)

    def gradient(self, codes: FloatArray) -> FloatArray:
        return 2.0 * (codes[:, None] - self._centres)


class Flat(Predictor):
    """A constant."""

    def predict(self, codes: FloatArray) -> tuple[FloatArray, FloatArray]:
        return np.zeros((len(codes), 1)), np.ones((len(codes), 1))

    def gradient(self, codes: FloatArray) -> FloatArray:
        return np.zeros((len(codes), 1, codes.shape[1]))


def make_state(
    objectives: Predictor,
    costs: Predictor | None = None,
    *,
    elite: FloatArray = ELITE,
    direction: FloatArray | None = None,
    is_limited: bool = False,
) -> SearchState:
    fitted = FittedController(Features(LATENT), objectives, costs)
    return SearchState(
        SPACE,
        fitted,
        elite,
        elite,
        np.ones(1) if direction is None else direction,
        limited_costs=[0] if is_limited else [],
    )


def move(strategy: LatentGradient, state: SearchState, n: int) -> FloatArray:
    return strategy.propose(state, n, np.random.default_rng(0))


def test_short_moves_go_downhill() -> None:
    bowl = Quadratic([0.4, 0.2])
    moved = move(LatentGradient(share=1.0, max_step=0.1), make_state(bowl), 30)
    before = np.tile(bowl.predict(ELITE)[0], (10, 1))
    assert moved.shape == (30, 2)
    assert (bowl.predict(moved)[0] < before).all()


def test_moves_are_straight_and_of_growing_length() -> None:
    centre = np.array([0.4, 0.2])
    state = make_state(Quadratic([0.4, 0.2]))
    moved = move(LatentGradient(share=1.0, max_step=2.0), state, 12).reshape(4, 3, 2)
    steps = moved - ELITE
    lengths = np.linalg.norm(steps, axis=2)
    np.testing.assert_allclose(lengths, np.array([0.5, 1.0, 1.5, 2.0])[:, None].repeat(3, axis=1))
    towards = (centre - ELITE) / np.linalg.norm(centre - ELITE, axis=1, keepdims=True)
    np.testing.assert_allclose(steps / lengths[:, :, None], np.tile(towards, (4, 1, 1)))


def test_no_more_than_asked_and_only_the_best_are_moved() -> None:
    state = make_state(Quadratic([0.4, 0.2]))
    strategy = LatentGradient(share=1.0, top_k=1, max_step=0.5)
    moved = move(strategy, state, 7)
    assert moved.shape == (7, 2)
    assert np.linalg.norm(moved - ELITE[0], axis=1).max() == pytest.approx(0.5)
    assert move(LatentGradient(share=1.0), state, 5).shape == (5, 2)


def test_the_direction_weighs_the_objectives() -> None:
    both = Quadratic([0.5, 2.0], [2.0, 0.5])
    start = np.array([[0.5, 0.5]])
    for weights, expected in (
        ([1.0, 0.0], [0.0, 1.0]),
        ([0.0, 1.0], [1.0, 0.0]),
        ([0.6, 0.8], [0.8, 0.6]),
    ):
        state = make_state(both, elite=start, direction=np.array(weights))
        moved = move(LatentGradient(share=1.0, max_step=1.0), state, 1)
        np.testing.assert_allclose(moved - start, [expected], atol=1e-12)


def test_cost_weight_makes_moves_cheaper() -> None:
    objective, cost = Quadratic([0.4, 0.2]), Quadratic([-5.0, 5.0])
    moved = {
        weight: move(
            LatentGradient(share=1.0, max_step=0.1, cost_weight=weight),
            make_state(objective, cost, is_limited=True),
            30,
        )
        for weight in (0.0, 0.5, 2.0)
    }
    unlimited = make_state(objective, cost)
    heavy = LatentGradient(share=1.0, max_step=0.1, cost_weight=2.0)
    np.testing.assert_array_equal(move(heavy, unlimited, 30), moved[0.0])
    costs = {weight: cost.predict(codes)[0] for weight, codes in moved.items()}
    assert (costs[0.5] < costs[0.0]).all()
    assert (costs[2.0] < costs[0.5]).all()
    values = {weight: objective.predict(codes)[0] for weight, codes in moved.items()}
    assert (values[0.0] <= values[2.0]).all()


def test_cost_weight_alone_does_nothing_without_a_cost_predictor() -> None:
    plain = move(LatentGradient(share=1.0), make_state(Quadratic([0.4, 0.2])), 9)
    weighted = move(
        LatentGradient(share=1.0, cost_weight=1.0),
        make_state(Quadratic([0.4, 0.2]), is_limited=True),
        9,
    )
    np.testing.assert_array_equal(plain, weighted)
    assert LatentGradient(share=1.0, cost_weight=1.0).needs_cost_predictor
    assert not LatentGradient(share=1.0).needs_cost_predictor
    assert not Neighbourhood(share=1.0).needs_cost_predictor


def test_a_flat_predictor_moves_nothing() -> None:
    moved = move(LatentGradient(share=1.0), make_state(Flat()), 6)
    np.testing.assert_array_equal(moved, np.tile(ELITE, (2, 1)))


def test_categories_are_not_moved() -> None:
    space = FlatSpace({"x": FloatDistribution(0.0, 1.0), "op": CategoricalDistribution("abc")})
    latent = IdentityLatent(space)

    class AlongNumbers(Quadratic):
        def gradient(self, codes: FloatArray) -> FloatArray:
            return super().gradient(codes) * ~latent.is_categorical

    elite = np.array([[0.5, 2.0], [0.1, 0.0]])
    fitted = FittedController(Features(latent), AlongNumbers([0.2, 1.0]), None)
    state = SearchState(space, fitted, elite, elite, np.ones(1))
    moved = move(LatentGradient(share=1.0), state, 8)
    np.testing.assert_array_equal(moved[:, 1], [2.0, 0.0] * 4)


def test_neighbours_surround_the_best_only() -> None:
    elite = np.array([[0.2, 0.2], [0.8, 0.8], [0.5, 0.1]])
    strategy = Neighbourhood(share=1.0, top_k=2)
    codes = strategy.propose(make_state(Flat(), elite=elite), 3_000, np.random.default_rng(0))
    distance = np.linalg.norm(codes[:, None] - elite, axis=2).min(axis=1)
    nearest = np.linalg.norm(codes[:, None] - elite, axis=2).argmin(axis=1)
    near = nearest[distance < 0.01]
    assert codes.shape == (3_000, 2)
    assert (near == 2).mean() < 0.01
    assert np.mean(near == 0) == pytest.approx(1 / 2, abs=0.06)


def test_neighbours_go_farther_within_a_limit() -> None:
    strategy = Neighbourhood(share=1.0, top_k=1, limited_reach=3.0)
    latent, rng = make_state(Flat()).latent, np.random.default_rng
    free = make_state(Flat())
    limited = replace(free, cost_headroom=lambda codes: np.ones(len(codes)))
    usual, farther = (strategy.propose(state, 500, rng(0)) for state in (free, limited))
    same = rng(0)
    centres = free.elite[same.integers(0, 1, 500)]
    np.testing.assert_array_equal(farther, latent.perturb(centres, same, reach=3.0))
    assert np.abs(farther - ELITE[0]).mean() > np.abs(usual - ELITE[0]).mean()


def test_mutations_are_those_of_the_best_only_and_are_no_codes() -> None:
    strategy = Mutations(share=1.0, top_k=2, limited_reach=3.0)
    state = replace(make_state(Flat()), elite=np.full((3, 2), np.nan))
    limited = replace(state, cost_headroom=lambda codes: np.ones(len(codes)))
    for of_state, reach in ((state, 1.0), (limited, 3.0)):
        same = np.random.default_rng(0)
        parents = ELITE[same.integers(0, 2, 500)]
        expected = SPACE.mutate_tokens(parents, same, reach=reach)
        mutated = strategy.propose(of_state, 500, np.random.default_rng(0))
        np.testing.assert_array_equal(mutated, expected)
    assert not strategy.in_latent
    assert Neighbourhood(share=1.0).in_latent


def test_the_whole_space_is_the_prior() -> None:
    codes = WholeSpace(share=1.0).propose(make_state(Flat()), 1_000, np.random.default_rng(0))
    assert codes.shape == (1_000, 2)
    for column in codes.T:
        assert kstest(column, "uniform").pvalue > 0.001


def test_sources_tell_strategies_apart() -> None:
    assert [s.source for s in (WholeSpace, Neighbourhood, Mutations, LatentGradient)] == [
        "prior",
        "local",
        "mutation",
        "gradient",
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WholeSpace(share=-1.0), "`share` must be positive, but got -1.0"),
        (lambda: Neighbourhood(share=1.0, top_k=0), "`top_k` must be positive, but got 0"),
        (
            lambda: Neighbourhood(share=1.0, limited_reach=0.5),
            "`limited_reach` must be finite and at least 1, but got 0.5",
        ),
        (lambda: Neighbourhood(share=1.0, limited_reach=math.inf), "at least 1, but got inf"),
        (lambda: Neighbourhood(share=1.0, limited_reach=math.nan), "at least 1, but got nan"),
        (lambda: LatentGradient(share=1.0, top_k=0), "`top_k` must be positive, but got 0"),
        (lambda: LatentGradient(share=1.0, max_step=0.0), "`max_step` must be positive"),
        (
            lambda: LatentGradient(share=1.0, cost_weight=-0.5),
            "`cost_weight` must not be negative, but got -0.5",
        ),
    ],
)
def test_bad_settings_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
