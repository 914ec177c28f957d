"""The factors of a NASBench-101 cell, on its canonical pruned graph.

N: cells, T: tokens, V: vertex slots, F: factors.
"""

from typing import TYPE_CHECKING

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.search_space._cells import ABSENT
from optuna_dnas.search_space._cells import edge_pairs
from optuna_dnas.search_space._cells import OPS
from optuna_dnas.search_space._factors import COST
from optuna_dnas.search_space._factors import Factor
from optuna_dnas.search_space._factors import FactorModel
from optuna_dnas.search_space._factors import LAYERS


if TYPE_CHECKING:
    from optuna_dnas.search_space._nasbench101 import NASBench101Space


OPERATION = "operation"
SKIP = "skip connection"
CONNECTIONS = "connections"

_OP_NAMES = tuple(op.removesuffix("-bn-relu") for op in OPS)


class NASBench101Factors(FactorModel):
    """What can be said of a cell.

    A *skip* is an edge beside which a longer path leads the same way. That is a property of the
    graph, whatever the order in which its vertices are written down.

    Args:
        space: The cells.
    """

    def __init__(self, space: "NASBench101Space") -> None:
        self._space = space
        self._n_slots = space.max_vertices
        self._pairs = np.array(edge_pairs(self._n_slots))
        self._factors = _basic_factors(self._n_slots) + _derived_factors(self._n_slots)

    @property
    def factors(self) -> tuple[Factor, ...]:
        return self._factors

    def measure(self, tokens: TokenArray) -> FloatArray:
        adjacency, ops = self._graph(tokens)
        longest = longest_paths(adjacency)
        is_skip = (adjacency > 0) & (longest > 1)
        present = ops != ABSENT
        costs = self._space.token_costs(tokens)
        columns = [
            *np.where(present, ops, np.nan).T,
            2 + present.sum(axis=1),
            longest[:, 0, -1],
            adjacency.sum(axis=(1, 2)),
            is_skip[:, 0, -1],
            *((ops == op).sum(axis=1) for op in range(ABSENT)),
            *is_skip[:, :, 2:].sum(axis=1).T,
            *costs.T,
        ]
        return np.stack(columns, axis=1).astype(float)

    def _graph(self, tokens: TokenArray) -> tuple[IntArray, IntArray]:
        """(N, T) -> adjacency (N, V, V), ops (N, V - 2)."""
        adjacency = np.zeros((len(tokens), self._n_slots, self._n_slots), dtype=np.int64)
        rows, columns = self._pairs.T
        adjacency[:, rows, columns] = tokens[:, : len(self._pairs)]
        return adjacency, tokens[:, len(self._pairs) :]


def longest_paths(adjacency: IntArray) -> IntArray:
    """(N, V, V) -> (N, V, V) edges of the longest path between vertices; 0 if there is none."""
    n, n_slots, _ = adjacency.shape
    longest = np.zeros((n, n_slots, n_slots), dtype=np.int64)
    for j in range(1, n_slots):
        for u in range(j):
            arrives = adjacency[:, u, j] > 0
            via = np.where(longest[:, :, u] > 0, longest[:, :, u] + 1, 0)  # (N, V) from i by u
            via[:, u] = 1
            reached = np.where(arrives[:, None], via, 0)
            longest[:, :, j] = np.maximum(longest[:, :, j], reached)
    return longest


def _basic_factors(n_slots: int) -> tuple[Factor, ...]:
    ops = tuple(
        Factor(
            name=f"operation of vertex {v}",
            kind=OPERATION,
            phrases=tuple(f"vertex {v} is {op}" for op in _OP_NAMES),
        )
        for v in range(1, n_slots - 1)
    )
    return (
        *ops,
        Factor(name="number of vertices", kind=LAYERS),
        Factor(name="depth", kind=LAYERS),
        Factor(name="number of edges", kind=CONNECTIONS),
        Factor(
            name="input-output skip",
            kind=SKIP,
            phrases=("no input-output skip", "input-output skip"),
        ),
    )


def _derived_factors(n_slots: int) -> tuple[Factor, ...]:
    targets = [f"vertex {v}" for v in range(2, n_slots - 1)] + ["the output"] * (n_slots > 2)
    return (
        *(Factor(name=f"number of {op}", kind=OPERATION, is_derived=True) for op in _OP_NAMES),
        *(Factor(name=f"skips into {t}", kind=SKIP, is_derived=True) for t in targets),
        Factor(name="multiply-adds", kind=COST, is_derived=True),
        Factor(name="parameters", kind=COST, is_derived=True),
    )
