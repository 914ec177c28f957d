from dataclasses import replace

import numpy as np
import pytest

from optuna_dnas.controller import GuidedConfig
from optuna_dnas.controller import missing_weights
from optuna_dnas.interpret import guided_config
from optuna_dnas.interpret import latent_controls
from optuna_dnas.interpret import pretrain_guided
from optuna_dnas.interpret import ValidDecoding
from optuna_dnas.interpret._guide import draw_pool
from optuna_dnas.interpret._guide import make_guidance
from optuna_dnas.search_space import NASBench101Space


SPACE = NASBench101Space(max_vertices=5)
MODEL = SPACE.factor_model
CONFIG = GuidedConfig(
    guided_factors=("operation of vertex 1", "operation of vertex 2"),
    control_shares=(1.0, 1.0),
    latent_dim=10,
    hidden_dim=48,
    n_cells=2_000,
    n_pool=12_000,
    n_steps=1_200,
    n_partners=8,
)


def test_a_pool_has_different_architectures_in_random_order() -> None:
    pool = draw_pool(SPACE, 30_000, np.random.default_rng(0))
    every = SPACE.enumerate_tokens()
    assert len(pool) == len(np.unique(pool, axis=0)) == len(every)
    np.testing.assert_array_equal(np.unique(pool, axis=0), np.unique(every, axis=0))
    n_edges = MODEL.measure(pool)[:, 7]
    assert abs(n_edges[:500].mean() - n_edges.mean()) < 0.2


def test_guidance_is_of_the_first_architectures_and_their_partners() -> None:
    pool = draw_pool(SPACE, 2_000, np.random.default_rng(0))
    guidance = make_guidance(pool, MODEL, replace(CONFIG, n_cells=50))
    names = [MODEL.factors[f].name for f in MODEL.basic]
    for name, factor in zip(CONFIG.guided_factors, guidance.factors, strict=True):
        column = int(MODEL.basic[names.index(name)])
        values = MODEL.measure(pool)[:, column]
        np.testing.assert_array_equal(factor.of_architectures, values[:50])
        assert factor.partners.shape == (50, len(factor.values), CONFIG.n_partners)
        own = np.searchsorted(factor.values, values[0])
        assert factor.partners[0, own, 0] == 0


def test_an_unknown_factor_is_refused() -> None:
    config = replace(CONFIG, guided_factors=("depth", "colour"))
    with pytest.raises(ValueError, match="'colour'"):
        make_guidance(SPACE.enumerate_tokens()[:100], MODEL, config)


@pytest.mark.parametrize("max_vertices", [5, 7])
def test_the_preset_guides_factors_of_its_space(max_vertices: int) -> None:
    space = NASBench101Space(max_vertices=max_vertices)
    config, model = guided_config(space), space.factor_model
    assert config is not None
    assert missing_weights(space, config) is None
    basic = [model.factors[f].name for f in model.basic]
    assert set(config.guided_factors) <= set(basic)


@pytest.mark.slow
def test_guided_latents_control_their_factors() -> None:
    latent = pretrain_guided(SPACE, CONFIG, seed=0)
    tokens = SPACE.sample_tokens(1_000, np.random.default_rng(1))
    found = latent_controls(
        ValidDecoding(latent, SPACE), MODEL, latent.encode(tokens), MODEL.measure(tokens)
    )
    by_latent = {control.latent: control for control in found}
    for g, name in enumerate(CONFIG.guided_factors):
        assert by_latent[g].knowledge > 0.9
        assert by_latent[g].controls == by_latent[g].knows
        assert by_latent[g].knows.name == name
