"""The latent of a setting is that of its architecture beside that of its other parameters."""

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
import pytest

from optuna_dnas.controller import ControllerConfig
from optuna_dnas.controller import IdentityLatent
from optuna_dnas.controller import Latent
from optuna_dnas.controller._disentangled import DisentangledLatent
from optuna_dnas.controller._product import ProductLatent
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import ProductSpace


CELLS = NASBench101Space(max_vertices=4)
OTHERS = FlatSpace({"x": FloatDistribution(0.0, 1.0), "op": CategoricalDistribution("abc")})
SPACE = ProductSpace(CELLS, OTHERS)
D = 4


@pytest.fixture(scope="module")
def parts() -> tuple[DisentangledLatent, IdentityLatent]:
    config = ControllerConfig(latent_dim=D, hidden_dim=8, step_dim=4, n_steps=50, batch_size=16)
    tokens = CELLS.enumerate_tokens()
    of_cells = DisentangledLatent.pretrained(CELLS.vocabulary, tokens, config, seed=0)
    return of_cells, IdentityLatent(OTHERS)


@pytest.fixture(scope="module")
def latent(parts: tuple[Latent, Latent]) -> ProductLatent:
    return ProductLatent(SPACE, *parts)


def test_codes_are_those_of_the_parts(latent: ProductLatent, parts: tuple[Latent, Latent]) -> None:
    tokens = SPACE.sample_tokens(40, np.random.default_rng(0))
    codes = latent.encode(tokens)
    for part, own, of_part in zip(
        parts, SPACE.split(tokens), (codes[:, :D], codes[:, D:]), strict=True
    ):
        np.testing.assert_array_equal(of_part, part.encode(own))
    decoded = SPACE.split(latent.decode(codes))
    np.testing.assert_array_equal(decoded[0], parts[0].decode(codes[:, :D]))
    np.testing.assert_array_equal(decoded[1], parts[1].decode(codes[:, D:]))


def test_what_is_known_of_dimensions_is_that_of_the_parts(
    latent: ProductLatent, parts: tuple[Latent, Latent]
) -> None:
    assert latent.is_categorical.tolist() == [False] * D + [False, True]
    assert latent.has_effect.tolist() == [False] * D + [True, True]
    assert latent.relevance_group.tolist() == [0] * D + [1, 2]
    for name in ("typical_distance", "half_width"):
        expected = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(getattr(latent, name), expected)


def test_moves_change_one_part_or_both(latent: ProductLatent) -> None:
    rng = np.random.default_rng(0)
    codes = latent.sample_prior(2_000, rng)
    moved = latent.perturb(codes, rng)
    is_moved = np.stack(
        [(moved != codes)[:, :D].any(axis=1), (moved != codes)[:, D:].any(axis=1)], axis=1
    )
    for pattern in ([True, False], [False, True], [True, True]):
        assert (is_moved == pattern).all(axis=1).mean() > 0.2
    categories = moved[:, -1]
    assert np.isin(categories, [0, 1, 2]).all()


def test_draws_of_the_parts_are_independent(latent: ProductLatent) -> None:
    codes = latent.sample_prior(5_000, np.random.default_rng(0))
    assert codes.shape == (5_000, D + 2)
    np.testing.assert_allclose(codes[:, :D].std(axis=0), 1, atol=0.1)
    assert np.abs(np.corrcoef(codes.T)[:D, D:]).max() < 0.06
