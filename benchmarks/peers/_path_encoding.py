"""The path encoding of cells. P: paths, N: cells, T: tokens of one."""

from collections.abc import Iterator

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space._cells import OPS


_MAX_LENGTH = 3


def encode_paths(space: NASBench101Space, tokens: IntArray) -> FloatArray:
    """(N, T) valid cells -> (N, P) which sequences of at most 3 ops lead from input to output.

    Longer paths are cut off, as in the authors' code.
    """
    n_paths = sum(len(OPS) ** length for length in range(_MAX_LENGTH + 1))
    codes = np.zeros((len(tokens), n_paths))
    for code, cell in zip(codes, space.tokens_to_architectures(tokens), strict=True):
        code[[_index(path) for path in paths_of(cell) if len(path) <= _MAX_LENGTH]] = 1.0
    return codes


def paths_of(cell: ModelSpec, vertex: int = 0) -> Iterator[tuple[str, ...]]:
    """The ops along each path from a vertex to the output."""
    for target in np.flatnonzero(cell.matrix[vertex]).tolist():
        if target == len(cell.ops) - 1:
            yield ()
        else:
            for rest in paths_of(cell, target):
                yield (cell.ops[target], *rest)


def _index(path: tuple[str, ...]) -> int:
    """Shorter paths first."""
    return sum(len(OPS) ** k * (OPS.index(op) + 1) for k, op in enumerate(path))
