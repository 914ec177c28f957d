"""An architecture together with parameters of its training, or any others."""

from collections.abc import Mapping
from collections.abc import Sequence
import copy
from functools import cached_property
import hashlib
from typing import Any
from typing import Generic
from typing import NamedTuple

import numpy as np
from optuna.distributions import BaseDistribution

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.encoding import Vocabulary
from optuna_dnas.search_space._activity import Activity
from optuna_dnas.search_space._base import ArchitectureT
from optuna_dnas.search_space._base import SearchSpace
from optuna_dnas.search_space._cost import Cost
from optuna_dnas.search_space._cost import CostLimits
from optuna_dnas.search_space._cost import Limits
from optuna_dnas.search_space._factors import Factor
from optuna_dnas.search_space._factors import FactorModel
from optuna_dnas.search_space._flat import FlatSpace
from optuna_dnas.search_space._picture import Picture
from optuna_dnas.search_space._picture import stack


# Moves change only the architecture, only the others, or both. Not tuned.
_SHARES = (0.4, 0.3, 0.3)


class Setting(NamedTuple, Generic[ArchitectureT]):
    """An architecture, and the other parameters of its trial."""

    architecture: ArchitectureT
    others: dict[str, Any]


class ProductSpace(SearchSpace[Setting[ArchitectureT]]):
    """Architectures of a space with structure, each with more parameters beside it.

    Tokens are floats: those of the architecture, and behind them those of the other parameters.
    What an architecture costs, the other parameters do not change.

    N: settings, A: tokens of an architecture, T: all tokens.

    Args:
        architectures: With structure.
        others: The other parameters, none of which is called like one of an architecture.
    """

    def __init__(self, architectures: SearchSpace[ArchitectureT], others: FlatSpace) -> None:
        shared = sorted(architectures.distributions.keys() & others.distributions.keys())
        if shared:
            raise ValueError(f"`others` has parameters of the architecture: {', '.join(shared)}.")
        self.architectures = architectures
        self.others = others
        self._n_architecture = architectures.params_to_tokens([]).shape[1]
        self._activity: Activity | None = None

    @property
    def limits(self) -> CostLimits:  # type: ignore[override]
        """Of the architectures."""
        return self.architectures.limits

    def within(self, limits: Limits) -> "ProductSpace[ArchitectureT]":
        return ProductSpace(self.architectures.within(limits), self.others)

    @property
    def parts(self) -> tuple[SearchSpace[Any], ...]:
        return (self.architectures, self.others)

    def split(self, tokens: FloatArray) -> tuple[IntArray, FloatArray]:
        """(N, T) tokens -> (N, A) those of the architectures, and (N, T - A) the others."""
        n = self._n_architecture
        return tokens[:, :n].astype(np.int64), tokens[:, n:]

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        return self.architectures.distributions | self.others.distributions

    @property
    def vocabulary(self) -> Vocabulary | None:
        return self.architectures.vocabulary

    @cached_property
    def factor_model(self) -> "ProductFactors":
        return ProductFactors(self)

    @property
    def in_words(self) -> str:
        *first, last = self.others.distributions
        beside = f"{', '.join(first)} and {last}" if first else last
        return f"{self.architectures.in_words}, together with {beside}"

    def architecture_tokens(self, tokens: FloatArray) -> IntArray:
        return self.split(tokens)[0]

    @property
    def size(self) -> float:
        return self.architectures.size * self.others.size

    def conditioned_on(self, tokens: FloatArray) -> "ProductSpace[ArchitectureT]":
        """With the conditions of the other parameters, on the architecture, too."""
        if not np.isnan(tokens).any():
            return self
        conditioned = copy.copy(self)
        is_categorical = np.append(
            np.ones(self._n_architecture, dtype=bool),
            [column.is_categorical for column in self.others.columns],
        )
        parameter_of = np.append(
            np.arange(self._n_architecture), self._n_architecture + self.others.parameter_of
        )
        conditioned._activity = Activity.fit(tokens, is_categorical, parameter_of)
        return conditioned

    def covers(self, params: Mapping[str, Any]) -> bool:
        """The architecture is complete; of the others, some may have been inactive."""
        return self.architectures.covers(params)

    def params_to_architecture(self, params: Mapping[str, Any]) -> Setting[ArchitectureT]:
        architecture = self.architectures.params_to_architecture(params)
        return Setting(architecture, self.others.params_to_architecture(params))

    def architecture_to_params(self, architecture: Setting[ArchitectureT]) -> dict[str, Any]:
        params = self.architectures.architecture_to_params(architecture.architecture)
        return params | architecture.others

    def canonical(self, architecture: Setting[ArchitectureT]) -> Setting[ArchitectureT]:
        canonical = self.architectures.canonical(architecture.architecture)
        return Setting(canonical, self.others.canonical(architecture.others))

    def hash(self, architecture: Setting[ArchitectureT]) -> str:
        parts = self.architectures.hash(architecture.architecture)
        parts += self.others.hash(architecture.others)
        return hashlib.md5(parts.encode(), usedforsecurity=False).hexdigest()

    def cost(self, architecture: Setting[ArchitectureT]) -> Cost | None:
        return self.architectures.cost(architecture.architecture)

    def draw(self, architecture: Setting[ArchitectureT]) -> str:
        drawing = self.architectures.draw(architecture.architecture)
        return f"{drawing}\n{self.others.draw(architecture.others)}"

    def picture(self, architecture: Setting[ArchitectureT]) -> Picture:
        beside = self.others.picture(architecture.others)
        return stack([self.architectures.picture(architecture.architecture), beside])

    def sample(self, rng: np.random.Generator, n: int) -> list[Setting[ArchitectureT]]:
        architectures = self.architectures.sample(rng, n)
        return [
            Setting(*pair) for pair in zip(architectures, self.others.sample(rng, n), strict=True)
        ]

    def sample_tokens(self, n: int, rng: np.random.Generator) -> FloatArray:
        return self._with_others(self.architectures.sample_tokens(n, rng), rng)

    def sample_written_tokens(self, n: int, rng: np.random.Generator) -> FloatArray:
        return self._with_others(self.architectures.sample_written_tokens(n, rng), rng)

    def mutate_tokens(
        self, tokens: FloatArray, rng: np.random.Generator, *, reach: float = 1.0
    ) -> FloatArray:
        """The architecture, the others, or both."""
        architectures, others = self.split(tokens)
        others = self.others.activated(others, rng)
        mutated = (
            self.architectures.mutate_tokens(architectures, rng, reach=reach),
            self.others.mutate_tokens(others, rng, reach=reach),
        )
        return np.column_stack(mix_moves((architectures, others), mutated, rng))

    @property
    def numbers_of_choices(self) -> FloatArray | None:
        """Of the architectures' tokens."""
        return self.architectures.numbers_of_choices

    def enumerate_tokens(self) -> FloatArray:
        """(N, T) all settings.

        Raises:
            ValueError: There are infinitely many.
        """
        architectures, others = (part.enumerate_tokens() for part in self.parts)
        tokens = np.column_stack(
            [
                np.repeat(architectures, len(others), axis=0),
                np.tile(others, (len(architectures), 1)),
            ]
        )
        return self.canonicalize(tokens)[0]

    def params_to_tokens(self, params: Sequence[Mapping[str, Any]]) -> FloatArray:
        return np.column_stack([part.params_to_tokens(params) for part in self.parts])

    def trials_to_tokens(
        self,
        params: Sequence[Mapping[str, Any]],
        distributions: Sequence[Mapping[str, BaseDistribution]],
    ) -> tuple[FloatArray, BoolArray]:
        tokens, valid = self.architectures.trials_to_tokens(params, distributions)
        others, _ = self.others.trials_to_tokens(params, distributions)
        return np.column_stack([tokens, others]), valid

    def tokens_to_params(self, tokens: FloatArray) -> list[dict[str, Any]]:
        architectures, others = self.split(tokens)
        params = self.architectures.tokens_to_params(architectures)
        return [a | b for a, b in zip(params, self.others.tokens_to_params(others), strict=True)]

    def canonicalize(self, tokens: FloatArray) -> tuple[FloatArray, BoolArray]:
        architectures, others = self.split(tokens)
        canonical, valid = self.architectures.canonicalize(architectures)
        if self._activity is None:
            return np.column_stack([canonical, self.others.canonicalize(others)[0]]), valid
        snapped = np.column_stack([canonical, self.others.snap(others)])
        inactive = ~self._activity.predict(snapped)
        inactive[:, : self._n_architecture] = False
        snapped[inactive] = np.nan
        return snapped, valid

    @property
    def is_movable(self) -> BoolArray:
        return np.concatenate([part.is_movable for part in self.parts])

    def fixed_tokens(self, params: Mapping[str, Any]) -> dict[int, Any]:
        others = self.others.fixed_tokens(params)
        return self.architectures.fixed_tokens(params) | {
            self._n_architecture + t: token for t, token in others.items()
        }

    @property
    def cost_names(self) -> tuple[str, ...]:
        """Of the architectures."""
        return self.architectures.cost_names

    @property
    def cost_range(self) -> tuple[Cost, Cost] | None:
        return self.architectures.cost_range

    def descriptors(self, tokens: FloatArray) -> FloatArray:
        return self.architectures.descriptors(self.split(tokens)[0])

    def token_costs(self, tokens: FloatArray) -> FloatArray | None:
        return self.architectures.token_costs(self.split(tokens)[0])

    def _with_others(self, architectures: IntArray, rng: np.random.Generator) -> FloatArray:
        others = self.others.sample_tokens(len(architectures), rng)
        return self.canonicalize(np.column_stack([architectures, others]))[0]


