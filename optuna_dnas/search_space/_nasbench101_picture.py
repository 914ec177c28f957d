"""The picture of a NASBench-101 cell: the input at the top, the output below."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from optuna_dnas.search_space._cells import OPS
from optuna_dnas.search_space._graph_picture import draw_layers
from optuna_dnas.search_space._graph_picture import END_HEIGHT
from optuna_dnas.search_space._graph_picture import END_WIDTH
from optuna_dnas.search_space._layered import Edge
from optuna_dnas.search_space._layered import longest_paths
from optuna_dnas.search_space._model_spec import ModelSpec
from optuna_dnas.search_space._picture import Box
from optuna_dnas.search_space._picture import Picture


_LABELS = dict(zip(OPS, (("conv", "3×3"), ("conv", "1×1"), ("max-pool", "3×3")), strict=True))


class _Style(NamedTuple):
    """How an op is written, so that pictures are about as wide as high."""

    width: float
    height: float
    separator: str


_IN_ONE_LINE = _Style(94.0, 19.0, " ")
_IN_TWO_LINES = _Style(64.0, 30.0, "\n")


def draw_cell(spec: ModelSpec) -> Picture:
    """A layered graph; a box's key is the number of its vertex, an arrow's a pair of them."""
    edges = [(int(i), int(j)) for i, j in np.argwhere(spec.matrix)]
    style = _IN_ONE_LINE if _n_abreast(edges) < 3 else _IN_TWO_LINES
    return draw_layers([_box(spec, v, style) for v in range(len(spec.ops))], edges)


def describe_cell(spec: ModelSpec) -> str:
    """One line a vertex: its op, and where its edges go."""
    names = ["input", *(f"{v}" for v in range(1, len(spec.ops) - 1)), "output"]
    width = max(len(op) for op in spec.ops)
    lines = []
    for v, op in enumerate(spec.ops):
        targets = [names[w] for w in np.flatnonzero(spec.matrix[v])]
        arrow = f" -> {', '.join(targets)}" if targets else ""
        lines.append(f"{v}  {op:<{width}}{arrow}".rstrip())
    return "\n".join(lines)


def _n_abreast(edges: Sequence[Edge]) -> int:
    """The most vertices of a layer."""
    return max(Counter(longest_paths(edges)).values())


def _box(spec: ModelSpec, v: int, style: _Style) -> Box:
    op, nowhere = spec.ops[v], (0.0, 0.0)
    if op not in OPS:
        return Box(v, nowhere, END_WIDTH, END_HEIGHT, (op,), 0, op)
    lines = tuple(style.separator.join(_LABELS[op]).split("\n"))
    tone, title = 1 + OPS.index(op), f"vertex {v}: {op}"
    return Box(v, nowhere, style.width, style.height, lines, tone, title)
