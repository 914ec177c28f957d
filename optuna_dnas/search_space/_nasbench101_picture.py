"""The picture of a NASBench-101 cell: the input at the top, the output below."""

from collections import Counter
from collections.abc import Sequence
import itertools
from typing import NamedTuple

import numpy as np

from optuna_dnas.search_space._cells import OPS
from optuna_dnas.search_space._layered import Edge
from optuna_dnas.search_space._layered import lay_out
from optuna_dnas.search_space._layered import Layout
from optuna_dnas.search_space._layered import longest_paths
from optuna_dnas.search_space._model_spec import ModelSpec
from optuna_dnas.search_space._picture import Arrow
from optuna_dnas.search_space._picture import Box
from optuna_dnas.search_space._picture import HEAD_LENGTH
from optuna_dnas.search_space._picture import PADDING
from optuna_dnas.search_space._picture import Picture
from optuna_dnas.search_space._picture import Point


_LABELS = dict(zip(OPS, (("conv", "3×3"), ("conv", "1×1"), ("max-pool", "3×3")), strict=True))
_END_WIDTH, _END_HEIGHT = 56.0, 18.0
_GAP = 17.0
_PORT_DISTANCE = 10.0


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
    layout = lay_out(edges, [_END_WIDTH, *[style.width] * (len(spec.ops) - 2), _END_WIDTH])
    tops = _tops(layout, style.height)
    boxes = [_box(spec, v, layout, tops, style) for v in range(len(spec.ops))]
    arrows = [_arrow(edge, layout, tops, boxes) for edge in edges]
    width, height = layout.width + 2 * PADDING, tops[-1] + _END_HEIGHT + PADDING
    return Picture(width, height, tuple(boxes), tuple(arrows))


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


def _tops(layout: Layout, op_height: float) -> list[float]:
    """Where each layer begins; the first and the last hold one vertex each."""
    n_between = max(layout.layer) - 1
    heights = [_END_HEIGHT, *[op_height] * n_between]
    steps = itertools.accumulate(height + _GAP for height in heights)
    return [PADDING + step for step in (0.0, *steps)]


def _box(spec: ModelSpec, v: int, layout: Layout, tops: list[float], style: _Style) -> Box:
    op, x, top = spec.ops[v], PADDING + layout.x[v], tops[layout.layer[v]]
    if op not in OPS:
        return Box(v, (x, top + _END_HEIGHT / 2), _END_WIDTH, _END_HEIGHT, (op,), 0, op)
    lines = tuple(style.separator.join(_LABELS[op]).split("\n"))
    centre = (x, top + style.height / 2)
    tone, title = 1 + OPS.index(op), f"vertex {v}: {op}"
    return Box(v, centre, style.width, style.height, lines, tone, title)


def _arrow(edge: Edge, layout: Layout, tops: list[float], boxes: list[Box]) -> Arrow:
    i, j = edge
    points = [(boxes[i].centre[0] + _port(edge, layout, i), boxes[i].corners[3])]
    for k, lane in enumerate(layout.lanes[edge], layout.layer[i] + 1):
        # Beside the boxes of a layer an edge runs straight down; it turns between layers.
        top, bottom = tops[k], tops[k + 1] - _GAP
        points += _turn(points[-1], (PADDING + lane, top))
        points += _turn(points[-1], (PADDING + lane, bottom))
    end = (boxes[j].centre[0] + _port(edge, layout, j), boxes[j].corners[1] - HEAD_LENGTH)
    points += _turn(points[-1], end)
    return Arrow(edge, tuple(points))


def _turn(start: Point, end: Point) -> tuple[Point, Point, Point]:
    """A curve that begins and ends vertically, within the height between both points."""
    middle = (start[1] + end[1]) / 2
    return (start[0], middle), (end[0], middle), end


def _port(edge: Edge, layout: Layout, vertex: int) -> float:
    """Where an edge leaves or enters a box: beside the others of that side, without crossing."""
    is_start = vertex == edge[0]
    rivals = [e for e in layout.lanes if e[0 if is_start else 1] == vertex]
    rivals.sort(key=lambda e: (_next_place(e, layout, is_start=is_start), e))
    return (rivals.index(edge) - (len(rivals) - 1) / 2) * _PORT_DISTANCE


def _next_place(edge: Edge, layout: Layout, *, is_start: bool) -> float:
    i, j = edge
    places = (layout.x[i], *layout.lanes[edge], layout.x[j])
    return places[1] if is_start else places[-2]
