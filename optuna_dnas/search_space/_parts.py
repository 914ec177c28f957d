"""The parts of a declaration: a choice, an integer, several of them, and blocks that are repeated.

N: architectures, t: tokens of a part, F: descriptors of a part.
"""

import abc
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
import itertools
import math
from typing import Any
from typing import NamedTuple

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import IntDistribution

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.search_space._architecture import Architecture
from optuna_dnas.search_space._factors import Factor
from optuna_dnas.search_space._factors import LAYERS
from optuna_dnas.search_space._picture import Picture


# Each value is a token's choice, which the controller learns one by one.
MAX_VALUES = 64


class Leaf(NamedTuple):
    """One parameter, and its token."""

    name: str
    value: "Value"
    part: str
    field: str | None = None
    depth_of: "Repeat | None" = None
    """It is how often this block is repeated."""
    block: "tuple[Repeat, int] | None" = None
    """The block that it is in, and which one."""
    node: int | None = None
    """The node of a graph that it is about."""

    @property
    def place(self) -> int | None:
        """The number of its block or node."""
        return self.node if self.block is None else self.block[1]

    @property
    def is_conditional(self) -> bool:
        """Whether it may be absent."""
        return self.block is not None and self.block[1] >= self.block[0].low

    @property
    def n_tokens(self) -> int:
        """Its values, and one more for an absent one."""
        return len(self.value.values) + self.is_conditional

    @property
    def factor(self) -> Factor:
        """In words."""
        if self.depth_of is not None:
            return Factor(name=f"number of {self.part}", kind=LAYERS)
        place = self.part
        if self.block is not None:
            place = f"{_singular(self.part)} {self.block[1] + 1}"
        elif self.node is not None:
            place = f"{self.part} {self.node}"
        name = place if self.field is None else f"{self.field} of {place}"
        kind = self.field or self.part
        if self.value.is_ordered:
            return Factor(name=name, kind=kind)
        phrases = tuple(f"{name} is {value}" for value in self.value.values)
        return Factor(name=name, kind=kind, phrases=phrases)

    def measure(self, tokens: IntArray) -> FloatArray:
        """(N,) the number, or the place among the options; NaN where it does not exist."""
        values = self.value.values if self.value.is_ordered else range(len(self.value.values))
        measured: FloatArray = np.array([*values, np.nan], dtype=float)[tokens]
        return measured


