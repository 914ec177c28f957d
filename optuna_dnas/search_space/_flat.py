"""Any Optuna search space."""

from collections.abc import Mapping
from collections.abc import Sequence
import hashlib
import json
import math
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution

from optuna_dnas._optuna_compat import contains
from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space._activity import ActivityTree
from optuna_dnas.search_space._base import SearchSpace
from optuna_dnas.search_space._columns import make_column
from optuna_dnas.search_space._cost import Cost


# More values than that decide hardly ever what an objective asks for next.
_MAX_DECIDING_VALUES = 32


class FlatSpace(SearchSpace[dict[str, Any]]):
    """Categorical, integer and real parameters, without more structure than conditions.

    An architecture is a dict of the parameters that are active. Tokens are floats: a category's
    index, a number in [0, 1], NaN for an inactive parameter.

    Args:
        distributions: The parameters.
        activity: Which parameters are active; all of them by default.
    """

    def __init__(
        self,
        distributions: Mapping[str, BaseDistribution],
        *,
        activity: ActivityTree | None = None,
    ) -> None:
        if not distributions:
            raise ValueError("`distributions` must not be empty.")
        self._distributions = dict(distributions)
        self._activity = activity
        self.columns = [make_column(d) for d in self._distributions.values()]
        self._numbers = [t for t, c in enumerate(self.columns) if not c.is_categorical]
        self._last_category = np.array([float(c.n_values) - 1.0 for c in self.columns])

    def conditioned_on(self, tokens: FloatArray) -> "FlatSpace":
        """The same parameters, with the conditions that (N, T) tokens of trials show."""
        if not np.isnan(tokens).any():
            return self
        is_discrete = np.array([c.n_values <= _MAX_DECIDING_VALUES for c in self.columns])
        activity = ActivityTree.fit(tokens, is_discrete)
        return FlatSpace(self._distributions, activity=activity)

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        return dict(self._distributions)

    @property
    def vocabulary(self) -> None:
        return None

    @property
    def size(self) -> float:
        return math.prod(column.n_values for column in self.columns)

    def params_to_architecture(self, params: Mapping[str, Any]) -> dict[str, Any]:
        for name in params.keys() & self._distributions.keys():
            distribution = self._distributions[name]
            if not contains(distribution, params[name]):
                raise OutOfDomainError(f"`{name}` cannot be {params[name]!r}: {distribution}.")
        return {name: params[name] for name in self._distributions if name in params}

    def architecture_to_params(self, architecture: dict[str, Any]) -> dict[str, Any]:
        return self.canonical(architecture)

    def canonical(self, architecture: dict[str, Any]) -> dict[str, Any]:
        tokens, _ = self.canonicalize(self.params_to_tokens([architecture]))
        return self.tokens_to_params(tokens)[0]

    def hash(self, architecture: dict[str, Any]) -> str:
        text = json.dumps(self.canonical(architecture), sort_keys=True, default=repr)
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    def cost(self, architecture: dict[str, Any]) -> Cost | None:
        return None

    def draw(self, architecture: dict[str, Any]) -> str:
        width = max(map(len, architecture), default=0)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in architecture.items())

    def sample(self, rng: np.random.Generator, n: int) -> list[dict[str, Any]]:
        return self.tokens_to_params(self.sample_tokens(n, rng))

    def sample_tokens(self, n: int, rng: np.random.Generator) -> FloatArray:
        tokens = np.stack([column.sample(n, rng) for column in self.columns], axis=1)
        return self.canonicalize(tokens)[0]

    def enumerate_tokens(self) -> FloatArray:
        """(N, T) all points.

        Raises:
            ValueError: There are infinitely many.
        """
        if math.isinf(self.size):
            raise ValueError("A space with real parameters cannot be enumerated.")
        grids = np.meshgrid(*(c.enumerate() for c in self.columns), indexing="ij")
        tokens = self.canonicalize(np.stack([g.ravel() for g in grids], axis=1))[0]
        if self._activity is None:
            return tokens
        # `np.unique` of rows takes no NaN for equal to another.
        points = np.unique(np.nan_to_num(tokens, nan=-1.0), axis=0)
        return np.where(points < 0, np.nan, points)

    def params_to_tokens(self, params: Sequence[Mapping[str, Any]]) -> FloatArray:
        tokens = np.full((len(params), len(self.columns)), np.nan)
        for t, (name, column) in enumerate(zip(self._distributions, self.columns, strict=True)):
            for n, values in enumerate(params):
                if name in values:
                    tokens[n, t] = column.to_token(values[name])
        return tokens

    def tokens_to_params(self, tokens: TokenArray) -> list[dict[str, Any]]:
        params: list[dict[str, Any]] = [{} for _ in range(len(tokens))]
        for t, (name, column) in enumerate(zip(self._distributions, self.columns, strict=True)):
            rows = np.flatnonzero(~np.isnan(tokens[:, t]))
            for n, value in zip(rows, column.to_values(tokens[rows, t]), strict=True):
                params[n][name] = value
        return params

    def canonicalize(self, tokens: TokenArray) -> tuple[FloatArray, BoolArray]:
        snapped = self._snap(tokens)
        if self._activity is not None:
            snapped[~self._activity.predict(snapped)] = np.nan
        return snapped, np.ones(len(tokens), dtype=bool)

    def _snap(self, tokens: FloatArray) -> FloatArray:
        """(N, T) any numbers -> (N, T) the nearest tokens."""
        # All categories at once: there may be many, and each ask snaps a thousand candidates.
        snapped: FloatArray = np.clip(np.rint(tokens), 0.0, self._last_category)
        for t in self._numbers:
            snapped[:, t] = self.columns[t].snap(tokens[:, t])
        return snapped

    def fixed_tokens(self, params: Mapping[str, Any]) -> dict[int, float]:
        known = {
            name: params[name]
            for name, distribution in self._distributions.items()
            if name in params and contains(distribution, params[name])
        }
        tokens = self.params_to_tokens([known])[0]
        return {int(t): float(tokens[t]) for t in np.flatnonzero(~np.isnan(tokens))}
