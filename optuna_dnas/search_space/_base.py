"""The interface of a search space."""

import abc
from collections.abc import Mapping
from collections.abc import Sequence
import copy
from functools import cached_property
from typing import Any
from typing import ClassVar
from typing import Generic
from typing import Literal
from typing import Self
from typing import TypeVar

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.trial import BaseTrial

from optuna_dnas._optuna_compat import suggest
from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.encoding import Vocabulary
from optuna_dnas.search_space._cost import Cost
from optuna_dnas.search_space._cost import CostLimits
from optuna_dnas.search_space._cost import Limits
from optuna_dnas.search_space._factors import FactorModel
from optuna_dnas.search_space._factors import Guidance
from optuna_dnas.search_space._factors import TokenFactors
from optuna_dnas.search_space._mutation import choose_tokens
from optuna_dnas.search_space._mutation import other_choices
from optuna_dnas.search_space._picture import draw_table
from optuna_dnas.search_space._picture import Picture


ArchitectureT = TypeVar("ArchitectureT")


class SearchSpace(abc.ABC, Generic[ArchitectureT]):
    """A set of architectures, and the ways to write one down.

    ``Optuna parameters <-> tokens <-> architecture``. Tokens are (N, T) arrays: the search works
    on thousands of candidates at a time. N: architectures, T: tokens of one, K: costs, in the
    order of `cost_names`.
    """

    search: ClassVar[Literal["declared", "joint", "flat"]] = "joint"
    """Which search of `DNASConfig` serves it."""

    limits: CostLimits = CostLimits()
    """What a search may propose; the space itself is not smaller for it."""

    @property
    @abc.abstractmethod
    def distributions(self) -> dict[str, BaseDistribution]:
        """The Optuna parameters of an architecture."""

    @property
    @abc.abstractmethod
    def vocabulary(self) -> Vocabulary | None:
        """The tokens of a space with structure; `None` for a flat one, whose tokens are floats."""

    @property
    @abc.abstractmethod
    def size(self) -> float:
        """How many different architectures there are; may be infinite, or an upper bound."""

    @cached_property
    def factor_model(self) -> FactorModel:
        """The concepts in which its architectures are explained; by default, one a token."""
        assert self.vocabulary is not None
        return TokenFactors(self.vocabulary)

    @property
    def guidance(self) -> Guidance | None:
        """What a latent that is to explain architectures is told; by default nothing."""
        return None

    @property
    def in_words(self) -> str:
        """What there is to choose from: so many architectures."""
        return f"{self.size:,.0f} architectures" if np.isfinite(self.size) else "architectures"

    @property
    def parts(self) -> "tuple[SearchSpace[Any], ...]":
        """The spaces that this one is a product of; by default itself."""
        return (self,)

    def architecture_tokens(self, tokens: TokenArray) -> TokenArray:
        """(N, T) tokens -> those of the first of its parts; by default all."""
        return tokens

    @property
    def has_own_code(self) -> bool:
        """Whether somebody else than this package wrote some of it."""
        return type(self).__module__.partition(".")[0] != __name__.partition(".")[0]

    def suggest(self, trial: BaseTrial) -> ArchitectureT:
        """Ask a trial for all parameters.

        Raises:
            OutOfDomainError: The parameters do not make an architecture of this space.
        """
        params = {
            name: suggest(trial, name, distribution)
            for name, distribution in self.distributions.items()
        }
        return self.params_to_architecture(params)

    @abc.abstractmethod
    def params_to_architecture(self, params: Mapping[str, Any]) -> ArchitectureT:
        """Raise `OutOfDomainError` if the parameters do not make an architecture."""

    @abc.abstractmethod
    def architecture_to_params(self, architecture: ArchitectureT) -> dict[str, Any]:
        """The parameters of the canonical form."""

    @abc.abstractmethod
    def canonical(self, architecture: ArchitectureT) -> ArchitectureT:
        """The one representative of all equivalent architectures."""

    @abc.abstractmethod
    def hash(self, architecture: ArchitectureT) -> str:
        """Equal for equivalent architectures."""

    @abc.abstractmethod
    def cost(self, architecture: ArchitectureT) -> Cost | None:
        """The exact cost as built; `None` where the space does not know."""

    @abc.abstractmethod
    def draw(self, architecture: ArchitectureT) -> str:
        """A picture of lines of text."""

    def picture(self, architecture: ArchitectureT) -> Picture:
        """A picture of boxes and arrows, equal for equivalent architectures; by default a table.

        `optuna_dnas.visualization.draw_architecture` makes an SVG of it.
        """
        return draw_table(self.architecture_to_params(architecture))

    @abc.abstractmethod
    def sample(self, rng: np.random.Generator, n: int) -> list[ArchitectureT]:
        """``n`` independent uniform architectures."""

    @abc.abstractmethod
    def sample_tokens(self, n: int, rng: np.random.Generator) -> TokenArray:
        """(n, T) canonical tokens of independent uniform architectures."""

    def sample_written_tokens(self, n: int, rng: np.random.Generator) -> TokenArray:
        """(n, T) canonical tokens of architectures whose parameters are independent and uniform.

        What can be written in many ways comes often. The simplest architectures do, where some of
        their parameters say nothing: they are too few to occur among uniform architectures. Where
        each is written in one way, the architectures are uniform.
        """
        return self.sample_tokens(n, rng)

    def mutate_tokens(
        self, tokens: TokenArray, rng: np.random.Generator, *, reach: float = 1.0
    ) -> TokenArray:
        """(N, T) canonical tokens -> (N, T) one token of each is another one, and few others are.

        They are neither canonical nor all valid. By default a token takes any other choice of the
        vocabulary.

        Args:
            tokens: What is changed.
            rng: Draws the changes.
            reach: How many times as many as usual the most changes are, at least 1.
        """
        assert self.vocabulary is not None
        n_choices = self.vocabulary.legal.sum(axis=1)
        chosen = choose_tokens(np.ones(tokens.shape, dtype=bool), rng, reach=reach)
        mutated = np.where(chosen, other_choices(tokens, n_choices, rng), tokens)
        return mutated.astype(tokens.dtype)

    @property
    def numbers_of_choices(self) -> FloatArray | None:
        """(T, C) which number in [0, 1] each choice of a token stands for; NaN: none.

        `None`: all choices are categories, which is the default.
        """
        return None

    @abc.abstractmethod
    def enumerate_tokens(self) -> TokenArray:
        """(N, T) canonical tokens of the whole space, for spaces that are small enough."""

    @abc.abstractmethod
    def params_to_tokens(self, params: Sequence[Mapping[str, Any]]) -> TokenArray:
        """N parameter sets -> (N, T) tokens as written, not canonical."""

    def covers(self, params: Mapping[str, Any]) -> bool:
        """Whether a trial with these parameters evaluated an architecture of this space.

        By default, it needs all parameters.
        """
        return self.distributions.keys() <= params.keys()

    def trials_to_tokens(
        self,
        params: Sequence[Mapping[str, Any]],
        distributions: Sequence[Mapping[str, BaseDistribution]],
    ) -> tuple[TokenArray, BoolArray]:
        """N trials -> (N, T) canonical tokens of what they evaluated, and (N,) which are valid.

        Args:
            params: Of each trial; the space covers them.
            distributions: The ranges that each trial asked for them with, as far as is known. By
                default, they tell nothing.
        """
        return self.canonicalize(self.params_to_tokens(params))

    @abc.abstractmethod
    def tokens_to_params(self, tokens: TokenArray) -> list[dict[str, Any]]:
        """(N, T) tokens -> N parameter sets of plain Python values."""

    @abc.abstractmethod
    def canonicalize(self, tokens: TokenArray) -> tuple[TokenArray, BoolArray]:
        """(N, T) tokens -> (N, T) canonical tokens, and (N,) which of them are valid."""

    @property
    def is_movable(self) -> BoolArray:
        """(T,) whether the canonical form may write elsewhere what a token says; by default so.

        A token that somebody has fixed must stay where it is.
        """
        return np.ones(self.params_to_tokens([]).shape[1], dtype=bool)

    @abc.abstractmethod
    def fixed_tokens(self, params: Mapping[str, Any]) -> dict[int, Any]:
        """Token index -> token, of parameters that somebody has fixed.

        Names that are not of this space, and values that it does not contain, are left out.
        """

    def conditioned_on(self, tokens: TokenArray) -> "SearchSpace[ArchitectureT]":
        """The space as (N, T) tokens of evaluated architectures show it; by default unchanged."""
        return self

    def within(self, limits: Limits) -> Self:
        """The same space, of which a search may propose what is within these limits.

        Raises:
            ValueError: Nothing is, or a limit is of a cost that the space does not know; the
                message names the limit.
        """
        limited = copy.copy(self)
        limited.limits = CostLimits(limits)
        limited._check_limits()
        return limited

    @property
    def declaration(self) -> dict[str, Any] | None:
        """All that another process needs to make an equal space, for JSON; `None`: it cannot."""
        return None

    @property
    def cost_range(self) -> tuple[Cost, Cost] | None:
        """The least and the most of each cost, not always of one and the same architecture.

        `None` where the space does not know.
        """
        return None

    def _check_limits(self) -> None:
        if not self.limits:
            return
        if not self.knows_costs:
            raise ValueError(f"`limits` need a `cost`, but got {self.limits} and none.")
        self.limits.check_names(self.cost_names)
        if self.cost_range is not None:
            self.limits.check_within(*self.cost_range)

    @cached_property
    def cost_names(self) -> tuple[str, ...]:
        """The costs that it knows; by default those of a random architecture."""
        if self.token_costs(self.params_to_tokens([])) is None:
            return ()
        cost = self.cost(self.sample(np.random.default_rng(0), 1)[0])
        return () if cost is None else tuple(cost)

    @property
    def knows_costs(self) -> bool:
        """Whether :meth:`token_costs` gives numbers."""
        return bool(self.cost_names)

    def descriptors(self, tokens: TokenArray) -> FloatArray:
        """(N, T) canonical tokens -> (N, F) numbers that describe architectures, by default none.

        They are of any scale, and need no evaluation.
        """
        return np.empty((len(tokens), 0))

    def token_costs(self, tokens: TokenArray) -> FloatArray | None:
        """(N, T) valid tokens -> (N, K) costs, a column each name; `None` where unknown."""
        return None
