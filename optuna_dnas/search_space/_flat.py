"""Any Optuna search space."""

from collections.abc import Mapping
from collections.abc import Sequence
import copy
from functools import cached_property
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
from optuna_dnas.search_space._activity import Activity
from optuna_dnas.search_space._base import SearchSpace
from optuna_dnas.search_space._columns import make_column
from optuna_dnas.search_space._cost import Cost
from optuna_dnas.search_space._flat_factors import FlatFactors
from optuna_dnas.search_space._mutation import choose_tokens
from optuna_dnas.search_space._mutation import move_numbers
from optuna_dnas.search_space._mutation import other_choices


# Steps of numbers, the least and the most, and of how many moves they are fine.
_STEP = (0.01, 0.4)
_FINE_STEP = (0.002, 0.1)
_SHARE_OF_FINE_MOVES = 1 / 3


class FlatSpace(SearchSpace[dict[str, Any]]):
    """Categorical, integer and real parameters, without more structure than conditions.

    An architecture is a dict of the parameters that are active. Tokens are floats: a category's
    index, a number in [0, 1], NaN for an inactive parameter.

    A parameter may have another range in each branch of an objective. Each range then has a token
    of its own, as if the parameter had another name there; at most one of them is active.

    Args:
        distributions: The parameters.
        other_ranges: More distributions that some of them have.
    """

    search = "flat"

    def __init__(
        self,
        distributions: Mapping[str, BaseDistribution],
        *,
        other_ranges: Mapping[str, Sequence[BaseDistribution]] | None = None,
    ) -> None:
        if not distributions:
            raise ValueError("`distributions` must not be empty.")
        self._distributions = dict(distributions)
        self._activity: Activity | None = None
        others = other_ranges or {}
        ranges = [[d, *others.get(name, ())] for name, d in self._distributions.items()]
        self._ranges = [distribution for same_name in ranges for distribution in same_name]
        self.parameter_of = np.repeat(np.arange(len(ranges)), [len(r) for r in ranges])
        self._tokens_of = {
            name: np.flatnonzero(self.parameter_of == p).tolist()
            for p, name in enumerate(self._distributions)
        }
        self.columns = [make_column(distribution) for distribution in self._ranges]
        self._is_categorical = np.array([c.is_categorical for c in self.columns])
        self._numbers = np.flatnonzero(~self._is_categorical).tolist()
        self._n_values = np.array([float(c.n_values) for c in self.columns])
        self._last_category = self._n_values - 1.0

    def conditioned_on(self, tokens: FloatArray) -> "FlatSpace":
        """The same parameters, with the conditions that (N, T) tokens of trials show.

        Args:
            tokens: In the order in which the trials were finished.
        """
        if not np.isnan(tokens).any():
            return self
        conditioned = copy.copy(self)
        conditioned._activity = Activity.fit(tokens, self._is_categorical, self.parameter_of)
        return conditioned

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        return dict(self._distributions)

    @property
    def column_names(self) -> list[str]:
        """T names: the parameter's, with the range where it has several."""
        return [
            name if len(tokens) == 1 else f"{name} in {self.columns[t].describe_range()}"
            for name, tokens in self._tokens_of.items()
            for t in tokens
        ]

    @property
    def vocabulary(self) -> None:
        return None

    @cached_property
    def factor_model(self) -> FlatFactors:
        return FlatFactors(self)

    @property
    def in_words(self) -> str:
        n = len(self._distributions)
        return f"combinations of {n} parameters" if n > 1 else "values of one parameter"

    @property
    def size(self) -> float:
        return math.prod(column.n_values for column in self.columns)

    def params_to_architecture(self, params: Mapping[str, Any]) -> dict[str, Any]:
        for name in params.keys() & self._distributions.keys():
            if not self._holding(name, params[name]):
                ranges = " or ".join(str(self._ranges[t]) for t in self._tokens_of[name])
                raise OutOfDomainError(f"`{name}` cannot be {params[name]!r}: {ranges}.")
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
        return self.canonicalize(self._draw(n, rng))[0]

    def activated(self, tokens: FloatArray, rng: np.random.Generator) -> FloatArray:
        """(N, T) tokens -> the same, but what is inactive is a random value."""
        if not np.isnan(tokens).any():
            return tokens
        return np.where(np.isnan(tokens), self._draw(len(tokens), rng), tokens)

    def _draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        return np.stack([column.sample(n, rng) for column in self.columns], axis=1)

    def mutate_tokens(
        self, tokens: FloatArray, rng: np.random.Generator, *, reach: float = 1.0
    ) -> FloatArray:
        """Change one parameter and few others, or move all numbers a little.

        What is inactive is anything afterwards.
        """
        tokens = self.activated(tokens, rng)
        step, fine_step = ((low, reach * high) for low, high in (_STEP, _FINE_STEP))
        is_fine = rng.random(len(tokens)) < _SHARE_OF_FINE_MOVES * bool(self._numbers)
        mutated = self._change_few(tokens, step, rng)
        fine = move_numbers(tokens[is_fine], self._n_values, fine_step, rng)
        mutated[is_fine] = np.where(self._is_categorical, tokens[is_fine], fine)
        return mutated

    def _change_few(
        self, tokens: FloatArray, step: tuple[float, float], rng: np.random.Generator
    ) -> FloatArray:
        chosen = choose_tokens(np.ones(tokens.shape, dtype=bool), rng)
        n_categories = np.where(self._is_categorical, self._n_values, 2.0)
        categories = other_choices(tokens, n_categories, rng)
        numbers = move_numbers(tokens, self._n_values, step, rng)
        return np.where(chosen, np.where(self._is_categorical, categories, numbers), tokens)

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
        return self._to_tokens(params, [{}] * len(params))

    def covers(self, params: Mapping[str, Any]) -> bool:
        """Some of them may have been inactive."""
        return not self._distributions.keys().isdisjoint(params)

    def trials_to_tokens(
        self,
        params: Sequence[Mapping[str, Any]],
        distributions: Sequence[Mapping[str, BaseDistribution]],
    ) -> tuple[FloatArray, BoolArray]:
        """What a trial had is what it was, conditions included."""
        return self._to_tokens(params, distributions), np.ones(len(params), dtype=bool)

    def _to_tokens(
        self,
        params: Sequence[Mapping[str, Any]],
        distributions: Sequence[Mapping[str, BaseDistribution]],
    ) -> FloatArray:
        tokens = np.full((len(params), len(self.columns)), np.nan)
        for name in self._distributions:
            for n, values in enumerate(params):
                if name in values:
                    for t in self._asked(name, values[name], distributions[n].get(name)):
                        tokens[n, t] = self.columns[t].to_token(values[name])
        return self._with_one_range_each(tokens)

    def tokens_to_params(self, tokens: TokenArray) -> list[dict[str, Any]]:
        params: list[dict[str, Any]] = [{} for _ in range(len(tokens))]
        for name, of_name in self._tokens_of.items():
            for t in of_name:
                rows = np.flatnonzero(~np.isnan(tokens[:, t]))
                values = self.columns[t].to_values(tokens[rows, t])
                for n, value in zip(rows, values, strict=True):
                    params[n][name] = value
        return params

    @property
    def is_movable(self) -> BoolArray:
        """A parameter has one place."""
        return np.zeros(len(self.columns), dtype=bool)

    def canonicalize(self, tokens: TokenArray) -> tuple[FloatArray, BoolArray]:
        snapped = self.snap(tokens)
        if self._activity is None:
            snapped = self._with_one_range_each(snapped)
        else:
            snapped[~self._activity.predict(snapped)] = np.nan
        return snapped, np.ones(len(tokens), dtype=bool)

    def snap(self, tokens: FloatArray) -> FloatArray:
        """(N, T) any numbers -> (N, T) the nearest tokens."""
        # All categories at once: there may be many, and each ask snaps a thousand candidates.
        snapped: FloatArray = np.clip(np.rint(tokens), 0.0, self._last_category)
        for t in self._numbers:
            snapped[:, t] = self.columns[t].snap(tokens[:, t])
        return snapped

    def fixed_tokens(self, params: Mapping[str, Any]) -> dict[int, float]:
        tokens = {
            t: self.columns[t].to_token(params[name])
            for name in self._distributions
            if name in params
            for t in self._holding(name, params[name])
        }
        return {t: token for t, token in tokens.items() if not math.isnan(token)}

    def _holding(self, name: str, value: Any) -> list[int]:
        """The tokens of those ranges that contain a value."""
        return [t for t in self._tokens_of[name] if contains(self._ranges[t], value)]

    def _asked(self, name: str, value: Any, distribution: BaseDistribution | None) -> list[int]:
        """The token of the range that a value was asked with; if unknown, all that may be."""
        tokens = self._tokens_of[name]
        if len(tokens) == 1:
            return tokens
        same = [t for t in tokens if self._ranges[t] == distribution]
        return same or self._holding(name, value) or tokens[:1]

    def _with_one_range_each(self, tokens: FloatArray) -> FloatArray:
        """(N, T) the same without the second range of a parameter; the active one is kept."""
        if len(self._tokens_of) == len(self.columns):
            return tokens
        active = np.ones(tokens.shape, dtype=bool)
        if self._activity is not None:
            active = self._activity.predict(tokens)
        for of_name in self._tokens_of.values():
            is_there = ~np.isnan(tokens[:, of_name])
            kept = (is_there * (1 + active[:, of_name])).argmax(axis=1)
            is_there[np.arange(len(tokens)), kept] = False
            tokens[:, of_name] = np.where(is_there, np.nan, tokens[:, of_name])
        return tokens
