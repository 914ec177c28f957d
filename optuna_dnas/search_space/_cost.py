"""What an architecture costs, and what it may cost.

N: architectures, K: costs, in the order of a space's `cost_names`.
"""

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from functools import partial
import math
from numbers import Integral
from numbers import Real
from typing import Any

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray


Limits = Mapping[str, float | Sequence[float | None]]
"""Cost -> the most of it, or a pair of the least and the most, of which `None` is no limit."""

_TITLES = {"flops": "multiply-adds", "params": "parameters"}


def cost_title(name: str) -> str:
    """How a cost is called in texts and figures."""
    return _TITLES.get(name, name)


class Cost(Mapping[str, float]):
    """What an architecture costs: amounts by name, also as attributes.

    ::

        cost = Cost(flops=2_000_000, memory_mb=1.5)
        cost.flops, cost["memory_mb"], dict(cost)

    Args:
        amounts: What there is to pay, at least one; ``flops`` are multiply-adds of one forward
            pass of one example, ``params`` trainable parameters.

    Raises:
        ValueError: An amount is no finite number, or negative; the message names it.
    """

    __slots__ = ("_amounts",)

    def __init__(self, **amounts: float) -> None:
        if not amounts:
            raise ValueError("`Cost` needs at least one amount.")
        self._amounts = {name: _checked(name, amount) for name, amount in amounts.items()}

    def __getitem__(self, name: str) -> float:
        return self._amounts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._amounts)

    def __len__(self) -> int:
        return len(self._amounts)

    def __getattr__(self, name: str) -> float:
        if name.startswith("_") or name not in self._amounts:
            raise AttributeError(f"{type(self).__name__} has no {name!r}.")
        return self._amounts[name]

    def __hash__(self) -> int:
        return hash(frozenset(self._amounts.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Cost, **self._amounts), ()

    def __repr__(self) -> str:
        return f"Cost({', '.join(f'{name}={n!r}' for name, n in self._amounts.items())})"


class CostLimits(Mapping[str, tuple[float | None, float | None]]):
    """The least and the most of each cost that is allowed, both included.

    It is a mapping of what is limited: cost -> the least and the most, one of which may be `None`.

    Args:
        limits: See `Limits`; by default there are none.

    Raises:
        ValueError: Nothing is allowed; the message names the limit.
    """

    __slots__ = ("_bounds",)

    def __init__(self, limits: Limits | None = None) -> None:
        pairs = {name: _to_pair(name, limit) for name, limit in (limits or {}).items()}
        self._bounds = {name: pair for name, pair in pairs.items() if pair != (None, None)}

    def __getitem__(self, name: str) -> tuple[float | None, float | None]:
        return self._bounds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._bounds)

    def __len__(self) -> int:
        return len(self._bounds)

    def __hash__(self) -> int:
        return hash(frozenset(self._bounds.items()))

    def __repr__(self) -> str:
        return repr(self._bounds)

    def of(self, names: Collection[str]) -> "CostLimits":
        """Those of some costs."""
        return CostLimits({name: pair for name, pair in self.items() if name in names})

    def replaced(self, bounds: Mapping[str, float]) -> "CostLimits":
        """The same with some limits changed, by the keys of their constraints."""
        changed = dict(self)
        for key, bound in bounds.items():
            side, _, name = key.partition("_")
            low, high = changed.get(name, (None, None))
            changed[name] = (bound, high) if side == "min" else (low, bound)
        return CostLimits(changed)

    @property
    def by_key(self) -> dict[str, float]:
        """Those that there are, by the keys of their constraints: ``max_flops``, ``min_flops``."""
        high = {f"max_{name}": most for name, (_, most) in self.items() if most is not None}
        low = {f"min_{name}": least for name, (least, _) in self.items() if least is not None}
        return high | low

    def has_maximum(self, names: Sequence[str]) -> BoolArray:
        """K names -> (K,) which of the costs have an upper limit."""
        return self._high(names) < math.inf

    def check_names(self, known: Sequence[str]) -> None:
        """Raise `ValueError` if there is a limit of what is not known."""
        for name in self:
            if name not in known:
                raise ValueError(f"`limits` must be of {tuple(known)}, but got {name!r}.")

    def check_within(self, cheapest: Cost, dearest: Cost) -> None:
        """Raise `ValueError` if a limit alone forbids every architecture of a space."""
        for name, (least, most) in self.items():
            if most is not None and most < cheapest[name]:
                raise ValueError(
                    f"`limits[{name!r}]` must be at least {cheapest[name]:,}, the cost of the "
                    f"cheapest architecture of the space, but got {most:,}."
                )
            if least is not None and least > dearest[name]:
                raise ValueError(
                    f"The least of `limits[{name!r}]` must be at most {dearest[name]:,}, the cost "
                    f"of the dearest architecture of the space, but got {least:,}."
                )

    def excesses(self, cost: Mapping[str, float]) -> dict[str, float]:
        """By how much each limit is broken, as constraints: feasible where not positive."""
        high = {f"max_{n}": cost[n] - most for n, (_, most) in self.items() if most is not None}
        low = {f"min_{n}": least - cost[n] for n, (least, _) in self.items() if least is not None}
        return high | low

    def allow(
        self,
        costs: FloatArray,  # (N, K)
        names: Sequence[str],  # K
    ) -> BoolArray:
        """(N,) which are within all limits."""
        is_within = (costs >= self._low(names)) & (costs <= self._high(names))
        allowed: BoolArray = np.all(is_within, axis=1)
        return allowed

    def headroom(
        self,
        costs: FloatArray,  # (N, K)
        names: Sequence[str],  # K
    ) -> FloatArray:
        """(N,) how far each is below its maximum, as a share of it.

        Of several maxima, the nearest. Beyond any limit it is negative: by what share of it.
        """
        low, high = self._low(names), self._high(names)
        shares = np.zeros(costs.shape)
        np.divide(costs, high, out=shares, where=np.isfinite(high))
        below = (1.0 - shares).min(axis=1)
        above = np.where(low > 0, costs / np.where(low > 0, low, 1.0) - 1.0, np.inf).min(axis=1)
        headroom: FloatArray = np.where(above < 0, np.minimum(below, above), below)
        return headroom

    def _low(self, names: Sequence[str]) -> FloatArray:
        least = [self.get(name, (None, None))[0] for name in names]
        return np.array([0.0 if bound is None else bound for bound in least])

    def _high(self, names: Sequence[str]) -> FloatArray:
        most = [self.get(name, (None, None))[1] for name in names]
        return np.array([math.inf if bound is None else bound for bound in most])


