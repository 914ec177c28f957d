"""Mutations: one token of each architecture is another one, few others are, and all can be."""

from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
import pytest

from optuna_dnas.search_space import ArchitectureSpace
from optuna_dnas.search_space import Choice
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import Graph
from optuna_dnas.search_space import Integer
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import NASBench201Space
from optuna_dnas.search_space import ProductSpace
from optuna_dnas.search_space import Repeat
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.search_space._mutation import choose_tokens
from optuna_dnas.search_space._mutation import move_numbers
from optuna_dnas.search_space._mutation import other_choices


LAYERS = ArchitectureSpace(
    layers=Repeat({"width": Choice(64, 16, 32), "skip": Choice(False, True)}, depth=(1, 4)),
    head=Choice("mean", "cls"),
    groups=Integer(2, 8, step=2),
)
OTHERS = FlatSpace(
    {"rate": FloatDistribution(1e-5, 1.0, log=True), "loss": CategoricalDistribution("abc")}
)
SPACES: dict[str, SearchSpace[Any]] = {
    "nasbench101": NASBench101Space(),
    "nasbench201": NASBench201Space(),
    "mobilenet": MobileNetSpace(),
    "layers": LAYERS,
    "graph": ArchitectureSpace(cell=Graph(nodes=4, op=Choice(*"abc"), inputs=1, identity="a")),
    "together": ProductSpace(LAYERS, OTHERS),
}


def random_numbers() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(params=SPACES.values(), ids=list(SPACES))
def space(request: pytest.FixtureRequest) -> SearchSpace[Any]:
    found: SearchSpace[Any] = request.param
    return found


def test_a_mutation_is_another_architecture_of_the_space(space: SearchSpace[Any]) -> None:
    tokens = space.sample_tokens(500, random_numbers())
    before = tokens.copy()
    mutated = space.mutate_tokens(tokens, random_numbers())
    np.testing.assert_array_equal(tokens, before)
    assert mutated.shape == tokens.shape
    assert mutated.dtype == tokens.dtype
    assert ((mutated != tokens) & ~np.isnan(tokens)).any(axis=1).all()
    canonical, valid = space.canonicalize(mutated)
    assert valid.mean() > 0.3
    space.tokens_to_params(canonical[valid])


def test_mutations_reach_all_that_there_is() -> None:
    tokens = np.repeat(LAYERS.sample_tokens(1, random_numbers()), 4_000, axis=0)
    canonical, valid = LAYERS.canonicalize(LAYERS.mutate_tokens(tokens, random_numbers()))
    assert valid.all()
    for leaf, column in zip(LAYERS.leaves, canonical.T, strict=True):
        assert set(column) == set(range(leaf.n_tokens))


def test_blocks_that_a_depth_adds_are_random() -> None:
    shallow = LAYERS.sample_tokens(2_000, random_numbers())
    shallow = LAYERS.canonicalize(np.where(np.arange(shallow.shape[1]) == 0, 0, shallow))[0]
    mutated = LAYERS.mutate_tokens(shallow, random_numbers())
    second = mutated[mutated[:, 0] >= 1][:, 3]  # the width of the second layer
    shares = np.bincount(second, minlength=3) / len(second)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.05)


@pytest.mark.parametrize("space", [OTHERS, ProductSpace(LAYERS, OTHERS)], ids=["flat", "product"])
def test_inactive_parameters_become_anything(space: SearchSpace[Any]) -> None:
    tokens = space.sample_tokens(300, random_numbers())
    tokens[:, -1] = np.nan
    mutated = space.mutate_tokens(tokens, random_numbers())
    assert not np.isnan(mutated).any()
    assert set(mutated[:, -1]) == {0.0, 1.0, 2.0}


def test_only_what_exists_is_sure_to_change() -> None:
    exists = np.zeros((5_000, 10), dtype=bool)
    exists[:, [2, 7]] = True
    chosen = choose_tokens(exists, random_numbers())
    assert chosen[:, [2, 7]].any(axis=1).all()
    assert chosen[:, [2, 7]].mean() == pytest.approx(1 / 2 + 0.2 / 2, abs=0.02)
    assert np.delete(chosen, [2, 7], axis=1).mean() == pytest.approx(0.2, abs=0.02)


def test_a_longer_reach_changes_more() -> None:
    exists = np.ones((5_000, 30), dtype=bool)
    usual, farther = (choose_tokens(exists, random_numbers(), reach=r) for r in (1.0, 3.0))
    assert usual.sum(axis=1).mean() == pytest.approx(1 + 2 * 29 / 30, abs=0.1)
    assert farther.sum(axis=1).mean() == pytest.approx(1 + 5 * 29 / 30, abs=0.15)


def test_another_choice_is_never_the_same_and_all_others_come() -> None:
    tokens = np.tile([0, 3, 1, 0], (3_000, 1))
    n_choices = np.array([1, 5, 2, 3])
    others = other_choices(tokens, n_choices, random_numbers())
    assert [set(column) for column in others.T] == [{0}, {0, 1, 2, 4}, {0}, {1, 2}]


def test_numbers_move_at_least_a_step_of_their_grid() -> None:
    numbers = np.full((2_000, 2), 0.5)
    moved = move_numbers(numbers, np.array([np.inf, 5.0]), (0.001, 0.01), random_numbers())
    assert ((moved >= 0) & (moved <= 1)).all()
    spread = np.abs(moved - 0.5).mean(axis=0)
    assert spread[0] < 0.01
    assert spread[1] == pytest.approx(0.25 * np.sqrt(2 / np.pi), abs=0.02)


def test_numbers_of_choices_are_ranks_and_categories_have_none() -> None:
    numbers = LAYERS.numbers_of_choices
    assert numbers is not None
    by_name = {leaf.name: of for leaf, of in zip(LAYERS.leaves, numbers, strict=True)}
    np.testing.assert_allclose(by_name["n_layers"], [0, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(by_name["layers_0_width"][:3], [1, 0, 0.5])
    np.testing.assert_allclose(by_name["layers_3_width"], [1, 0, 0.5, np.nan])  # or absent
    assert np.isnan(by_name["head"]).all()
    assert np.isnan(by_name["layers_1_skip"]).all()
    assert SPACES["nasbench101"].numbers_of_choices is None
    np.testing.assert_array_equal(ProductSpace(LAYERS, OTHERS).numbers_of_choices, numbers)
