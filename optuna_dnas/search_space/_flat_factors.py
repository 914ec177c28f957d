"""The factors of a flat space: its parameters.

N: architectures, T: tokens; F = T.
"""

from dataclasses import dataclass
import math
from typing import TYPE_CHECKING

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.search_space._columns import Column
from optuna_dnas.search_space._factors import Factor
from optuna_dnas.search_space._factors import FactorModel


if TYPE_CHECKING:
    from optuna_dnas.search_space._flat import FlatSpace


@dataclass(frozen=True, kw_only=True)
class NumberFactor(Factor):
    """A number of a flat space, measured on the scale of its distribution.

    Args:
        column: Translates the scale into values.
    """

    column: Column

    def describe(self, value: float) -> str:
        """``value``, a token, in words."""
        if math.isnan(value):
            return super().describe(value)
        (number,) = self.column.to_values(np.array([value]))
        return f"{self.name}: {number:.4g}"


class FlatFactors(FactorModel):
    """Every parameter is a concept of its own.

    Args:
        space: The parameters.
    """

    def __init__(self, space: "FlatSpace") -> None:
        self._factors = tuple(
            _to_factor(name, column)
            for name, column in zip(space.column_names, space.columns, strict=True)
        )

    @property
    def factors(self) -> tuple[Factor, ...]:
        return self._factors

    def measure(self, tokens: TokenArray) -> FloatArray:
        return np.asarray(tokens, dtype=float)


def _to_factor(name: str, column: Column) -> Factor:
    if not column.is_categorical:
        return NumberFactor(name=name, kind=name, column=column)
    choices = column.to_values(column.enumerate())
    return Factor(name=name, kind=name, phrases=tuple(f"{name} is {c}" for c in choices))
