"""The latent of an architecture and other parameters: that of each, side by side."""

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller._latent import Latent
from optuna_dnas.search_space import mix_moves
from optuna_dnas.search_space import ProductSpace


class ProductLatent(Latent):
    """Codes of architectures, and behind them those of the other parameters.

    Args:
        space: Knows which tokens are whose.
        architectures: The latent of the architectures.
        others: The latent of the other parameters.
    """

    def __init__(self, space: ProductSpace[object], architectures: Latent, others: Latent) -> None:
        self._space = space
        self._architectures, self._others = architectures, others
        self._dim = len(architectures.is_categorical)

    @property
    def is_categorical(self) -> BoolArray:
        return np.append(self._architectures.is_categorical, self._others.is_categorical)

    @property
    def typical_distance(self) -> FloatArray:
        return np.append(self._architectures.typical_distance, self._others.typical_distance)

    @property
    def relevance_group(self) -> IntArray:
        first = self._architectures.relevance_group
        return np.append(first, first.max() + 1 + self._others.relevance_group)

    @property
    def has_effect(self) -> BoolArray:
        return np.append(self._architectures.has_effect, self._others.has_effect)

    @property
    def dimension_names(self) -> tuple[str | None, ...]:
        return (*self._architectures.dimension_names, *self._others.dimension_names)

    def ticks(self, dimension: int) -> dict[float, str]:
        if dimension < self._dim:
            return self._architectures.ticks(dimension)
        return self._others.ticks(dimension - self._dim)

    @property
    def learned(self) -> Latent | None:
        return self._architectures.learned

    @property
    def half_width(self) -> FloatArray:
        return np.append(self._architectures.half_width, self._others.half_width)

    def encode(self, tokens: TokenArray) -> FloatArray:
        architectures, others = self._space.split(tokens)
        return np.concatenate(
            [self._architectures.encode(architectures), self._others.encode(others)], axis=1
        )

    def decode(self, codes: FloatArray) -> TokenArray:
        architectures = self._architectures.decode(codes[:, : self._dim])
        return np.concatenate([architectures, self._others.decode(codes[:, self._dim :])], axis=1)

    def sample_prior(self, n: int, rng: np.random.Generator) -> FloatArray:
        parts = (self._architectures, self._others)
        return np.concatenate([part.sample_prior(n, rng) for part in parts], axis=1)

    def perturb(
        self, codes: FloatArray, rng: np.random.Generator, *, reach: float = 1.0
    ) -> FloatArray:
        architectures, others = codes[:, : self._dim], codes[:, self._dim :]
        moved = self._architectures.perturb(architectures, rng, reach=reach)
        changed = self._others.perturb(others, rng, reach=reach)
        return np.concatenate(mix_moves((architectures, others), (moved, changed), rng), axis=1)
