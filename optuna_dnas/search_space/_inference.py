"""A declaration that fits the parameters of a study that has none."""

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
import json
import keyword
import math
import re
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import IntDistribution
from optuna.trial import FrozenTrial

from optuna_dnas.search_space._declared import ArchitectureSpace
from optuna_dnas.search_space._parts import Choice
from optuna_dnas.search_space._parts import Group
from optuna_dnas.search_space._parts import Integer
from optuna_dnas.search_space._parts import Part
from optuna_dnas.search_space._parts import Repeat
from optuna_dnas.search_space._parts import to_part
from optuna_dnas.search_space._parts import Value


_RESERVED = ("cost", "limits")  # other arguments of a space


@dataclass(frozen=True)
class Inferred:
    """A declaration, and the parameters that it leaves out.

    Args:
        space: The declaration; `None`: nothing can be declared.
        beside: Parameters that are searched together with the architecture as they are.
    """

    space: ArchitectureSpace | None
    beside: tuple[str, ...]


def infer_space(trials: Sequence[FrozenTrial]) -> Inferred:
    """Find repeated blocks, their depths, and single choices in the parameters of trials.

    Parameters that differ in a number only, ``layer_0_width``, ``layer_1_width`` ..., are blocks,
    if an integer says in every trial how many there are, or if all are always there. Real numbers,
    wide ranges, and what is there only now and then, can stay beside the architecture.

    Args:
        trials: Complete ones.
    """
    distributions: dict[str, BaseDistribution] = {}
    for trial in trials:
        distributions.update(trial.distributions)
    values = {
        name: value
        for name, distribution in distributions.items()
        if (value := _to_value(distribution)) is not None
    }
    parts: dict[str, Part] = {}
    used: set[str] = set()
    for repeat in _repeats(values, trials):
        parts[_free_name(repeat.part, parts)] = repeat.declared
        used |= repeat.parameters
    for name, value in values.items():
        is_always = all(name in trial.params for trial in trials)
        if name not in used and is_always and _is_free(name, parts):
            parts[name] = value
            used.add(name)
    beside = tuple(name for name in distributions if name not in used)
    return Inferred(ArchitectureSpace(parts) if parts else None, beside)


def declaration_code(inferred: Inferred) -> str:
    """Python that declares a space, to be pasted.

    Raises:
        ValueError: There is nothing to declare.
    """
    if inferred.space is None:
        raise ValueError("No parameter is a choice, or an integer of few values.")
    parts = inferred.space.declared
    body = "".join(f"    {name}={_code(part)},\n" for name, part in parts.items())
    words = {"ArchitectureSpace"} | set(re.findall(r"\b(?:Choice|Integer|Repeat)\b", body))
    lines = [
        f"from optuna_dnas.search_space import {', '.join(sorted(words))}",
        "",
        f"space = ArchitectureSpace(\n{body})",
    ]
    if inferred.beside:
        lines.append(f"# Searched together with it, as they are: {', '.join(inferred.beside)}.")
    return "\n".join(lines)


@dataclass(frozen=True)
class _Blocks:
    """A repeated block that was found."""

    part: str
    declared: Repeat
    parameters: frozenset[str]


@dataclass(frozen=True)
class _Series:
    """Parameters that differ in one number only."""

    prefix: str
    suffix: str
    by_number: Mapping[int, str]
    value: Value

    @property
    def field(self) -> str:
        return re.sub(r"\W", "_", self.suffix).strip("_")


def _to_value(distribution: BaseDistribution) -> Value | None:
    try:
        if isinstance(distribution, CategoricalDistribution):
            return Choice(*distribution.choices)
        if isinstance(distribution, IntDistribution) and not distribution.log:
            return Integer(distribution.low, distribution.high, distribution.step)
    except (ValueError, TypeError):  # Too many values, or no plain ones.
        return None
    return None


def _repeats(values: Mapping[str, Value], trials: Sequence[FrozenTrial]) -> list[_Blocks]:
    by_kind: dict[tuple[str, frozenset[int]], list[_Series]] = defaultdict(list)
    for series in _series(values):
        by_kind[series.prefix, frozenset(series.by_number)].append(series)
    found = []
    for (prefix, numbers), of_kind in by_kind.items():
        blocks = _to_blocks(prefix, sorted(numbers), of_kind, values, trials)
        if blocks is not None:
            found.append(blocks)
    return found


