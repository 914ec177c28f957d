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
from typing import NamedTuple

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
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space._architecture import Architecture
from optuna_dnas.search_space._base import SearchSpace
from optuna_dnas.search_space._cost import Cost
from optuna_dnas.search_space._cost import CostLimits
from optuna_dnas.search_space._parts import check_block
from optuna_dnas.search_space._parts import Choice
from optuna_dnas.search_space._parts import Integer
from optuna_dnas.search_space._parts import Part
from optuna_dnas.search_space._parts import part_from_json
from optuna_dnas.search_space._parts import part_to_json
from optuna_dnas.search_space._parts import Repeat
from optuna_dnas.search_space._parts import Value


_MAX_ENUMERATED = 1_000_000
_MAX_COSTS = 100_000  # that are kept


class Leaf(NamedTuple):
    """One parameter, and its token."""

    name: str
    value: Value
    part: str
    field: str | None = None
    depth_of: Repeat | None = None
    """It is how often this block is repeated."""
    block: tuple[Repeat, int, int | None] | None = None
    """The block that it is in, which one, and the token of the depth where that varies."""

    @property
    def is_conditional(self) -> bool:
        """Whether it may be absent."""
        return self.block is not None and self.block[1] >= self.block[0].low

    @property
    def n_tokens(self) -> int:
        """Its values, and one more for an absent one."""
        return len(self.value.values) + self.is_conditional


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
    cost (`token_costs`), descriptors, pictures.

    Args:
        cost: Architecture -> `Cost`, exact; by default unknown.
        limits: What a search may propose; needs ``cost``.
        parts: A `Choice`, an `Integer`, a dict of several, or a `Repeat`, by name.
        named: The same, by keyword.

    Raises:
        ValueError: There are no parts, or two parameters have one name.
        TypeError: A part is something else.
    """

    def __init__(
        self,
        parts: Mapping[str, Part] | None = None,
        /,
        *,
        cost: Callable[[Architecture], Cost] | None = None,
        limits: CostLimits | None = None,
        **named: Part,
    ) -> None:
        parts = {**(parts or {}), **named}
        if not parts:
            raise ValueError("`ArchitectureSpace` needs at least one part.")
        for name, part in parts.items():
            if not isinstance(part, Repeat):
                check_block(name, part)
        self.declared: Mapping[str, Part] = parts
        self.limits = limits or CostLimits()
        self._cost = cost
        self._known_costs: dict[bytes, tuple[int, int]] = {}
        self.leaves = tuple(_leaves(parts))
        names = [leaf.name for leaf in self.leaves]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"Two parameters are called {', '.join(map(repr, twice))}.")
        self._check_limits()

    def _check_limits(self) -> None:
        if self.limits.is_bounded and self._cost is None:
            raise ValueError("`limits` need a `cost`.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in self.declared.items())})"

    @property
    def declaration(self) -> dict[str, Any]:
        """The parts; a cost, and what a subclass overrides, is code that no study keeps."""
        return {"parts": [[name, part_to_json(part)] for name, part in self.declared.items()]}

    @classmethod
    def from_declaration(cls, declaration: Mapping[str, Any]) -> "ArchitectureSpace":
        """The inverse of :attr:`declaration`, also after JSON."""
        return cls({name: part_from_json(part) for name, part in declaration["parts"]})

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
        parts = {name: _build(name, part, params) for name, part in self.declared.items()}
        return Architecture(**parts)

    def architecture_to_params(self, architecture: Architecture) -> dict[str, Any]:
        return self.tokens_to_params(self._canonical_tokens(architecture))[0]

    def _existing(self, params: Mapping[str, Any]) -> Iterator[Leaf]:
        """Those that exist by the depths, each of which is asked for before its blocks.

        Raises:
            KeyError: There is no depth.
        """
        for leaf in self.leaves:
            if leaf.is_conditional:
                assert leaf.block is not None
                _, k, depth_token = leaf.block
                assert depth_token is not None
                if k >= params[self.leaves[depth_token].name]:
                    continue
            yield leaf

    # -- Tokens

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """One LSTM step for each block and each depth; neighboring choices share one."""
        tokens: list[Token] = []
        slots: dict[tuple[str, str | None, bool], int] = {}
        step, place = -1, None
        for leaf in self.leaves:
            in_block = leaf.block is not None
            here = (leaf.part, leaf.block[1]) if leaf.block else leaf.depth_of is not None
            if place is None or here != place or here is True:
                step += 1
            place = here
            # Blocks of one kind share weights; of other choices, each has its own.
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

    def canonicalize(self, tokens: TokenArray) -> tuple[IntArray, BoolArray]:
        """Blocks beyond the depth are absent; tokens are valid where no other one is."""
        canonical = np.array(tokens, dtype=np.int64)
        valid = np.ones(len(tokens), dtype=bool)
        for t, leaf in enumerate(self.leaves):
            if leaf.is_conditional:
                assert leaf.block is not None
                repeat, k, depth_token = leaf.block
                exists = repeat.low + canonical[:, depth_token] > k
                absent = leaf.n_tokens - 1
                valid &= ~exists | (canonical[:, t] < absent)
                canonical[~exists, t] = absent
        return canonical, valid

    @property
    def is_movable(self) -> BoolArray:
        """A parameter has one place, unless an equivalence is declared."""
        has_equivalence = type(self).canonicalize is not ArchitectureSpace.canonicalize
        return np.full(len(self.leaves), has_equivalence)

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
        params = dict(_flatten(self.declared, architecture))
        self.params_to_architecture(params)
        return self.canonicalize(self.params_to_tokens([params]))[0]

    # -- Architectures

    @property
    def size(self) -> float:
        """Of the parameters' combinations; equivalent ones count each."""
        return float(math.prod(_n_combinations(part) for part in self.declared.values()))

    def canonical(self, architecture: Architecture) -> Architecture:
        return self.tokens_to_architectures(self._canonical_tokens(architecture))[0]

    def hash(self, architecture: Architecture) -> str:
        text = repr(sorted(self.architecture_to_params(architecture).items()))
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    def draw(self, architecture: Architecture) -> str:
        """A line for each part, and for each block."""
        lines = []
        for name, part in self.declared.items():
            value = architecture[name]
            entries = value if isinstance(part, Repeat) else (value,)
            for k, entry in enumerate(entries):
                title = f"{name}[{k}]" if isinstance(part, Repeat) else name
                text = (
                    ", ".join(f"{key} {v}" for key, v in entry.items())
                    if isinstance(entry, Architecture)
                    else str(entry)
                )
                lines.append(f"{title}: {text}")
        return "\n".join(lines)

    def sample(self, rng: np.random.Generator, n: int) -> list[Architecture]:
        return self.tokens_to_architectures(self.sample_tokens(n, rng))

    def sample_tokens(self, n: int, rng: np.random.Generator) -> IntArray:
        """(n, T) canonical tokens; parameters are independent and uniform, and depths with them.

        Uniform architectures would be as deep as they can be, nearly all of them.
        """
        kept, n_kept = [np.empty((0, len(self.leaves)), dtype=np.int64)], 0
        while n_kept < n:
            columns = [rng.integers(0, len(leaf.value.values), n) for leaf in self.leaves]
            canonical, valid = self.canonicalize(np.stack(columns, axis=1))
            kept.append(canonical[valid])
            n_kept += int(valid.sum())
        return np.concatenate(kept)[:n]

    def enumerate_tokens(self) -> IntArray:
        """(N, T) all different architectures.

        Raises:
            ValueError: The space is too large.
        """
        if self.size > _MAX_ENUMERATED:
            raise ValueError(f"{self.size:.3g} architectures are too many to enumerate.")
        rows = itertools.product(*(_part_rows(part) for part in self.declared.values()))
        tokens = np.array([sum(parts, ()) for parts in rows], dtype=np.int64)
        canonical, valid = self.canonicalize(tokens)
        return np.unique(canonical[valid], axis=0)

    # -- What is known without an evaluation

    def cost(self, architecture: Architecture) -> Cost | None:
        return None if self._cost is None else self._cost(architecture)

    def token_costs(self, tokens: TokenArray) -> FloatArray | None:
        """(N, T) tokens -> (N, 2); infinite where they are not valid."""
        if self._cost is None:
            return None
        if len(self._known_costs) > _MAX_COSTS:
            self._known_costs = {}  # A thread that has the old ones keeps them.
        known = self._known_costs
        canonical, valid = self.canonicalize(tokens)
        rows = np.flatnonzero(valid)
        keys = [row.tobytes() for row in canonical[rows]]
        row_of = dict(zip(keys, rows, strict=True))
        new = {key: row for key, row in row_of.items() if key not in known}
        architectures = self.tokens_to_architectures(canonical[list(new.values())])
        for key, architecture in zip(new, architectures, strict=True):
            cost = self._cost(architecture)
            known[key] = cost.flops, cost.params
        costs = np.full((len(tokens), 2), np.inf)
        costs[rows] = np.reshape([known[key] for key in keys], (-1, 2))
        return costs

    def descriptors(self, tokens: TokenArray) -> FloatArray:
        """(N, T) canonical tokens -> (N, F).

        Numbers by their rank; of repeated blocks the depth, how many have each option, and the
        mean of numbers.
        """
        columns: list[FloatArray] = []
        for t, leaf in enumerate(self.leaves):
            if leaf.block is None and (leaf.value.is_ordered or leaf.depth_of is not None):
                columns.append(tokens[:, t].astype(float))
        for of_field in self.repeated_fields.values():
            value = self.leaves[of_field[0]].value
            of_blocks = tokens[:, of_field]
            n = len(value.values)
            counts = (of_blocks[:, :, None] == np.arange(n)).sum(axis=1).astype(float)  # (N, n)
            columns += list(counts.T)
            if value.is_ordered:
                columns.append(counts @ np.arange(n) / np.maximum(counts.sum(axis=1), 1))
        return np.stack(columns, axis=1) if columns else np.empty((len(tokens), 0))

    @cached_property
    def repeated_fields(self) -> dict[tuple[str, str | None], list[int]]:
        """The tokens of each choice of repeated blocks, block by block."""
        found: dict[tuple[str, str | None], list[int]] = {}
        for t, leaf in enumerate(self.leaves):
            if leaf.block is not None:
                found.setdefault((leaf.part, leaf.field), []).append(t)
        return found


