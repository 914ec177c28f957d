"""The latent of undeclared spaces: the tokens themselves."""

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller._latent import Latent
from optuna_dnas.search_space import FlatSpace


# On flat spaces a learned latent measured worse than none, more so the larger the space.
_HALF_WIDTH = 0.087


class IdentityLatent(Latent):
    """Codes are tokens: a category's index, or a number in [0, 1]; NaN where inactive.

    Args:
        space: The flat space.
    """

    def __init__(self, space: FlatSpace) -> None:
        self._space = space
        self._is_categorical = np.array([c.is_categorical for c in space.columns])

    @property
    def is_categorical(self) -> BoolArray:
        return self._is_categorical

    @property
    def typical_distance(self) -> FloatArray:
        return np.where(self._is_categorical, 1 / 2, 1 / 6)

    @property
    def relevance_group(self) -> IntArray:
        """(D,) every parameter is as relevant as it turns out to be."""
        return np.arange(len(self._is_categorical))

    @property
    def has_effect(self) -> BoolArray:
        return np.ones(len(self._is_categorical), dtype=bool)

    @property
    def dimension_names(self) -> tuple[str | None, ...]:
        return tuple(self._space.column_names)

    def ticks(self, dimension: int) -> dict[float, str]:
        column = self._space.columns[dimension]
        codes = column.enumerate() if column.is_categorical else np.array([0.0, 0.5, 1.0])
        texts = [f"{v:.3g}" if isinstance(v, float) else str(v) for v in column.to_values(codes)]
        return dict(zip(codes.tolist(), texts, strict=True))

    @property
    def learned(self) -> None:
        return None

    @property
    def half_width(self) -> FloatArray:
        return np.where(self._is_categorical, 0.0, _HALF_WIDTH)

    def encode(self, tokens: TokenArray) -> FloatArray:
        return np.asarray(tokens, dtype=float)

    def decode(self, codes: FloatArray) -> TokenArray:
        return np.where(self._is_categorical, codes, np.clip(codes, 0.0, 1.0))

    def sample_prior(self, n: int, rng: np.random.Generator) -> FloatArray:
        return np.stack([column.sample(n, rng) for column in self._space.columns], axis=1)

    def perturb(
        self, codes: FloatArray, rng: np.random.Generator, *, reach: float = 1.0
    ) -> FloatArray:
        """What mutations of tokens are."""
        return self._space.mutate_tokens(codes, rng, reach=reach)
