"""A layered drawing of a small acyclic graph: where its vertices are, and where its edges run.

Sugiyama, Tagawa & Toda, *Methods for Visual Understanding of Hierarchical System Structures*,
1981. A vertex lies in the layer of the longest path to it. An edge that skips layers has a lane in
each of them, which takes up room as a vertex does: so it passes by all vertices.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
import itertools
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import FloatArray


Edge = tuple[int, int]

_LANE_WIDTH = 10.0
_GAP = 10.0
# More of either removes hardly another crossing from the cells of NASBench-101.
_N_STARTS, _N_SWEEPS = 4, 4
_N_ALIGNMENTS = 24
# How much an edge wants to be straight; lanes of one edge more than vertices.
_STRAIGHTNESS = {0: 1.0, 1: 1.0, 2: 20.0}
# Of so many neighbours all orders are tried; more of them keep theirs.
_MAX_PERMUTED = 5


class Layout(NamedTuple):
    """Layers and horizontal places."""

    layer: tuple[int, ...]  # of each vertex
    x: tuple[float, ...]  # centre of each vertex, from 0
    lanes: dict[Edge, tuple[float, ...]]  # of each edge, one a layer that it skips
    width: float


@dataclass(frozen=True, eq=False)
class _Node:
    """A vertex, or the lane of an edge in one layer."""

    layer: int
    width: float
    vertex: int | None = None
    edge: Edge | None = None


Rows = list[list[_Node]]


def lay_out(edges: Sequence[Edge], widths: Sequence[float]) -> Layout:
    """Place vertices 0 .. n - 1, whose edges point to higher numbers, n = ``len(widths)``."""
    layer = longest_paths(edges)
    graph = _Graph.build(edges, widths, layer)
    x = graph.align(graph.order())
    left = min(x[node] - node.width / 2 for node in graph.nodes)
    right = max(x[node] + node.width / 2 for node in graph.nodes)
    lanes: dict[Edge, list[float]] = {edge: [] for edge in edges}
    for node in graph.nodes:
        if node.edge is not None:
            lanes[node.edge].append(x[node] - left)
    vertices = [x[node] - left for node in graph.nodes if node.vertex is not None]
    return Layout(
        tuple(layer),
        tuple(vertices),
        {edge: tuple(places) for edge, places in lanes.items()},
        right - left,
    )


def longest_paths(edges: Sequence[Edge]) -> list[int]:
    """The layer of each vertex. Every vertex has an edge, and edges point to higher numbers."""
    layer = [0] * (1 + max(j for _, j in edges))
    for i, j in sorted(edges):
        layer[j] = max(layer[j], layer[i] + 1)
    return layer


@dataclass(frozen=True)
class _Graph:
    """Vertices and lanes, and for each layer but the last its links to the next one."""

    nodes: list[_Node]
    links: list[list[tuple[_Node, _Node]]]

    @classmethod
    def build(
        cls, edges: Sequence[Edge], widths: Sequence[float], layer: Sequence[int]
    ) -> "_Graph":
        nodes = [_Node(layer[v], widths[v], vertex=v) for v in range(len(widths))]
        vertices = list(nodes)
        links: list[list[tuple[_Node, _Node]]] = [[] for _ in range(max(layer))]
        for i, j in edges:
            lanes = [_Node(k, _LANE_WIDTH, edge=(i, j)) for k in range(layer[i] + 1, layer[j])]
            nodes += lanes
            for link in itertools.pairwise([vertices[i], *lanes, vertices[j]]):
                links[link[0].layer].append(link)
        return cls(nodes, links)

    def order(self) -> Rows:
        """The nodes of each layer from left to right, with few crossings."""
        skipping = sorted({node.edge for node in self.nodes if node.edge is not None})
        sides = itertools.product((-1, 1), repeat=len(skipping))
        starts = [self._rows(dict(zip(skipping, side, strict=True))) for side in sides]
        starts.sort(key=lambda rows: self._cost(_centred(rows)))
        candidates = [self._improve(rows) for rows in starts[:_N_STARTS]]
        return min(candidates, key=lambda rows: self._cost(_centred(rows)))

    def _rows(self, side: Mapping[Edge | None, int]) -> Rows:
        """Lanes left (-1) or right (1) of all vertices."""
        rows: Rows = [[] for _ in range(len(self.links) + 1)]
        for node in sorted(self.nodes, key=lambda node: side.get(node.edge, 0)):
            rows[node.layer].append(node)
        return rows

    def _improve(self, rows: Rows) -> Rows:
        """Row by row, down and up: the best order while the others stay."""
        place = _centred(rows)
        best, best_cost = list(rows), self._cost(place)
        for sweep in range(_N_SWEEPS):
            for k in range(len(rows)) if sweep % 2 == 0 else reversed(range(len(rows))):
                if 1 < len(rows[k]) <= _MAX_PERMUTED:
                    rows[k] = self._best_row(rows[k], place)
                    place |= _centred(rows[k : k + 1])
            cost = self._cost(place)
            if cost >= best_cost:
                break
            best, best_cost = list(rows), cost
        return best

    def _best_row(self, row: list[_Node], place: dict[_Node, float]) -> list[_Node]:
        k = row[0].layer
        options = [list(option) for option in itertools.permutations(row)]
        return min(
            options, key=lambda row: self._cost(place | _centred([row]), range(k - 1, k + 1))
        )

    def _cost(
        self, place: dict[_Node, float], layers: Sequence[int] | None = None
    ) -> tuple[int, float]:
        """Crossings, then how far links go sideways; by default of all layers."""
        n_crossings, length = 0, 0.0
        for k in range(len(self.links)) if layers is None else layers:
            if 0 <= k < len(self.links):
                spans = [(place[upper], place[lower]) for upper, lower in self.links[k]]
                length += sum((a - b) ** 2 for a, b in spans)
                n_crossings += sum(
                    (a - c) * (b - d) < 0 for (a, b), (c, d) in itertools.combinations(spans, 2)
                )
        return n_crossings, length

    def align(self, rows: Rows) -> dict[_Node, float]:
        """Centres, as straight as the distances between neighbours allow."""
        x = _centred(rows)
        neighbours: dict[_Node, list[tuple[_Node, float]]] = {node: [] for node in self.nodes}
        for upper, lower in itertools.chain.from_iterable(self.links):
            weight = _STRAIGHTNESS[(upper.edge is not None) + (lower.edge is not None)]
            neighbours[upper].append((lower, weight))
            neighbours[lower].append((upper, weight))
        for sweep in range(_N_ALIGNMENTS):
            for row in rows if sweep % 2 == 0 else reversed(rows):
                wishes, weights = [], []
                for node in row:
                    pull = np.array([weight for _, weight in neighbours[node]])
                    places = np.array([x[other] for other, _ in neighbours[node]])
                    wishes.append(float(pull @ places / pull.sum()))
                    weights.append(float(pull.sum()))
                x.update(zip(row, _spread(row, wishes, weights), strict=True))
        return x


def _centred(rows: Rows) -> dict[_Node, float]:
    """Every row around 0, as tight as may be."""
    x: dict[_Node, float] = {}
    for row in rows:
        offsets = _offsets(row)
        middle = (offsets[0] + offsets[-1]) / 2
        x.update((node, float(o - middle)) for node, o in zip(row, offsets, strict=True))
    return x


def _offsets(row: Sequence[_Node]) -> FloatArray:
    """Centres of neighbours that stand as near as they may, from 0."""
    steps = [(a.width + b.width) / 2 + _GAP for a, b in itertools.pairwise(row)]
    return np.concatenate([[0.0], np.cumsum(steps)])


def _spread(row: Sequence[_Node], wishes: Sequence[float], weights: Sequence[float]) -> FloatArray:
    """The places nearest to the wishes that keep order and distance: isotonic regression."""
    offsets = _offsets(row)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, size
    for mean, weight in zip(np.array(wishes) - offsets, weights, strict=True):
        block = (float(mean), weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            block = _pool(blocks.pop(), block)
        blocks.append(block)
    shifts = np.concatenate([np.full(size, mean) for mean, _, size in blocks])
    places: FloatArray = shifts + offsets
    return places


def _pool(a: tuple[float, float, int], b: tuple[float, float, int]) -> tuple[float, float, int]:
    weight = a[1] + b[1]
    return (a[0] * a[1] + b[0] * b[1]) / weight, weight, a[2] + b[2]
