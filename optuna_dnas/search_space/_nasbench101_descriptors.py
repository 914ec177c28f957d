"""Descriptors of NASBench-101 cells: what the eye sees in a graph, as numbers.

They are functions of the graph alone and equal for isomorphic cells. Predictors learn from them
with far fewer labels than from the graph's bits.

N: cells, V: vertex slots; cells are pruned, and may hold absent vertices (`_cells.py`).
"""

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.search_space._cells import ABSENT
from optuna_dnas.search_space._cells import on_path


def describe(adjacency: IntArray, ops: IntArray) -> FloatArray:
    """(N, V, V) pruned cells and (N, V - 2) ops -> (N, 36).

    Number of vertices and edges; input-output skip; degree of input and output; longest and
    shortest path, and the logarithm of the number of paths; how often each op occurs; on the
    paths, the most, the fewest and the mean occurrences of each op; how many edges lead from
    input or op to op or output (16 kinds).
    """
    kept = on_path(adjacency)
    n_paths = _paths_to(adjacency)
    one = np.ones_like(n_paths)
    columns = [
        kept.sum(axis=1),
        adjacency.sum(axis=(1, 2)),
        adjacency[:, 0, -1],
        adjacency[:, 0].sum(axis=1),
        adjacency[:, :, -1].sum(axis=1),
        _extreme_weight(adjacency, one, np.maximum),
        _extreme_weight(adjacency, one, np.minimum),
        np.log(np.maximum(n_paths[:, -1], 1)),
    ]
    for op in range(ABSENT):
        is_op = np.pad(ops == op, ((0, 0), (1, 1))).astype(float)  # (N, V)
        columns += [
            is_op.sum(axis=1),
            _extreme_weight(adjacency, is_op, np.maximum),
            _extreme_weight(adjacency, is_op, np.minimum),
            _mean_weight(adjacency, is_op, n_paths),
        ]
    return np.concatenate(
        [np.stack(columns, axis=1).astype(float), _edge_kinds(adjacency, ops, kept)], axis=1
    )


def _paths_to(adjacency: IntArray) -> FloatArray:
    """(N, V) number of paths from the input."""
    n_paths = np.zeros(adjacency.shape[:2])
    n_paths[:, 0] = 1
    for v in range(1, adjacency.shape[1]):
        n_paths[:, v] = (n_paths * adjacency[:, :, v]).sum(axis=1)
    return n_paths


def _extreme_weight(adjacency: IntArray, weights: FloatArray, better: np.ufunc) -> FloatArray:
    """(N,) largest or smallest sum of the (N, V) vertex weights along a path to the output."""
    worst = -np.inf if better is np.maximum else np.inf
    total = np.full(weights.shape, worst)
    total[:, 0] = 0
    for v in range(1, adjacency.shape[1]):
        arriving = np.where(adjacency[:, :, v] > 0, total, worst)
        total[:, v] = better.reduce(arriving, axis=1) + weights[:, v]
    at_output: FloatArray = np.where(np.isfinite(total[:, -1]), total[:, -1], 0.0)
    return at_output


def _mean_weight(adjacency: IntArray, weights: FloatArray, n_paths: FloatArray) -> FloatArray:
    """(N,) mean sum of the (N, V) vertex weights over the paths to the output."""
    total = np.zeros(weights.shape)
    for v in range(1, adjacency.shape[1]):
        arriving = (total * adjacency[:, :, v]).sum(axis=1)
        total[:, v] = arriving + weights[:, v] * n_paths[:, v]
    mean: FloatArray = total[:, -1] / np.maximum(n_paths[:, -1], 1)
    return mean


def _edge_kinds(adjacency: IntArray, ops: IntArray, kept: np.ndarray) -> FloatArray:
    """(N, 16) numbers of edges from input, op 0, 1, 2 to op 0, 1, 2, output."""
    one_hot = (ops[:, :, None] == np.arange(ABSENT)) & kept[:, 1:-1, None]  # (N, V - 2, 3)
    sources = np.zeros((*adjacency.shape[:2], ABSENT + 1))
    targets = np.zeros_like(sources)
    sources[:, 0, 0] = targets[:, -1, -1] = 1
    sources[:, 1:-1, 1:] = targets[:, 1:-1, :-1] = one_hot
    kinds = sources.transpose(0, 2, 1) @ adjacency.astype(float) @ targets  # (N, 4, 4)
    flat: FloatArray = kinds.reshape(len(adjacency), (ABSENT + 1) ** 2)
    return flat