def read_limits(cost: Cost, constraints: Mapping[str, float]) -> dict[str, float]:
    """The limits that the constraints of an architecture of known cost tell, by their keys."""
    bounds = {}
    for name, amount in cost.items():
        if f"max_{name}" in constraints:
            bounds[f"max_{name}"] = amount - constraints[f"max_{name}"]
        if f"min_{name}" in constraints:
            bounds[f"min_{name}"] = amount + constraints[f"min_{name}"]
    return {key: bound for key, bound in bounds.items() if 0 < bound < math.inf}


def _checked(name: str, amount: Any) -> float:
    """As a number of Python's: whoever counts with arrays has others."""
    if not _is_number(amount) or not 0 <= amount < math.inf:
        raise ValueError(
            f"`{name}` of a `Cost` must be a finite number, not negative, but got {amount!r}."
        )
    return _plain(amount)


def _plain(number: Any) -> float:
    return int(number) if isinstance(number, Integral) else float(number)


def _is_number(value: object) -> bool:
    return isinstance(value, Real)


def _to_pair(name: str, limit: Any) -> tuple[float | None, float | None]:
    """The least and the most; `None` where they forbid nothing."""
    pair = (None, limit) if _is_number(limit) else limit
    is_pair = isinstance(pair, Sequence) and len(pair) == 2
    if not is_pair or not all(bound is None or _is_number(bound) for bound in pair):
        raise ValueError(
            f"`limits[{name!r}]` must be a number, or a pair of the least and the most, but got "
            f"{limit!r}."
        )
    low, high = (0.0 if pair[0] is None else pair[0]), (math.inf if pair[1] is None else pair[1])
    if not high > 0:
        raise ValueError(f"`limits[{name!r}]` must be positive, but got {high}.")
    if not low >= 0:
        raise ValueError(f"The least of `limits[{name!r}]` must not be negative, but got {low}.")
    if not low < high:
        raise ValueError(
            f"The least of `limits[{name!r}]` must be less than the most, but got {low} and "
            f"{high}."
        )
    return (_plain(low) if low > 0 else None), (_plain(high) if high < math.inf else None)