_MISSING = object()


def _leaves(parts: Mapping[str, Part]) -> Iterator[Leaf]:
    t = 0
    for name, part in parts.items():
        if isinstance(part, Choice | Integer):
            of_part = [Leaf(name, part, name)]
        elif isinstance(part, Repeat):
            depth_token = None
            of_part = []
            if part.low < part.high:
                depth_token = t
                depth = Integer(part.low, part.high)
                of_part.append(Leaf(part.depth_parameter(name), depth, name, depth_of=part))
            of_part += [
                Leaf(part.parameter(name, k, key), value, name, key, block=(part, k, depth_token))
                for k in range(part.high)
                for key, value in part.fields.items()
            ]
        else:
            of_part = [Leaf(_join(name, key), v, name, key) for key, v in part.items()]
        yield from of_part
        t += len(of_part)


def _join(part: str, field: str) -> str:
    return f"{part}_{field}"


def _build(name: str, part: Part, params: Mapping[str, Any]) -> Any:
    if isinstance(part, Choice | Integer):
        return params[name]
    if not isinstance(part, Repeat):
        return Architecture(**{key: params[_join(name, key)] for key in part})
    depth = params[part.depth_parameter(name)] if part.low < part.high else part.high
    fields = part.fields
    if None in fields:
        return tuple(params[part.parameter(name, k, None)] for k in range(depth))
    return tuple(
        Architecture(**{str(key): params[part.parameter(name, k, key)] for key in fields})
        for k in range(depth)
    )


