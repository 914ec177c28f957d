"""NASBench-101 cells, many at a time.

N: cells, V: vertex slots. A cell is an adjacency (N, V, V), strictly upper triangular, and ops
(N, V - 2) of its interior vertices. Vertex 0 is the input, vertex V - 1 the output; a slot that
holds no vertex has no edges and the op `ABSENT`.
"""

from functools import cache
import itertools
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import IntArray


OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
ABSENT = len(OPS)
MAX_VERTICES = 7
MAX_EDGES = 9


def edge_pairs(n_slots: int) -> list[tuple[int, int]]:
    """Edges (i, j), i < j, column by column: (0, 1), (0, 2), (1, 2), (0, 3) ..."""
    return [(i, j) for j in range(1, n_slots) for i in range(j)]


def on_path(adjacency: IntArray) -> BoolArray:
    """(N, V, V) -> (N, V) vertices that lie on a path from the input to the output."""
    n, n_slots, _ = adjacency.shape
    from_input = np.zeros((n, n_slots), dtype=bool)
    to_output = np.zeros((n, n_slots), dtype=bool)
    from_input[:, 0] = to_output[:, -1] = True
    edges = adjacency.astype(bool)
    # Edges point to higher numbers, so that one sweep in order sees every predecessor first.
    for v in range(1, n_slots):
        from_input[:, v] = (from_input & edges[:, :, v]).any(axis=1)
    for v in range(n_slots - 2, -1, -1):
        to_output[:, v] = (to_output & edges[:, v, :]).any(axis=1)
    return from_input & to_output


def prune(adjacency: IntArray, ops: IntArray) -> tuple[IntArray, IntArray, BoolArray]:
    """Remove what lies on no input-output path, in place of its slot.

    Returns:
        Adjacency, ops, and (N,) whether the cell is valid: connected, and at most 9 edges.
    """
    kept = on_path(adjacency)
    pruned = adjacency * (kept[:, :, None] & kept[:, None, :])
    n_edges = pruned.sum(axis=(1, 2))
    # An op on a vertex that says "absent" is no cell, however it is connected.
    complete = (~kept[:, 1:-1] | (ops != ABSENT)).all(axis=1)
    valid = (n_edges > 0) & (n_edges <= MAX_EDGES) & complete
    return pruned, np.where(kept[:, 1:-1], ops, ABSENT), valid


class CanonicalForm(NamedTuple):
    """Cells in canonical vertex order, and the size of their isomorphism class."""

    adjacency: IntArray  # (N, V, V)
    ops: IntArray  # (N, V - 2)
    n_labelings: IntArray  # (N,) different upper-triangular writings on the V slots


def canonical_form(adjacency: IntArray, ops: IntArray) -> CanonicalForm:
    """Order the vertices of pruned cells canonically.

    Of all permutations of the interior vertices that keep every edge i < j, the one with the
    smallest key: the ops as digits of base 4, vertex 1 first, then the edge bits column by column.
    The order makes "the op of vertex i" mean the same thing in isomorphic cells.
    """
    n, n_slots, _ = adjacency.shape
    tables = _permutation_tables(n_slots)
    one_hot_ops = (ops[:, :, None] == np.arange(ABSENT + 1)).reshape(n, -1).astype(float)
    # Keys are integers far below 2 ** 53: exact in float64, which has the fast matrix product.
    edges = adjacency.reshape(n, -1).astype(float)
    keys = edges @ tables.edge_weights + one_hot_ops @ tables.op_weights  # (N, P)
    best = keys.argmin(axis=1)
    # Every writing comes from as many orders as the cell has automorphisms.
    n_automorphisms = (keys == keys[np.arange(n), best, None]).sum(axis=1)
    n_labelings = (keys < _ILLEGAL).sum(axis=1) // n_automorphisms
    order = tables.orders[best]  # (N, V): order[k] is the old vertex in the new slot k
    rows = np.arange(n)[:, None, None]
    return CanonicalForm(
        adjacency[rows, order[:, :, None], order[:, None, :]],
        np.take_along_axis(ops, order[:, 1:-1] - 1, axis=1),
        n_labelings,
    )


_ILLEGAL = 2.0**45


class _PermutationTables(NamedTuple):
    orders: IntArray  # (P, V)
    edge_weights: np.ndarray  # (V * V, P) what an old edge adds to the key
    op_weights: np.ndarray  # ((V - 2) * 4, P) what an old op adds to the key


@cache
def _permutation_tables(n_slots: int) -> _PermutationTables:
    interior = range(1, n_slots - 1)
    orders = np.array([(0, *p, n_slots - 1) for p in itertools.permutations(interior)])
    n_orders, pairs = len(orders), edge_pairs(n_slots)
    bit = np.full((n_slots, n_slots), _ILLEGAL)
    for k, (i, j) in enumerate(pairs):
        bit[i, j] = 2.0 ** (len(pairs) - 1 - k)
    slot = np.argsort(orders, axis=1)  # (P, V): the new slot of an old vertex
    edge_weights = bit[slot[:, :, None], slot[:, None, :]].reshape(n_orders, -1).T
    digit = 2.0 ** len(pairs) * 4.0 ** (n_slots - 2 - slot[:, 1:-1])  # (P, V - 2)
    op_weights = (digit[:, :, None] * np.arange(ABSENT + 1)).reshape(n_orders, -1).T
    return _PermutationTables(
        orders, np.ascontiguousarray(edge_weights), np.ascontiguousarray(op_weights)
    )
