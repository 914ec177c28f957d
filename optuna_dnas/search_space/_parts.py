"""The parts of a declaration: a choice, an integer, and blocks that are repeated."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import IntDistribution


# Each value is a token's choice, which the controller learns one by one.
_MAX_VALUES = 64


@dataclass(frozen=True, init=False)
class Choice:
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
        if len(options) > _MAX_VALUES:
            raise ValueError(f"`Choice` takes {_MAX_VALUES} options, but got {len(options)}.")
        object.__setattr__(self, "options", options)

    @property
    def values(self) -> tuple[Any, ...]:
        """The options of its tokens 0, 1, 2 ..., in their order."""
        return self.options

    @property
    def is_ordered(self) -> bool:
        """Whether the values are numbers."""
        return all(isinstance(o, int | float) and not isinstance(o, bool) for o in self.options)

    @property
    def distribution(self) -> BaseDistribution:
        """Of the Optuna parameter."""
        return CategoricalDistribution(self.options)


@dataclass(frozen=True)
class Integer:
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
        if not 1 <= n <= _MAX_VALUES:
            raise ValueError(
                f"`{self}` must have 1 to {_MAX_VALUES} values, but has {n}. A parameter that is "
                "not declared may have any range: suggest it beside the architecture."
            )

    @cached_property
    def values(self) -> tuple[int, ...]:
        """The options of its tokens 0, 1, 2 ..., in their order."""
        return tuple(range(self.low, self.high + 1, self.step))

    @property
    def is_ordered(self) -> bool:
        return True

    @property
    def distribution(self) -> BaseDistribution:
        """Of the Optuna parameter."""
        return IntDistribution(self.low, self.values[-1], step=self.step)


Value = Choice | Integer
Block = Value | Mapping[str, Value]


@dataclass(frozen=True)
class Repeat:
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
        if isinstance(self.block, Choice | Integer):
            return {None: self.block}
        fields: dict[str | None, Value] = dict(self.block.items())
        return fields


Part = Block | Repeat


def check_block(name: str, block: Any) -> None:
    """Raise if this is no choice, and not several by name."""
    if isinstance(block, Choice | Integer):
        return
    if not isinstance(block, Mapping):
        raise TypeError(f"`{name}` must be a Choice, an Integer, or a dict, but got {block!r}.")
    if not block:
        raise ValueError(f"`{name}` must not be empty.")
    for key, value in block.items():
        if not (isinstance(key, str) and key.isidentifier()):
            raise ValueError(f"`{name}` must have names like variables, but got {key!r}.")
        if not isinstance(value, Choice | Integer):
            raise TypeError(f"`{name}[{key!r}]` must be a Choice or an Integer, not {value!r}.")


def part_to_json(part: Part) -> dict[str, Any]:
    """All that a part says, for JSON."""
    if isinstance(part, Choice):
        return {"choice": list(part.options)}
    if isinstance(part, Integer):
        return {"integer": [part.low, part.high, part.step]}
    if isinstance(part, Repeat):
        return {
            "repeat": part_to_json(part.block),
            "depth": [part.low, part.high],
            "names": part.names,
            "depth_name": part.depth_name,
            "first": part.first,
        }
    return {"group": [[name, part_to_json(value)] for name, value in part.items()]}


def part_from_json(said: Mapping[str, Any]) -> Any:
    """The inverse of `part_to_json`."""
    if "choice" in said:
        return Choice(*said["choice"])
    if "integer" in said:
        return Integer(*said["integer"])
    if "repeat" in said:
        low, high = said["depth"]
        depth = high if low == high else (low, high)
        return Repeat(
            part_from_json(said["repeat"]),
            depth=depth,
            names=said.get("names"),
            depth_name=said.get("depth_name"),
            first=said.get("first", 0),
        )
    return {name: part_from_json(value) for name, value in said["group"]}
