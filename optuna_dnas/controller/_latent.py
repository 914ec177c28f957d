"""What strategies and predictors know of a latent space."""

import abc

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray


class Latent(abc.ABC):
    """A map between architectures and points ("codes") of a space in which the search moves.

    N: architectures, T: tokens, D: dimensions of the latent.
    """

    @property
    @abc.abstractmethod
    def is_categorical(self) -> BoolArray:
        """(D,) dimensions that hold a category's index; the others are continuous."""

    @property
    @abc.abstractmethod
    def typical_distance(self) -> FloatArray:
        """(D,) expected distance of two random codes: squared, or 0 or 1 between categories."""

    @property
    @abc.abstractmethod
    def relevance_group(self) -> IntArray:
        """(D,) dimensions of one group are equally relevant; groups count from 0, without gaps."""

    @property
    def has_effect(self) -> BoolArray:
        """(D,) dimensions that mean something alone: a category, or a number in [0, 1].

        By default none does.
        """
        return np.zeros(len(self.is_categorical), dtype=bool)

    @property
    def dimension_names(self) -> tuple[str | None, ...]:
        """(D,) what dimensions are that mean something to people; `None`: it was learned.

        By default all were.
        """
        return (None,) * len(self.is_categorical)

    def ticks(self, dimension: int) -> dict[float, str]:
        """Codes of a dimension that has a name, and what they stand for; by default none."""
        return {}

    @property
    def learned(self) -> "Latent | None":
        """The part of it that was learned, which comes first, or `None`; by default all was."""
        return self

    @property
    @abc.abstractmethod
    def half_width(self) -> FloatArray:
        """(D,) the delta of Eq. 4: half the width of a promising interval, 0 for categories."""

    @abc.abstractmethod
    def encode(self, tokens: TokenArray) -> FloatArray:
        """(N, T) tokens -> (N, D) codes."""

    @abc.abstractmethod
    def decode(self, codes: FloatArray) -> TokenArray:
        """(N, D) codes -> (N, T) tokens, each a legal choice of its position."""

    @abc.abstractmethod
    def sample_prior(self, n: int, rng: np.random.Generator) -> FloatArray:
        """(n, D) codes from the whole space."""

    @abc.abstractmethod
    def perturb(
        self, codes: FloatArray, rng: np.random.Generator, *, reach: float = 1.0
    ) -> FloatArray:
        """(N, D) codes -> (N, D) codes in their neighbourhood, near and far mixed.

        Args:
            codes: Of the centres.
            rng: Draws the moves.
            reach: How many times as far as usual the farthest ones go, at least 1.
        """
