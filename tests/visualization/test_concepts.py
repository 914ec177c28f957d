"""What the dimensions of a latent are called."""

import numpy as np
import pytest

from optuna_dnas.visualization._concepts import _short
from optuna_dnas.visualization._concepts import concepts

from .oracle import SPACE


MODEL = SPACE.factor_model
FACTORS = {factor.name: factor for factor in MODEL.factors}


class Known:
    """Dimension 0 is the number of edges, 1 tells it roughly, 2 is nothing."""

    def encode(self, tokens: np.ndarray) -> np.ndarray:
        place = MODEL.factors.index(FACTORS["number of edges"])
        edges = MODEL.measure(tokens)[:, place]
        noise = np.random.default_rng(0).standard_normal((2, len(tokens)))
        return np.stack([edges / 10, edges + noise[0], noise[1]], axis=1)


def test_a_dimension_is_called_after_what_it_knows() -> None:
    full, part, nothing = concepts(SPACE, Known())
    assert full is not None
    assert full.text == "number of edges"
    assert all(code == pytest.approx(float(text) / 10) for code, text in full.ticks.items())
    assert part is not None
    assert part.factor == full.factor
    assert 0.2 <= part.knowledge < 0.9
    assert not part.ticks
    assert part.text == f"number of edges ({part.knowledge:.0%})"
    assert nothing is None


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("operation of vertex 1", ["conv3x3", "conv1x1", "maxpool3x3"]),
        ("input-output skip", ["no", "yes"]),
        ("depth", ["0", "1"]),
    ],
)
def test_values_are_short(name: str, texts: list[str]) -> None:
    assert [_short(FACTORS[name], float(value)) for value in range(len(texts))] == texts
