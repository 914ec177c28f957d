"""Generative factors: the concepts in which people describe an architecture.

N: architectures, T: tokens, F: factors.
"""

import abc
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
import math
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.encoding import Vocabulary


LAYERS = "number of layers"
COST = "cost"
"""Kinds of factors that spaces have in common."""


@dataclass(frozen=True, kw_only=True)
class Factor:
    """One concept.

    Args:
        name: In words, for example ``"number of vertices"``.
        kind: The concept that it is a case of: the paper's are "operation", "skip connection" and
            "number of layers" (its Fig. 3).
        phrases: What the values 0, 1, 2 ... of a categorical factor mean, for example ``"vertex 3
            is maxpool3x3"``; empty for a number.
        is_derived: It follows from other factors, and so can never change alone: it counts as
            information, but not where a single factor is to change.
    """

    name: str
    kind: str
    phrases: tuple[str, ...] = ()
    is_derived: bool = False

    @property
    def is_nominal(self) -> bool:
        """Whether its values have no order."""
        return len(self.phrases) > 2

    def describe(self, value: float) -> str:
        """``value`` in words."""
        if math.isnan(value):
            return f"{self.name}: none"
        return self.phrases[int(value)] if self.phrases else f"{self.name}: {value:.4g}"


class FactorModel(abc.ABC):
    """The factors of a search space."""

    @property
    @abc.abstractmethod
    def factors(self) -> tuple[Factor, ...]:
        """All F of them."""

    @abc.abstractmethod
    def measure(self, tokens: TokenArray) -> FloatArray:
        """(N, T) valid canonical tokens -> (N, F) values; NaN where a factor does not apply."""

    @property
    def basic(self) -> IntArray:
        """Indices of the factors that are not derived: each can change alone."""
        return _indices(not factor.is_derived for factor in self.factors)

    def of_kind(self, kind: str) -> IntArray:
        """Indices of the factors of a kind.

        Raises:
            ValueError: There are none.
        """
        found = _indices(factor.kind == kind for factor in self.factors)
        if not len(found):
            kinds = sorted({factor.kind for factor in self.factors})
            raise ValueError(f"`kind` must be one of {kinds}, but got {kind!r}.")
        return found


class TokenFactors(FactorModel):
    """Every token is a concept of its own.

    Args:
        vocabulary: The tokens.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._factors = tuple(
            Factor(
                name=token.name,
                kind=token.name,
                phrases=tuple(f"{token.name} is {k}" for k in range(token.n_choices)),
            )
            for token in vocabulary.tokens
        )

    @property
    def factors(self) -> tuple[Factor, ...]:
        return self._factors

    def measure(self, tokens: TokenArray) -> FloatArray:
        return np.asarray(tokens, dtype=float)


class Guidance(NamedTuple):
    """What a latent that explains architectures is told, and how large it is."""

    shares: Mapping[str, float]
    """Factors, each of which shall have a latent of its own, and how often it is controlled."""
    latent_dim: int
    hidden_dim: int
    n_cells: int
    n_steps: int


def _indices(are_chosen: Iterable[bool]) -> IntArray:
    return np.flatnonzero(np.fromiter(are_chosen, dtype=bool))
