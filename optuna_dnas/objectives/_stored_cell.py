"""A cell as tables of trained cells store it."""

from collections.abc import Sequence
import itertools
import struct

import numpy as np
import numpy.typing as npt

from optuna_dnas._typing import IntArray
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space._cells import edge_pairs


OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
"""An op is stored as its index here: the order is part of the format."""

MAX_VERTICES = 7

CELL_DTYPE = np.dtype(
    [
        ("hash", "u1", 16),
        ("n_vertices", "u1"),
        ("adjacency", "<u4"),  # edge i -> j, i < j, is bit i + j (j - 1) / 2
        ("ops", "u1", 5),  # of the interior vertices; 255: there is no such vertex
        ("trainable_parameters", "<i4"),
    ]
)
CELL_STRUCT = struct.Struct("<16sBI5si")  # `CELL_DTYPE`


def spec_to_cell(spec: ModelSpec, trainable_parameters: int) -> bytes:
    """The bytes of `CELL_DTYPE`."""
    bits = sum(1 << edge_bit(int(i), int(j)) for i, j in np.argwhere(spec.matrix))
    digest = bytes.fromhex(spec.hash())
    ops = ops_to_bytes(spec.ops[1:-1])
    return CELL_STRUCT.pack(digest, len(spec.ops), bits, ops, trainable_parameters)


def cell_to_graph(
    cell: np.void,  # of `CELL_DTYPE`
) -> tuple[npt.NDArray[np.int8], list[str]]:
    """The (n, n) adjacency and the n labels."""
    n, bits = int(cell["n_vertices"]), int(cell["adjacency"])
    matrix = np.zeros((n, n), dtype=np.int8)
    for i, j in itertools.combinations(range(n), 2):
        matrix[i, j] = bits >> edge_bit(i, j) & 1
    return matrix, ["input", *(OPS[op] for op in cell["ops"][: n - 2]), "output"]


def cells_to_tokens(
    cells: npt.NDArray[np.void],  # (N,) of `CELL_DTYPE`
) -> IntArray:
    """(N, 26) tokens of `NASBench101Space` as written, the output moved to the last slot."""
    last = MAX_VERTICES - 1
    rows, n_vertices = np.arange(len(cells)), cells["n_vertices"].astype(int)
    adjacency = np.zeros((len(cells), MAX_VERTICES, MAX_VERTICES), dtype=np.int64)
    pairs = edge_pairs(MAX_VERTICES)
    for i, j in pairs:
        slot = np.where(j == n_vertices - 1, last, j)
        adjacency[rows, i, slot] |= cells["adjacency"] >> edge_bit(i, j) & 1
    edges = [adjacency[:, i, j] for i, j in pairs]
    ops = np.minimum(cells["ops"].astype(np.int64), len(OPS))  # beyond: there is no vertex
    return np.concatenate([np.stack(edges, axis=1), ops], axis=1)


def edge_bit(i: int, j: int) -> int:
    """Where an adjacency has the edge i -> j."""
    return i + j * (j - 1) // 2


def ops_to_bytes(interior: Sequence[str]) -> bytes:
    """The ops of the interior vertices, as `CELL_DTYPE` has them."""
    return bytes(map(OPS.index, interior)).ljust(MAX_VERTICES - 2, b"\xff")