def _flatten(
    parts: Mapping[str, Part], architecture: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """The parameters of an architecture."""
    for name, part in parts.items():
        value = architecture[name]
        if isinstance(part, Choice | Integer):
            yield name, value
        elif isinstance(part, Repeat):
            if part.low < part.high:
                yield part.depth_parameter(name), len(value)
            for k, entry in enumerate(value):
                for key in part.fields:
                    yield part.parameter(name, k, key), entry if key is None else entry[key]
        else:
            for key in part:
                yield _join(name, key), value[key]


def _n_combinations(part: Part) -> int:
    if isinstance(part, Choice | Integer):
        return len(part.values)
    if isinstance(part, Repeat):
        n = math.prod(len(value.values) for value in part.fields.values())
        return sum(n**depth for depth in range(part.low, part.high + 1))
    return math.prod(len(value.values) for value in part.values())


def _part_rows(part: Part) -> list[tuple[int, ...]]:
    """The tokens of all combinations."""
    if isinstance(part, Choice | Integer):
        return [(k,) for k in range(len(part.values))]
    if not isinstance(part, Repeat):
        return list(itertools.product(*(range(len(value.values)) for value in part.values())))
    sizes = [len(value.values) for value in part.fields.values()]
    blocks = list(itertools.product(*map(range, sizes)))
    rows = []
    for depth in range(part.low, part.high + 1):
        first = (depth - part.low,) if part.low < part.high else ()
        absent = tuple(sizes) * (part.high - depth)
        for row in itertools.product(blocks, repeat=depth):
            rows.append((*first, *itertools.chain.from_iterable(row), *absent))
    return rows
