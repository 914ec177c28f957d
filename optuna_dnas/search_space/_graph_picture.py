"""Pictures of graphs: the input at the top, the output below."""

from collections.abc import Sequence
import itertools
from typing import Any

import numpy as np

from optuna_dnas._typing import IntArray
from optuna_dnas.search_space._layered import Edge
from optuna_dnas.search_space._layered import lay_out
from optuna_dnas.search_space._layered import Layout
from optuna_dnas.search_space._picture import Arrow
from optuna_dnas.search_space._picture import Box
from optuna_dnas.search_space._picture import HEAD_LENGTH
from optuna_dnas.search_space._picture import Key
from optuna_dnas.search_space._picture import PADDING
from optuna_dnas.search_space._picture import Picture
from optuna_dnas.search_space._picture import Point
from optuna_dnas.search_space._picture import text_width


END_WIDTH, END_HEIGHT = 56.0, 18.0
_GAP = 17.0
_PORT_DISTANCE = 10.0
_OP_HEIGHT = 19.0
_LEAST_WIDTH = 30.0
_MARGIN = 12.0


def draw_layers(
    boxes: Sequence[Box], edges: Sequence[Edge], *, keys: Sequence[Key] | None = None
) -> Picture:
    """A layered graph.

    Args:
        boxes: Of each vertex, wherever it is; each has an edge.
        edges: From vertex to vertex, of a higher number.
        keys: Of the arrows; by default the edges themselves.
    """
    layout = lay_out(edges, [box.width for box in boxes])
    heights = [0.0] * (max(layout.layer) + 1)
    for box, layer in zip(boxes, layout.layer, strict=True):
        heights[layer] = max(heights[layer], box.height)
    steps = itertools.accumulate(height + _GAP for height in heights[:-1])
    tops = [PADDING + step for step in (0.0, *steps)]
    placed = [
        box.at((PADDING + x, tops[layer] + box.height / 2))
        for box, x, layer in zip(boxes, layout.x, layout.layer, strict=True)
    ]
    arrows = [
        Arrow(key, _curve(edge, layout, tops, placed))
        for key, edge in zip(edges if keys is None else keys, edges, strict=True)
    ]
    width, height = layout.width + 2 * PADDING, tops[-1] + heights[-1] + PADDING
    return Picture(width, height, tuple(placed), tuple(arrows))


def draw_graph(
    edges: IntArray,
    nodes: IntArray,
    *,
    name: str,
    n_inputs: int,
    node_ops: Sequence[Any],
    edge_ops: Sequence[Any],
    identity: str,
) -> Picture | None:
    """A graph whose operations are on nodes, on edges, or on both; `None` where there is nothing.

    Args:
        edges: (V, V + 1) labels of what is alive, see `_graph`.
        nodes: (V,) labels.
        name: Of the part; keys begin with it.
        n_inputs: How many states are inputs.
        node_ops: The operation of each label from 2 on.
        edge_ops: The same of edges.
        identity: The operation that changes nothing; on an edge, it is drawn as a plain arrow.
    """
    boxes: list[Box] = []
    arrows: dict[Key, Edge] = {}
    vertex_of: dict[int, int] = {}
    n_states = len(nodes)
    for v in range(n_states + 1):
        incoming = [int(u) for u in np.flatnonzero(edges[:v, v])]
        if v < n_states and not edges[v].any():
            continue
        ends = []
        for u in incoming:
            label = int(edges[u, v])
            if label < 2:
                ends.append((f"{name}_{u}_{v}", vertex_of[u]))
                continue
            key, op = f"{name}_{u}_{v}", str(edge_ops[label - 2])
            boxes.append(_box(key, op, 1 + label - 2, f"edge from {u} to {v}: {op}"))
            arrows[f"{key}_in"] = vertex_of[u], len(boxes) - 1
            ends.append((f"{key}_out", len(boxes) - 1))
        vertex_of[v] = len(boxes)
        boxes.append(_state_box(v, name, n_inputs, nodes, node_ops, identity))
        arrows |= {key: (start, vertex_of[v]) for key, start in ends}
    if not arrows:
        return None
    return draw_layers(boxes, list(arrows.values()), keys=list(arrows))


def _state_box(
    v: int, name: str, n_inputs: int, nodes: IntArray, node_ops: Sequence[Any], identity: str
) -> Box:
    key = f"{name}_{v}"
    if v < n_inputs or v == len(nodes):
        number = f" {v}" if v < n_inputs and n_inputs > 1 else ""
        text = f"input{number}" if v < n_inputs else "output"
        return Box(key, (0.0, 0.0), END_WIDTH, END_HEIGHT, (text,), 0, text)
    if not node_ops:
        return Box(key, (0.0, 0.0), _LEAST_WIDTH, END_HEIGHT, (str(v),), 0, f"node {v}")
    label = int(nodes[v])
    op = str(node_ops[label - 2]) if label >= 2 else identity
    return _box(key, op, label - 1, f"node {v}: {op}")


def _box(key: Key, op: str, tone: int, title: str) -> Box:
    width = max(_LEAST_WIDTH, text_width(op) + _MARGIN)
    return Box(key, (0.0, 0.0), width, _OP_HEIGHT, (op,), tone, title)


def _curve(
    edge: Edge, layout: Layout, tops: Sequence[float], boxes: Sequence[Box]
) -> tuple[Point, ...]:
    i, j = edge
    points = [(boxes[i].centre[0] + _port(edge, layout, i), boxes[i].corners[3])]
    for k, lane in enumerate(layout.lanes[edge], layout.layer[i] + 1):
        # Beside the boxes of a layer an edge runs straight down; it turns between layers.
        top, bottom = tops[k], tops[k + 1] - _GAP
        points += _turn(points[-1], (PADDING + lane, top))
        points += _turn(points[-1], (PADDING + lane, bottom))
    end = (boxes[j].centre[0] + _port(edge, layout, j), boxes[j].corners[1] - HEAD_LENGTH)
    points += _turn(points[-1], end)
    return tuple(points)


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