def _series(values: Mapping[str, Value]) -> list[_Series]:
    """Each parameter in the longest series that it may be of; numbers go on from 0 or 1."""
    by_template: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for name in values:
        for match in re.finditer(r"\d+", name):
            template = name[: match.start()], name[match.end() :]
            by_template[template][int(match.group())] = name
    longest_first = sorted(by_template.items(), key=lambda item: -len(item[1]))
    series, used = [], set[str]()
    for (prefix, suffix), by_number in longest_first:
        numbers = sorted(by_number)
        is_row = numbers[0] in (0, 1) and numbers == list(range(numbers[0], numbers[-1] + 1))
        alike = {values[name] for name in by_number.values()}
        if len(numbers) < 2 or not is_row or len(alike) > 1 or used & {*by_number.values()}:
            continue
        used |= {*by_number.values()}
        series.append(_Series(prefix, suffix, dict(sorted(by_number.items())), alike.pop()))
    return series


def _to_blocks(
    prefix: str,
    numbers: Sequence[int],
    series: Sequence[_Series],
    values: Mapping[str, Value],
    trials: Sequence[FrozenTrial],
) -> _Blocks | None:
    """`None` where nothing tells how many blocks there are."""
    n_blocks = [
        [sum(name in trial.params for name in one.by_number.values()) for one in series]
        for trial in trials
    ]
    if any(len(set(counts)) > 1 for counts in n_blocks):
        return None
    depths = [counts[0] for counts in n_blocks]
    names = {name for one in series for name in one.by_number.values()}
    depth_name = None
    depth: int | tuple[int, int] = len(numbers)
    if min(depths) < len(numbers):
        counted = [
            name
            for name, value in values.items()
            if isinstance(value, Integer) and value.step == 1 and name not in names
            if all(t.params.get(name) == n for t, n in zip(trials, depths, strict=True))
        ]
        if not counted:
            return None
        depth_name = counted[0]
        of_depth = values[depth_name]
        assert isinstance(of_depth, Integer)
        if of_depth.high != len(numbers) or of_depth.low < 0:
            return None  # Trials have not shown all blocks.
        depth = (of_depth.low, of_depth.high)
    stem = re.sub(r"\W", "_", prefix).strip("_") or "blocks"
    part = stem if stem.endswith("s") else f"{stem}s"
    if len(series) == 1:
        (one,) = series
        block: Any = one.value
        template = f"{prefix}{{k}}{one.suffix}"
    else:
        fields = [one.field for one in series]
        suffixes = {one.suffix.replace(one.field, "{field}", 1) for one in series}
        if (
            len(set(fields)) < len(fields)
            or len(suffixes) > 1
            or not all(map(str.isidentifier, fields))
        ):
            return None
        block = {one.field: one.value for one in series}
        template = f"{prefix}{{k}}{suffixes.pop()}"
    repeat = Repeat(block, depth=depth, names=template, depth_name=depth_name, first=numbers[0])
    return _Blocks(part, _with_default_names(repeat, part), frozenset(names | {depth_name or ""}))


def _with_default_names(repeat: Repeat, part: str) -> Repeat:
    """The same without names that it has anyway."""
    plain = Repeat(repeat.block, depth=repeat.depth, first=repeat.first)
    if all(
        plain.parameter(part, 0, key) == repeat.parameter(part, 0, key) for key in plain.fields
    ):
        names = None
    else:
        names = repeat.names
    is_default = repeat.depth_name in (None, plain.depth_parameter(part))
    depth_name = None if is_default else repeat.depth_name
    return Repeat(
        repeat.block, depth=repeat.depth, names=names, depth_name=depth_name, first=repeat.first
    )


def _is_free(name: str, parts: Iterable[str]) -> bool:
    """Whether a part may be called so, by keyword."""
    is_name = name.isidentifier() and not keyword.iskeyword(name)
    return is_name and name not in _RESERVED and name not in parts


def _free_name(part: str, parts: Iterable[str]) -> str:
    name = part if part.isidentifier() else f"blocks_{part}"
    while not _is_free(name, parts):
        name += "_"
    return name


def _code(part: Part) -> str:
    if isinstance(part, Choice):
        return f"Choice({', '.join(map(_quoted, part.options))})"
    if isinstance(part, Integer):
        step = "" if part.step == 1 else f", step={part.step}"
        return f"Integer({part.low}, {part.high}{step})"
    if isinstance(part, Repeat):
        options = [f"depth={part.depth}"]
        for name, value, default in (
            ("names", part.names, None),
            ("depth_name", part.depth_name, None),
            ("first", part.first, 0),
        ):
            if value != default:
                options.append(f"{name}={_quoted(value)}")
        return f"Repeat({_code(to_part('block', part.block))}, {', '.join(options)})"
    assert isinstance(part, Group)
    named = (f"{_quoted(name)}: {_code(value)}" for name, value in part.choices.items())
    return f"{{{', '.join(named)}}}"


def _quoted(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)
