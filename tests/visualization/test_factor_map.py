"""The figure of latents and concepts."""

import numpy as np
import pytest

from optuna_dnas.interpret import LikeliestDecoding
from optuna_dnas.visualization import _factor_map
from optuna_dnas.visualization._factor_map import _get_factor_map_info
from optuna_dnas.visualization._factor_map import factor_map_figure

from .oracle import Oracle
from .oracle import SPACE


TOKENS = SPACE.sample_tokens(400, np.random.default_rng(0))
BASIC = [SPACE.factor_model.factors[f].name for f in SPACE.factor_model.basic]


@pytest.fixture(scope="module")
def info() -> _factor_map.FactorMap:
    oracle = Oracle()
    return _get_factor_map_info(oracle, SPACE, LikeliestDecoding(oracle, SPACE), TOKENS)


def test_rows_are_latents_and_columns_are_basic_factors(
    info: _factor_map.FactorMap,
) -> None:
    assert info.factors == tuple(BASIC)
    assert sorted(control.latent for control in info.controls) == [0, 1, 2]
    for control, shares in zip(info.controls, info.knowledge, strict=True):
        assert shares[info.factors.index(control.knows.name)] == control.knowledge


def test_words_tell_control_from_a_read_out(info: _factor_map.FactorMap) -> None:
    figure = factor_map_figure(info)
    (heat_map,) = figure.data
    rows = dict(zip(heat_map.y, heat_map.text, strict=True))
    assert rows["latent 0"][BASIC.index("operation of vertex 1")] == "controls"
    assert rows["latent 1"][BASIC.index("operation of vertex 2")] == "reads"
    assert set(rows["latent 2"]) == {""}
    assert "1 of 7 concepts" in figure.layout.title.text
