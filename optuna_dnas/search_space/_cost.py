"""What an architecture costs, and what it may cost.

N: architectures, K: costs, in the order of `COST_NAMES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import math

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray


COST_NAMES = ("flops", "params")
"""Columns of `SearchSpace.token_costs`, fields of `Cost`."""

_MIN_KEYS = tuple(f"min_{name}" for name in COST_NAMES)
_MAX_KEYS = tuple(f"max_{name}" for name in COST_NAMES)
LIMIT_KEYS = (*_MAX_KEYS, *_MIN_KEYS)
"""Constraints that say by how much a cost is above its maximum, or below its minimum."""


@dataclass(frozen=True)
class Cost:
    """What an architecture costs.

    Args:
        flops: Multiply-adds of one forward pass of one example.
        params: Trainable parameters.
    """

    flops: int
    params: int

    def of_limit(self, key: str) -> int:
        """The cost that a limit, one of `LIMIT_KEYS`, is about."""
        value: int = getattr(self, key.partition("_")[2])
        return value


@dataclass(frozen=True)
class CostLimits:
    """The least and the most of each cost that is allowed, both included.

    Args:
        low: K numbers; 0: no limit.
        high: K numbers; infinite: no limit.

    Raises:
        ValueError: Nothing is allowed; the message names the limit as :meth:`by_name` does.
    """

    low: tuple[float, ...] = (0.0,) * len(COST_NAMES)
    high: tuple[float, ...] = (math.inf,) * len(COST_NAMES)

    def __post_init__(self) -> None:
        for low, min_key, high, max_key in zip(
            self.low, _MIN_KEYS, self.high, _MAX_KEYS, strict=True
        ):
            if not high > 0:
                raise ValueError(f"`{max_key}` must be positive, but got {high}.")
            if not low >= 0:
                raise ValueError(f"`{min_key}` must not be negative, but got {low}.")
            if not low < high:
                raise ValueError(
                    f"`{min_key}` must be less than `{max_key}`, but got {low} and {high}."
                )

    @classmethod
    def by_name(
        cls,
        *,
        max_flops: float | None = None,
        max_params: float | None = None,
        min_flops: float | None = None,
        min_params: float | None = None,
    ) -> "CostLimits":
        """Limits of multiply-adds and parameters; `None`: no limit."""
        bounds = {
            "max_flops": max_flops,
            "max_params": max_params,
            "min_flops": min_flops,
            "min_params": min_params,
        }
        return cls().replaced(bounds)

    def replaced(self, bounds: Mapping[str, float | None]) -> "CostLimits":
        """The same with some limits changed, by their names in `LIMIT_KEYS`."""
        given = self.by_key | {key: b for key, b in bounds.items() if b is not None}
        return CostLimits(
            low=tuple(given.get(key, 0.0) for key in _MIN_KEYS),
            high=tuple(given.get(key, math.inf) for key in _MAX_KEYS),
        )

    @property
    def by_key(self) -> dict[str, float]:
        """Those that there are, by their names in `LIMIT_KEYS`."""
        high = {key: b for key, b in zip(_MAX_KEYS, self.high, strict=True) if b < math.inf}
        low = {key: b for key, b in zip(_MIN_KEYS, self.low, strict=True) if b > 0}
        return high | low

    @property
    def is_bounded(self) -> bool:
        """Whether there is any limit."""
        return bool(self.by_key)

    @property
    def has_maximum(self) -> BoolArray:
        """(K,) which costs have an upper limit."""
        return np.array(self.high) < math.inf

    def check_within(self, cheapest: Cost, dearest: Cost) -> None:
        """Raise `ValueError` if a limit alone forbids every architecture of a space."""
        bounds = self.by_key
        for name in COST_NAMES:
            low, high = getattr(cheapest, name), getattr(dearest, name)
            if bounds.get(f"max_{name}", math.inf) < low:
                raise ValueError(
                    f"`max_{name}` must be at least {low:,}, the cost of the cheapest "
                    f"architecture of the space, but got {bounds[f'max_{name}']:,}."
                )
            if bounds.get(f"min_{name}", 0.0) > high:
                raise ValueError(
                    f"`min_{name}` must be at most {high:,}, the cost of the dearest "
                    f"architecture of the space, but got {bounds[f'min_{name}']:,}."
                )

    def excesses(self, cost: Cost) -> dict[str, float]:
        """By how much each limit is broken, as constraints: feasible where not positive."""
        values = [getattr(cost, name) for name in COST_NAMES]
        by_key = {key: v - b for key, v, b in zip(_MAX_KEYS, values, self.high, strict=True)}
        by_key |= {key: b - v for key, v, b in zip(_MIN_KEYS, values, self.low, strict=True)}
        return {key: by_key[key] for key in self.by_key}

    def allow(self, costs: FloatArray) -> BoolArray:
        """(N, K) costs -> (N,) which are within all limits."""
        allowed: BoolArray = np.all((costs >= self.low) & (costs <= self.high), axis=1)
        return allowed

    def headroom(self, costs: FloatArray) -> FloatArray:
        """(N, K) costs -> (N,) how far each is below its maximum, as a share of it.

        Of several maxima, the nearest. Beyond any limit it is negative: by what share of it.
        """
        shares = np.zeros(costs.shape)
        np.divide(costs, self.high, out=shares, where=np.isfinite(self.high))
        below = (1.0 - shares).min(axis=1)
        low = np.array(self.low)
        above = np.where(low > 0, costs / np.where(low > 0, low, 1.0) - 1.0, np.inf).min(axis=1)
        headroom: FloatArray = np.where(above < 0, np.minimum(below, above), below)
        return headroom


def read_limits(cost: Cost, constraints: Mapping[str, float]) -> dict[str, float]:
    """The limits that the constraints of an architecture of known cost tell."""
    bounds = {}
    for name in COST_NAMES:
        value = getattr(cost, name)
        if f"max_{name}" in constraints:
            bounds[f"max_{name}"] = value - constraints[f"max_{name}"]
        if f"min_{name}" in constraints:
            bounds[f"min_{name}"] = value + constraints[f"min_{name}"]
    return {key: bound for key, bound in bounds.items() if 0 < bound < math.inf}
