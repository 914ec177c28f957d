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
_STEP = (0.01, 0.4)
_FINE_STEP = (0.002, 0.1)
_SHARE_OF_FINE_MOVES = 1 / 3


class IdentityLatent(Latent):
    """Codes are tokens: a category's index, or a number in [0, 1]; NaN where inactive.

    Args:
        space: The flat space.
    """

    def __init__(self, space: FlatSpace) -> None:
        self._space = space
        self._is_categorical = np.array([c.is_categorical for c in space.columns])
        self._n_values = np.array([float(c.n_values) for c in space.columns])

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
        """Change one coordinate and few others, or move all numbers a little."""
        step, fine_step = ((low, reach * high) for low, high in (_STEP, _FINE_STEP))
        is_fine = rng.random(len(codes)) < _SHARE_OF_FINE_MOVES * (~self._is_categorical).any()
        moved = self._change_few(codes, step, rng)
        moved[is_fine] = self._move_numbers(codes[is_fine], fine_step, rng)
        return moved

    def _change_few(
        self, codes: FloatArray, step: tuple[float, float], rng: np.random.Generator
    ) -> FloatArray:
        n, dim = codes.shape
        chosen = rng.random((n, dim)) < rng.uniform(1.0, 3.0, (n, 1)) / dim
        chosen[np.arange(n), rng.integers(0, dim, n)] = True
        # Another category, never the same one: a shift by 1 .. n_values - 1.
        n_categories = np.where(self._is_categorical, self._n_values, 2)
        shift = 1 + np.floor(rng.random((n, dim)) * np.maximum(n_categories - 1, 1))
        categories = (codes + shift) % n_categories
        numbers = self._move_numbers(codes, step, rng)
        return np.where(chosen, np.where(self._is_categorical, categories, numbers), codes)

    def _move_numbers(
        self, codes: FloatArray, step: tuple[float, float], rng: np.random.Generator
    ) -> FloatArray:
        """Normal steps of log-uniform size, at least as long as the grid's."""
        low, high = np.log(step)
        size = np.exp(rng.uniform(low, high, (len(codes), 1)))
        size = np.maximum(size, 1 / np.maximum(self._n_values - 1, 1))
        moved = codes + size * rng.standard_normal(codes.shape)
        reflected = 1 - np.abs(1 - np.abs(moved))  # into [0, 1]; what is still out is clipped
        return np.where(self._is_categorical, codes, np.clip(reflected, 0.0, 1.0))
