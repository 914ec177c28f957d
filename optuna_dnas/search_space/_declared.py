"""A search space declared in the user's own words, and what follows from the declaration.

N: architectures, T: tokens.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from functools import cached_property
import hashlib
import itertools
import math
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.trial import BaseTrial

from optuna_dnas._optuna_compat import suggest
from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.encoding import Token
from optuna_dnas.encoding import Vocabulary
from optuna_dnas.exceptions import InvalidSpaceError
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space._architecture import Architecture
from optuna_dnas.search_space._base import SearchSpace
from optuna_dnas.search_space._cost import Cost
from optuna_dnas.search_space._cost import CostLimits
from optuna_dnas.search_space._cost import Limits
from optuna_dnas.search_space._declared_factors import DeclaredFactors
from optuna_dnas.search_space._graph import Graph
from optuna_dnas.search_space._mutation import choose_tokens
from optuna_dnas.search_space._mutation import other_choices
from optuna_dnas.search_space._parts import Choice
from optuna_dnas.search_space._parts import Integer
from optuna_dnas.search_space._parts import Leaf
from optuna_dnas.search_space._parts import Part
from optuna_dnas.search_space._parts import Repeat
from optuna_dnas.search_space._parts import to_parts
from optuna_dnas.search_space._picture import draw_table
from optuna_dnas.search_space._picture import Picture
from optuna_dnas.search_space._picture import stack


_MAX_ENUMERATED = 1_000_000
_MAX_COSTS = 100_000  # that are kept
_MAX_INVALID = 100_000  # in a row, before it is given up


class ArchitectureSpace(SearchSpace[Architecture]):
    """Choices and repeated blocks, by name.

    Example::

        space = ArchitectureSpace(
            layers=Repeat({"width": Choice(64, 128), "skip": Choice(False, True)}, depth=(1, 6)),
            head=Choice("mean", "cls"),
        )
        architecture = space.suggest(trial)
        architecture.layers[0].width, architecture.head

    Optuna parameters: ``head``; ``n_layers``, and ``layers_0_width``, ``layers_0_skip``,
    ``layers_1_width`` ... (or other names, see `Repeat`). A trial asks for those that exist. What
    an objective suggests besides, a learning rate, say, is searched together with it.

    All that follows from the declaration can be overridden: an equivalence (`canonicalize`), a
    cost (`cost_names`, `cost`, `token_costs`), descriptors, pictures.

    Args:
        cost: Architecture -> `Cost`, exact, with the same names for all; by default unknown.
        limits: What a search may propose, as ``{"params": 10_000}``; needs ``cost``.
        parts: A `Choice`, an `Integer`, a dict of several, or a `Repeat`, by name.
        named: The same, by keyword.

    Raises:
        ValueError: There are no parts, two parameters have one name, or a limit is of no cost.
        TypeError: A part is something else.
        InvalidSpaceError: `cost` gives something else, here or whenever it is asked.
    """

    def __init__(
        self,
        parts: Mapping[str, Part] | None = None,
        /,
        *,
        cost: Callable[[Architecture], Cost] | None = None,
        limits: Limits | None = None,
        **named: Part,
    ) -> None:
        self.declared: Mapping[str, Part] = to_parts({**(parts or {}), **named})
        self.limits = CostLimits(limits)
        self._cost = cost
        self._known_costs: dict[bytes, tuple[float, ...]] = {}
        self._leaves_of = {name: part.leaves(name) for name, part in self.declared.items()}
        self.leaves = tuple(itertools.chain.from_iterable(self._leaves_of.values()))
        names = [leaf.name for leaf in self.leaves]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"Two parameters are called {', '.join(map(repr, twice))}.")
        self._check_limits()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in self.declared.items())})"

    @property
    def declaration(self) -> dict[str, Any]:
        """The parts; a cost, and what a subclass overrides, is code that no study keeps."""
        return {"parts": [[name, part.to_json()] for name, part in self.declared.items()]}

    @classmethod
    def from_declaration(cls, declaration: Mapping[str, Any]) -> "ArchitectureSpace":
        """The inverse of :attr:`declaration`, also after JSON."""
        return cls({name: _part_from_json(part) for name, part in declaration["parts"]})

    @property
    def has_own_code(self) -> bool:
        return super().has_own_code or self._cost is not None

    # -- Parameters

    @cached_property
    def distributions(self) -> dict[str, BaseDistribution]:
        return {leaf.name: leaf.value.distribution for leaf in self.leaves}

    def suggest(self, trial: BaseTrial) -> Architecture:
        """Ask a trial for the parameters that exist."""
        params: dict[str, Any] = {}
        for leaf in self._existing(params):
            params[leaf.name] = suggest(trial, leaf.name, leaf.value.distribution)
        return self.params_to_architecture(params)

    def covers(self, params: Mapping[str, Any]) -> bool:
        """Whether all are there that exist, with values of this space."""
        try:
            return all(params[leaf.name] in leaf.value.values for leaf in self._existing(params))
        except KeyError:
            return False

    def params_to_architecture(self, params: Mapping[str, Any]) -> Architecture:
        for leaf in self._existing(params):
            if leaf.name not in params:
                raise OutOfDomainError(f"`{leaf.name}` is missing.")
            if params[leaf.name] not in leaf.value.values:
                raise OutOfDomainError(
                    f"`{leaf.name}` must be one of {leaf.value.values}, but got "
                    f"{params[leaf.name]!r}."
                )
        return Architecture(
            **{name: part.build(name, params) for name, part in self.declared.items()}
        )

    def architecture_to_params(self, architecture: Architecture) -> dict[str, Any]:
        return self.tokens_to_params(self._canonical_tokens(architecture))[0]

    def _existing(self, params: Mapping[str, Any]) -> Iterator[Leaf]:
        """Those that exist by the depths, each of which is asked for before its blocks.

        Raises:
            KeyError: There is no depth.
        """
        for name, part in self.declared.items():
            yield from part.existing(self._leaves_of[name], params)

    # -- Tokens

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """One LSTM step for each block and each depth; neighboring choices share one."""
        tokens: list[Token] = []
        slots: dict[tuple[str, str | None, bool], int] = {}
        step, place = -1, None
        for leaf in self.leaves:
            in_block = leaf.block is not None or leaf.node is not None
            here = (leaf.part, leaf.place) if in_block else leaf.depth_of is not None
            if place is None or here != place or here is True:
                step += 1
            place = here
            # Blocks and nodes of one kind share weights; of other choices, each has its own.
            kind = leaf.part, leaf.field, in_block
            slot = slots.setdefault(kind, len(slots))
            tokens.append(Token(leaf.name, leaf.n_tokens, step, slot))
        return Vocabulary(tokens)

    def params_to_tokens(self, params: Sequence[Mapping[str, Any]]) -> IntArray:
        tokens = np.empty((len(params), len(self.leaves)), dtype=np.int64)
        for t, leaf in enumerate(self.leaves):
            values, absent = leaf.value.values, leaf.n_tokens - 1
            tokens[:, t] = [
                values.index(p[leaf.name]) if p.get(leaf.name, _MISSING) in values else absent
                for p in params
            ]
        return tokens

    def tokens_to_params(self, tokens: TokenArray) -> list[dict[str, Any]]:
        """(N, T) valid tokens -> N parameter sets, of those that exist."""
        params: list[dict[str, Any]] = [{} for _ in range(len(tokens))]
        for leaf, column in zip(self.leaves, np.asarray(tokens).T.tolist(), strict=True):
            values = leaf.value.values
            for of_row, token in zip(params, column, strict=True):
                if token < len(values):
                    of_row[leaf.name] = values[int(token)]
        return params

    @cached_property
    def factor_model(self) -> DeclaredFactors:
        return DeclaredFactors(self)

    def canonicalize(self, tokens: TokenArray) -> tuple[IntArray, BoolArray]:
        """As its parts have it: blocks beyond a depth are absent, equal graphs written alike."""
        canonical = np.array(tokens, dtype=np.int64)
        valid = np.ones(len(tokens), dtype=bool)
        for name, columns in self.columns_of.items():
            part = self.declared[name]
            canonical[:, columns], of_part = part.canonicalize(canonical[:, columns])
            valid &= of_part
        return canonical, valid

    @cached_property
    def columns_of(self) -> dict[str, slice]:
        """The tokens of each part."""
        ends = itertools.accumulate(map(len, self._leaves_of.values()))
        return {
            name: slice(end - len(leaves), end)
            for end, (name, leaves) in zip(ends, self._leaves_of.items(), strict=True)
        }

    @property
    def is_movable(self) -> BoolArray:
        """A parameter has one place, but in graphs, and where an equivalence is declared."""
        is_own = type(self).canonicalize is not ArchitectureSpace.canonicalize
        return np.array([is_own or self.declared[leaf.part].is_movable for leaf in self.leaves])

    def fixed_tokens(self, params: Mapping[str, Any]) -> dict[int, int]:
        return {
            t: leaf.value.values.index(params[leaf.name])
            for t, leaf in enumerate(self.leaves)
            if params.get(leaf.name, _MISSING) in leaf.value.values
        }

    def tokens_to_architectures(self, tokens: TokenArray) -> list[Architecture]:
        """(N, T) valid tokens -> N architectures."""
        return [self.params_to_architecture(params) for params in self.tokens_to_params(tokens)]

    def _canonical_tokens(self, architecture: Architecture) -> IntArray:
        params = {
            key: value
            for name, part in self.declared.items()
            for key, value in part.flatten(name, architecture[name])
        }
        self.params_to_architecture(params)
        return self.canonicalize(self.params_to_tokens([params]))[0]

    # -- Architectures

    @property
    def size(self) -> float:
        """Of the parameters' combinations; equivalent ones count each."""
        return float(math.prod(part.n_combinations for part in self.declared.values()))

    def canonical(self, architecture: Architecture) -> Architecture:
        return self.tokens_to_architectures(self._canonical_tokens(architecture))[0]

    def hash(self, architecture: Architecture) -> str:
        text = repr(sorted(self.architecture_to_params(architecture).items()))
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    def draw(self, architecture: Architecture) -> str:
        """A line for each part, and for each block."""
        lines = (part.describe(name, architecture[name]) for name, part in self.declared.items())
        return "\n".join(itertools.chain.from_iterable(lines))

    def picture(self, architecture: Architecture) -> Picture:
        """Graphs as graphs, and a table of everything else."""
        pictures = {
            name: part.picture(name, architecture[name]) for name, part in self.declared.items()
        }
        in_table = {
            key: value
            for name, part in self.declared.items()
            if pictures[name] is None
            for key, value in part.flatten(name, architecture[name])
        }
        drawn = [picture for picture in pictures.values() if picture is not None]
        return stack([draw_table(in_table), *drawn] if in_table else drawn)

    def sample(self, rng: np.random.Generator, n: int) -> list[Architecture]:
        return self.tokens_to_architectures(self.sample_tokens(n, rng))

    def sample_tokens(self, n: int, rng: np.random.Generator) -> IntArray:
        """(n, T) canonical tokens; parameters are independent and uniform, and depths with them.

        Uniform architectures would be as deep as they can be, nearly all of them.

        Raises:
            ValueError: Hardly any, or none, is valid.
        """
        kept, n_kept = [np.empty((0, len(self.leaves)), dtype=np.int64)], 0
        n_drawn = 0
        while n_kept < n:
            columns = [rng.integers(0, len(leaf.value.values), n) for leaf in self.leaves]
            canonical, valid = self.canonicalize(np.stack(columns, axis=1))
            kept.append(canonical[valid])
            n_kept += int(valid.sum())
            n_drawn += n
            if n_kept == 0 and n_drawn > _MAX_INVALID:
                raise ValueError(f"Of {n_drawn:,} random architectures of {self}, none is valid.")
        return np.concatenate(kept)[:n]

    def mutate_tokens(
        self, tokens: TokenArray, rng: np.random.Generator, *, reach: float = 1.0
    ) -> IntArray:
        """What a depth adds is drawn at random."""
        n_values = np.array([len(leaf.value.values) for leaf in self.leaves])
        exists = tokens < n_values
        written = np.where(exists, tokens, rng.integers(0, n_values, tokens.shape))
        chosen = choose_tokens(exists, rng, reach=reach)
        mutated = np.where(chosen, other_choices(written, n_values, rng), written)
        return mutated.astype(np.int64)

    @cached_property
    def numbers_of_choices(self) -> FloatArray | None:
        """Of numbers, their ranks."""
        numbers = np.full(self.vocabulary.legal.shape, np.nan)
        for of_leaf, leaf in zip(numbers, self.leaves, strict=True):
            if leaf.value.is_ordered:
                ranks = leaf.value.ranks
                of_leaf[: len(ranks)] = ranks / max(len(ranks) - 1, 1)
        return numbers

    def enumerate_tokens(self) -> IntArray:
        """(N, T) all different architectures.

        Raises:
            ValueError: The space is too large.
        """
        if self.size > _MAX_ENUMERATED:
            raise ValueError(f"{self.size:.3g} architectures are too many to enumerate.")
        rows = itertools.product(*(part.rows() for part in self.declared.values()))
        tokens = np.array([sum(parts, ()) for parts in rows], dtype=np.int64)
        canonical, valid = self.canonicalize(tokens)
        return np.unique(canonical[valid], axis=0)

    # -- What is known without an evaluation

    @cached_property
    def cost_names(self) -> tuple[str, ...]:
        if self._cost is None:
            return super().cost_names
        tokens = self.sample_tokens(1, np.random.default_rng(0))
        cost = self._costed(self.tokens_to_architectures(tokens)[0])
        self._known_costs[tokens[0].tobytes()] = tuple(cost.values())
        return tuple(cost)

    def cost(self, architecture: Architecture) -> Cost | None:
        if self._cost is None:
            return None
        cost = self._costed(architecture)
        if cost.keys() != set(self.cost_names):
            raise InvalidSpaceError(
                f"{type(self).__name__}.cost",
                f"must name {self.cost_names} of all architectures, but returned {cost}.",
            )
        return cost

    def _costed(self, architecture: Architecture) -> Cost:
        assert self._cost is not None
        cost = self._cost(architecture)
        if not isinstance(cost, Cost):
            raise InvalidSpaceError(
                f"{type(self).__name__}.cost", f"must return a `Cost`, but returned {cost!r}."
            )
        return cost

    def token_costs(self, tokens: TokenArray) -> FloatArray | None:
        """(N, T) tokens -> (N, K); infinite where they are not valid."""
        if self._cost is None:
            return None
        if len(self._known_costs) > _MAX_COSTS:
            self._known_costs = {}  # A thread that has the old ones keeps them.
        names, known = self.cost_names, self._known_costs
        canonical, valid = self.canonicalize(tokens)
        rows = np.flatnonzero(valid)
        keys = [row.tobytes() for row in canonical[rows]]
        row_of = dict(zip(keys, rows, strict=True))
        new = {key: row for key, row in row_of.items() if key not in known}
        architectures = self.tokens_to_architectures(canonical[list(new.values())])
        for key, architecture in zip(new, architectures, strict=True):
            cost = self.cost(architecture)
            assert cost is not None
            known[key] = tuple(cost[name] for name in names)
        costs = np.full((len(tokens), len(names)), np.inf)
        costs[rows] = np.reshape([known[key] for key in keys], (-1, len(names)))
        return costs

    def descriptors(self, tokens: TokenArray) -> FloatArray:
        """(N, T) canonical tokens -> (N, F): those of each part."""
        tokens = np.asarray(tokens)
        columns = [
            self.declared[name].descriptors(tokens[:, of_part])
            for name, of_part in self.columns_of.items()
        ]
        return np.concatenate(columns, axis=1)


_MISSING = object()


def _part_from_json(said: Mapping[str, Any]) -> Any:
    """The inverse of `Part.to_json`, but for a `Group`, which is a dict."""
    if "choice" in said:
        return Choice(*said["choice"])
    if "integer" in said:
        return Integer(*said["integer"])
    if "graph" in said:
        return _graph_from_json(said["graph"])
    if "repeat" in said:
        low, high = said["depth"]
        depth = high if low == high else (low, high)
        return Repeat(
            _part_from_json(said["repeat"]),
            depth=depth,
            names=said.get("names"),
            depth_name=said.get("depth_name"),
            first=said.get("first", 0),
        )
    return {name: _part_from_json(value) for name, value in said["group"]}


def _graph_from_json(said: Mapping[str, Any]) -> Graph:
    choices = {
        key: None if said[key] is None else _part_from_json(said[key]) for key in ("op", "edge_op")
    }
    return Graph(**{**said, **choices})