class ProductFactors(FactorModel):
    """What can be said of an architecture, and the parameters beside it.

    Args:
        space: The settings.
    """

    def __init__(self, space: ProductSpace[Any]) -> None:
        self._space = space

    @property
    def factors(self) -> tuple[Factor, ...]:
        architectures, others = (part.factor_model.factors for part in self._space.parts)
        return (*architectures, *others)

    def measure(self, tokens: FloatArray) -> FloatArray:
        parts = zip(self._space.parts, self._space.split(tokens), strict=True)
        return np.concatenate([part.factor_model.measure(own) for part, own in parts], axis=1)


def mix_moves(
    before: tuple[TokenArray, FloatArray],
    after: tuple[TokenArray, FloatArray],
    rng: np.random.Generator,
) -> list[TokenArray]:
    """(N, .) of the architectures, and (N, .) of the others -> the same, not always both moved."""
    kind = rng.choice(3, len(before[0]), p=_SHARES)[:, None]
    return [
        np.where(kind == stays, old, new)
        for stays, old, new in zip((1, 0), before, after, strict=True)
    ]


def together(
    space: SearchSpace[Any] | None,
    distributions: Mapping[str, BaseDistribution],
    other_ranges: Mapping[str, Sequence[BaseDistribution]],
) -> SearchSpace[Any]:
    """The space of all parameters of a study.

    Args:
        space: Has some of them; `None`: none is known.
        distributions: Of all parameters.
        other_ranges: More distributions that some of them have.
    """
    names = distributions.keys() - (space.distributions if space else {}).keys()
    if space is not None and not names:
        return space
    if space is None or isinstance(space, FlatSpace):
        return FlatSpace(distributions, other_ranges=other_ranges)
    others = FlatSpace(
        {name: d for name, d in distributions.items() if name in names},
        other_ranges={name: r for name, r in other_ranges.items() if name in names},
    )
    return ProductSpace(space, others)
