"""One Optuna parameter as a column of float tokens.

A category's token is its index; a number's lies in [0, 1], on the scale (linear or logarithmic)
and the grid of its distribution. NaN stands for a parameter that a trial did not have.
"""

import abc
import math
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution

from optuna_dnas._typing import FloatArray


# Values outside of a range that has changed since keep their side, but not their distance.
_OUTSIDE = (-0.5, 1.5)


class Column(abc.ABC):
    """The map between values of one distribution and tokens. N: values."""

    is_categorical = False

    @property
    @abc.abstractmethod
    def n_values(self) -> float:
        """How many values there are; infinite for a real number."""

    @abc.abstractmethod
    def to_token(self, value: Any) -> float:
        """The token of a value; NaN if the distribution cannot hold such a value."""

    @abc.abstractmethod
    def to_values(self, tokens: FloatArray) -> list[Any]:
        """(N,) tokens of the column's grid -> N plain Python values."""

    @abc.abstractmethod
    def snap(self, tokens: FloatArray) -> FloatArray:
        """(N,) any numbers -> (N,) the nearest tokens."""

    @abc.abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """(n,) tokens of uniform values, on the scale of the distribution."""

    @abc.abstractmethod
    def describe_range(self) -> str:
        """The values, in few words."""

    def enumerate(self) -> FloatArray:
        """All tokens of a finite column."""
        return self.snap(np.linspace(0.0, 1.0, int(self.n_values)))


class _Category(Column):
    """Choices that Optuna takes for equal, such as `True` and 1, are one: it keeps the first."""

    is_categorical = True

    def __init__(self, distribution: CategoricalDistribution) -> None:
        self._distribution = distribution
        firsts: dict[Any, int] = {}
        # By index, since some choices cannot be hashed, and NaN does not equal itself.
        index_of = [
            firsts.setdefault(c, k) if _is_plain(c) else int(distribution.to_internal_repr(c))
            for k, c in enumerate(distribution.choices)
        ]
        kept = sorted(set(index_of))
        self._choices = [distribution.choices[k] for k in kept]
        self._token_of_index = dict(zip(kept, map(float, range(len(kept))), strict=True))
        self._token_of_plain = {c: self._token_of_index[k] for c, k in firsts.items()}

    @property
    def n_values(self) -> float:
        return len(self._choices)

    def to_token(self, value: Any) -> float:
        if _is_plain(value) and value in self._token_of_plain:
            return self._token_of_plain[value]
        try:
            return self._token_of_index[int(self._distribution.to_internal_repr(value))]
        except ValueError:
            return math.nan

    def to_values(self, tokens: FloatArray) -> list[Any]:
        return [self._choices[int(token)] for token in tokens]

    def snap(self, tokens: FloatArray) -> FloatArray:
        return np.clip(np.rint(tokens), 0, self.n_values - 1)

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        return rng.integers(0, int(self.n_values), n).astype(float)

    def describe_range(self) -> str:
        return ", ".join(map(str, self._choices))

    def enumerate(self) -> FloatArray:
        return np.arange(self.n_values)


def _is_plain(choice: Any) -> bool:
    """Whether equal choices have equal hashes."""
    is_number = isinstance(choice, (bool, int, float))
    return choice is None or isinstance(choice, str) or (is_number and choice == choice)


class _Number(Column):
    """Shared by all numbers: a scale, and a grid if the values are discrete."""

    def __init__(self, distribution: IntDistribution | FloatDistribution) -> None:
        self._distribution = distribution
        low, high = float(distribution.low), float(distribution.high)
        # A difference of doubles may be no double; a power of two leaves their digits alone.
        self._unit = 1.0 if math.isfinite(high - low) else 4.0
        self._low, self._high = (np.nan_to_num([low, high]) / self._unit).tolist()
        self._log = distribution.log
        self._is_int = isinstance(distribution, IntDistribution)
        self._step = None if distribution.step is None else distribution.step / self._unit
        ends = np.array([self._low, self._high])
        self._start, self._end = np.log(ends) if self._log else ends
        # Also where two numbers are so close that their logarithms are equal.
        self._is_single = bool(self._start == self._end)

    @property
    def n_values(self) -> float:
        if self._is_single:
            return 1
        if self._step is None:
            return math.inf
        n_steps = (self._high - self._low) / self._step
        return round(n_steps) + 1 if math.isfinite(n_steps) else math.inf

    def to_token(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return math.nan
        if self._is_single:
            return 0.0
        if self._log and value <= 0:
            return _OUTSIDE[0]
        position = float(value) / self._unit
        if self._log:
            position = math.log(position)
        token = (position - self._start) / (self._end - self._start)
        return float(np.clip(token, *_OUTSIDE))

    def to_values(self, tokens: FloatArray) -> list[Any]:
        values: list[Any] = (self._to_grid(tokens) * self._unit).tolist()
        if not self._is_int:
            return values
        low, high = self._distribution.low, self._distribution.high
        # Beyond 2 ** 53, doubles are not exact.
        return [min(max(int(v), low), high) for v in np.rint(values)]

    def snap(self, tokens: FloatArray) -> FloatArray:
        if self._is_single:
            return np.where(np.isnan(tokens), np.nan, 0.0)
        if self._step is None:
            return np.clip(tokens, 0.0, 1.0)
        grid = self._to_grid(tokens)
        positions = np.log(grid) if self._log else grid
        snapped: FloatArray = (positions - self._start) / (self._end - self._start)
        return snapped

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        if self._step is None or self._log or self.n_values > 2**53:
            return self.snap(rng.random(n))
        return rng.integers(0, int(self.n_values), n) / max(self.n_values - 1, 1)

    def describe_range(self) -> str:
        return f"{self._distribution.low:g} to {self._distribution.high:g}"

    def enumerate(self) -> FloatArray:
        if not self._log:
            return super().enumerate()
        return np.array([self.to_token(v) for v in range(int(self._low), int(self._high) + 1)])

    def _to_grid(self, tokens: FloatArray) -> FloatArray:
        """(N,) tokens -> (N,) the nearest values that the distribution holds, in units."""
        positions = self._start + np.clip(tokens, 0.0, 1.0) * (self._end - self._start)
        with np.errstate(over="ignore"):  # The logarithm of the largest numbers is rounded up.
            values = np.exp(positions) if self._log else positions
        if self._step is not None:
            values = self._low + np.rint((values - self._low) / self._step) * self._step
        clipped: FloatArray = np.clip(values, self._low, self._high)
        return clipped


def make_column(distribution: BaseDistribution) -> Column:
    """The column of an Optuna distribution.

    Raises:
        ValueError: The distribution is none of Optuna's three kinds.
    """
    if isinstance(distribution, CategoricalDistribution):
        return _Category(distribution)
    if isinstance(distribution, (IntDistribution, FloatDistribution)):
        return _Number(distribution)
    raise ValueError(f"Unknown kind of distribution: {distribution}.")