class Part(abc.ABC):
    """What a declaration is made of. All methods are told what the part is called."""

    @abc.abstractmethod
    def leaves(self, name: str) -> list[Leaf]:
        """Its parameters; what others depend on comes first."""

    @abc.abstractmethod
    def build(self, name: str, params: Mapping[str, Any]) -> Any:
        """What an architecture has under its name, of the parameters that exist."""

    @abc.abstractmethod
    def flatten(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        """The inverse of :meth:`build`: names of parameters, and their values."""

    @property
    @abc.abstractmethod
    def n_combinations(self) -> int:
        """Of the parameters that exist."""

    @abc.abstractmethod
    def rows(self) -> Iterator[tuple[int, ...]]:
        """The tokens of all combinations."""

    @abc.abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All that it says, for `part_from_json`."""

    def existing(self, leaves: Sequence[Leaf], params: Mapping[str, Any]) -> Iterator[Leaf]:
        """Those of its leaves that exist, which the earlier ones decide; by default all.

        Raises:
            KeyError: One that decides is missing.
        """
        return iter(leaves)

    def canonicalize(self, tokens: IntArray) -> tuple[IntArray, BoolArray]:
        """(N, t) tokens -> canonical ones, and (N,) which are valid; by default all are both."""
        return tokens, np.ones(len(tokens), dtype=bool)

    @property
    def is_movable(self) -> bool:
        """Whether the canonical form may write elsewhere what a token says."""
        return False

    def descriptors(self, tokens: TokenArray) -> FloatArray:
        """(N, t) canonical tokens -> (N, F) numbers; by default none."""
        return np.empty((len(tokens), 0))

    def factors(self, name: str) -> tuple[list[Factor], list[Factor]]:
        """Its parameters in words, and what follows from them."""
        return [leaf.factor for leaf in self.leaves(name)], []

    def measure(self, tokens: IntArray) -> tuple[FloatArray, FloatArray]:
        """(N, t) canonical tokens -> the values of its :meth:`factors`; NaN where none exists."""
        values = [leaf.measure(tokens[:, t]) for t, leaf in enumerate(self.leaves(""))]
        return np.stack(values, axis=1), np.empty((len(tokens), 0))

    def describe(self, name: str, value: Any) -> list[str]:
        """Lines of text, of what :meth:`build` has made."""
        return [f"{name}: {_describe(value)}"]

    def picture(self, name: str, value: Any) -> Picture | None:
        """Of what :meth:`build` has made; by default its parameters are rows of a table."""
        return None


class Value(Part):
    """A single parameter."""

    @property
    @abc.abstractmethod
    def values(self) -> tuple[Any, ...]:
        """The options of its tokens 0, 1, 2 ..., in their order."""

    @property
    @abc.abstractmethod
    def is_ordered(self) -> bool:
        """Whether the values are numbers."""

    @property
    @abc.abstractmethod
    def distribution(self) -> BaseDistribution:
        """Of the Optuna parameter."""

    def leaves(self, name: str) -> list[Leaf]:
        return [Leaf(name, self, name)]

    def build(self, name: str, params: Mapping[str, Any]) -> Any:
        return params[name]

    def flatten(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        yield name, value

    @property
    def n_combinations(self) -> int:
        return len(self.values)

    def rows(self) -> Iterator[tuple[int, ...]]:
        return ((k,) for k in range(len(self.values)))

    @property
    def ranks(self) -> IntArray:
        """(n,) of the values, which are numbers: the place of each in their order."""
        return np.argsort(np.argsort(self.values))

    def descriptors(self, tokens: TokenArray) -> FloatArray:
        """Numbers by their rank."""
        if not self.is_ordered:
            return super().descriptors(tokens)
        ranks: FloatArray = self.ranks[tokens].astype(float)
        return ranks


@dataclass(frozen=True, init=False)
class Choice(Value):
    """One of several options: ``Choice("attention", "conv")``, ``Choice(64, 128, 256)``.

    Args:
        options: Different values of the types that Optuna stores: `None`, `bool`, `int`, `float`
            and `str`. Numbers are ordered, anything else is not.

    Raises:
        ValueError: There is none, or one of them twice.
        TypeError: One is of another type.
    """

    options: tuple[Any, ...]

    def __init__(self, *options: Any) -> None:
        if not options:
            raise ValueError("`Choice` needs at least one option.")
        for n, option in enumerate(options):
            if not isinstance(option, None | bool | int | float | str):
                raise TypeError(f"An option must be a plain value, but got {option!r}.")
            if option in options[:n]:
                raise ValueError(f"`Choice` has the option {option!r} twice: {options}.")
        if len(options) > MAX_VALUES:
            raise ValueError(f"`Choice` takes {MAX_VALUES} options, but got {len(options)}.")
        object.__setattr__(self, "options", options)

    @property
    def values(self) -> tuple[Any, ...]:
        return self.options

    @property
    def is_ordered(self) -> bool:
        return all(isinstance(o, int | float) and not isinstance(o, bool) for o in self.options)

    @property
    def distribution(self) -> BaseDistribution:
        return CategoricalDistribution(self.options)

    def to_json(self) -> dict[str, Any]:
        return {"choice": list(self.options)}


@dataclass(frozen=True)
class Integer(Value):
    """An integer of a range: ``Integer(1, 8)``, ``Integer(32, 256, step=32)``.

    Args:
        low: The least.
        high: The most.
        step: Between two of them.

    Raises:
        ValueError: There is none, or there are too many of them.
    """

    low: int
    high: int
    step: int = 1

    def __post_init__(self) -> None:
        n = len(range(self.low, self.high + 1, self.step)) if self.step > 0 else 0
        if not 1 <= n <= MAX_VALUES:
            raise ValueError(
                f"`{self}` must have 1 to {MAX_VALUES} values, but has {n}. A parameter that is "
                "not declared may have any range: suggest it beside the architecture."
            )

    @cached_property
    def values(self) -> tuple[int, ...]:
        return tuple(range(self.low, self.high + 1, self.step))

    @property
    def is_ordered(self) -> bool:
        return True

    @property
    def distribution(self) -> BaseDistribution:
        return IntDistribution(self.low, self.values[-1], step=self.step)

    def to_json(self) -> dict[str, Any]:
        return {"integer": [self.low, self.high, self.step]}


@dataclass(frozen=True)
class Group(Part):
    """Several choices by name; in a declaration, a dict is one."""

    choices: Mapping[str, Value]

    def leaves(self, name: str) -> list[Leaf]:
        return [Leaf(f"{name}_{key}", value, name, key) for key, value in self.choices.items()]

    def build(self, name: str, params: Mapping[str, Any]) -> Any:
        return Architecture(**{key: params[f"{name}_{key}"] for key in self.choices})

    def flatten(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        for key in self.choices:
            yield f"{name}_{key}", value[key]

    @property
    def n_combinations(self) -> int:
        return math.prod(value.n_combinations for value in self.choices.values())

    def rows(self) -> Iterator[tuple[int, ...]]:
        return itertools.product(*(range(len(v.values)) for v in self.choices.values()))

    def descriptors(self, tokens: TokenArray) -> FloatArray:
        columns = [v.descriptors(tokens[:, [t]]) for t, v in enumerate(self.choices.values())]
        return np.concatenate(columns, axis=1)

    def to_json(self) -> dict[str, Any]:
        return {"group": [[key, value.to_json()] for key, value in self.choices.items()]}


Block = Value | Mapping[str, Value]


@dataclass(frozen=True)
class Repeat(Part):
    """A block, repeated.

    Args:
        block: One choice, or several by name.
        depth: How many times: a number, or the least and the most.
        names: What its parameters are called, with ``{k}`` for the number of a block and
            ``{field}`` for the name of a choice; by default ``layers_{k}_{field}`` of a part that
            is called ``layers``.
        depth_name: What the depth is called; by default ``n_layers``.
        first: The number of the first block in names.

    Raises:
        ValueError: The depth is no such thing, or the block is empty, or names are not different.
        TypeError: The block is no choice.
    """

    block: Block
    depth: int | tuple[int, int] = field(kw_only=True)
    names: str | None = field(default=None, kw_only=True)
    depth_name: str | None = field(default=None, kw_only=True)
    first: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        low, high = self.low, self.high
        if not (isinstance(low, int) and isinstance(high, int) and 0 <= low <= high and high > 0):
            raise ValueError(f"`depth` must be like 4 or (1, 6), but got {self.depth!r}.")
        check_block("block", self.block)
        needed = ["{k}", "{field}"] if None not in self.fields else ["{k}"]
        if self.names is not None and not all(word in self.names for word in needed):
            raise ValueError(f"`names` must hold {' and '.join(needed)}, but is {self.names!r}.")

    def depth_parameter(self, part: str) -> str:
        """The name of the depth, of a part that is called so."""
        return f"n_{part}" if self.depth_name is None else self.depth_name

    def parameter(self, part: str, k: int, field: str | None) -> str:
        """The name of a choice of block ``k``, counted from 0."""
        if self.names is None:
            words = [part, str(k + self.first), *([] if field is None else [field])]
            return "_".join(words)
        return self.names.replace("{k}", str(k + self.first)).replace("{field}", field or "")

    @property
    def low(self) -> int:
        """The least depth."""
        return self.depth if isinstance(self.depth, int) else self.depth[0]

    @property
    def high(self) -> int:
        """The largest depth."""
        return self.depth if isinstance(self.depth, int) else self.depth[1]

    @property
    def fields(self) -> dict[str | None, Value]:
        """The choices of one block, by name; a single one has none."""
        if isinstance(self.block, Value):
            return {None: self.block}
        fields: dict[str | None, Value] = dict(self.block.items())
        return fields

    def leaves(self, name: str) -> list[Leaf]:
        depths = [Integer(self.low, self.high)] if self.low < self.high else []
        of_depth = [Leaf(self.depth_parameter(name), d, name, depth_of=self) for d in depths]
        return of_depth + [
            Leaf(self.parameter(name, k, key), value, name, key, block=(self, k))
            for k in range(self.high)
            for key, value in self.fields.items()
        ]

    def existing(self, leaves: Sequence[Leaf], params: Mapping[str, Any]) -> Iterator[Leaf]:
        depth = self.high
        for leaf in leaves:
            if leaf.block is None or leaf.block[1] < depth:
                yield leaf
            if leaf.depth_of is not None:
                depth = params[leaf.name]

    def build(self, name: str, params: Mapping[str, Any]) -> Any:
        depth = params[self.depth_parameter(name)] if self.low < self.high else self.high
        fields = self.fields
        if None in fields:
            return tuple(params[self.parameter(name, k, None)] for k in range(depth))
        return tuple(
            Architecture(**{str(key): params[self.parameter(name, k, key)] for key in fields})
            for k in range(depth)
        )

    def flatten(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        if self.low < self.high:
            yield self.depth_parameter(name), len(value)
        for k, entry in enumerate(value):
            for key in self.fields:
                yield self.parameter(name, k, key), entry if key is None else entry[key]

    @property
    def n_combinations(self) -> int:
        n = math.prod(value.n_combinations for value in self.fields.values())
        return sum(n**depth for depth in range(self.low, self.high + 1))

    def rows(self) -> Iterator[tuple[int, ...]]:
        sizes = [len(value.values) for value in self.fields.values()]
        blocks = list(itertools.product(*map(range, sizes)))
        for depth in range(self.low, self.high + 1):
            first = (depth - self.low,) if self.low < self.high else ()
            absent = tuple(sizes) * (self.high - depth)
            for row in itertools.product(blocks, repeat=depth):
                yield (*first, *itertools.chain.from_iterable(row), *absent)

    def canonicalize(self, tokens: IntArray) -> tuple[IntArray, BoolArray]:
        """Blocks beyond the depth are absent; tokens are valid where no other one is."""
        valid = np.ones(len(tokens), dtype=bool)
        if self.low == self.high:
            return tokens, valid
        canonical = tokens.copy()
        fields = list(self.fields.values())
        for k, t in itertools.product(range(self.low, self.high), range(len(fields))):
            column, absent = 1 + k * len(fields) + t, len(fields[t].values)
            exists = self.low + tokens[:, 0] > k
            valid &= ~exists | (canonical[:, column] < absent)
            canonical[~exists, column] = absent
        return canonical, valid

    def descriptors(self, tokens: TokenArray) -> FloatArray:
        """The depth, how many blocks have each option, and the mean of numbers, by their rank."""
        is_deep = self.low < self.high
        columns = [tokens[:, 0].astype(float)] if is_deep else []
        for t, value in enumerate(self.fields.values()):
            of_blocks = tokens[:, is_deep + t :: len(self.fields)]
            n = len(value.values)
            counts = (of_blocks[:, :, None] == np.arange(n)).sum(axis=1).astype(float)  # (N, n)
            columns += list(counts.T)
            if value.is_ordered:
                columns.append(counts @ value.ranks / np.maximum(counts.sum(axis=1), 1))
        return np.stack(columns, axis=1)

    def factors(self, name: str) -> tuple[list[Factor], list[Factor]]:
        basic, _ = super().factors(name)
        derived = []
        for key, value in self.fields.items():
            kind = key or name
            if value.is_ordered:
                derived.append(Factor(name=f"mean {kind}", kind=kind, is_derived=True))
                continue
            what = f"{name} " if key is None else f"{name} whose {key} is "
            derived += [
                Factor(name=f"number of {what}{option}", kind=kind, is_derived=True)
                for option in value.values
            ]
        return basic, derived

    def measure(self, tokens: IntArray) -> tuple[FloatArray, FloatArray]:
        basic, _ = super().measure(tokens)
        is_deep, columns = self.low < self.high, []
        for t, value in enumerate(self.fields.values()):
            blocks = slice(is_deep + t, None, len(self.fields))
            if value.is_ordered:
                columns.append(_mean(basic[:, blocks])[:, None])
            else:
                options = np.arange(len(value.values))
                columns.append((tokens[:, blocks, None] == options).sum(axis=1).astype(float))
        return basic, np.concatenate(columns, axis=1)

    def describe(self, name: str, value: Any) -> list[str]:
        return [f"{name}[{k}]: {_describe(entry)}" for k, entry in enumerate(value)]

    def to_json(self) -> dict[str, Any]:
        return {
            "repeat": to_part("block", self.block).to_json(),
            "depth": [self.low, self.high],
            "names": self.names,
            "depth_name": self.depth_name,
            "first": self.first,
        }


def to_parts(declared: Mapping[str, Any]) -> dict[str, Part]:
    """The parts of a declaration by name.

    Raises:
        ValueError: There are none, or one is an empty dict.
        TypeError: One is something else.
    """
    if not declared:
        raise ValueError("`ArchitectureSpace` needs at least one part.")
    return {name: to_part(name, part) for name, part in declared.items()}


def to_part(name: str, part: Any) -> Part:
    if isinstance(part, Part):
        return part
    check_block(name, part)
    return Group(part)


def _singular(name: str) -> str:
    """Of a name that a repeated block may have: layers, edges."""
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def _mean(values: FloatArray) -> FloatArray:
    """(N, K) -> (N,) the mean of those that exist; NaN where none does."""
    n_existing = (~np.isnan(values)).sum(axis=1)
    means: FloatArray = np.full(len(values), np.nan)
    np.divide(np.nan_to_num(values).sum(axis=1), n_existing, out=means, where=n_existing > 0)
    return means


def _describe(value: Any) -> str:
    if isinstance(value, Architecture):
        return ", ".join(f"{key} {v}" for key, v in value.items())
    return str(value)


def check_block(name: str, block: Any) -> None:
    """Raise if this is no choice, and not several by name."""
    if isinstance(block, Value):
        return
    if not isinstance(block, Mapping):
        raise TypeError(f"`{name}` must be a Choice, an Integer, or a dict, but got {block!r}.")
    if not block:
        raise ValueError(f"`{name}` must not be empty.")
    for key, value in block.items():
        if not (isinstance(key, str) and key.isidentifier()):
            raise ValueError(f"`{name}` must have names like variables, but got {key!r}.")
        if not isinstance(value, Value):
            raise TypeError(f"`{name}[{key!r}]` must be a Choice or an Integer, not {value!r}.")
