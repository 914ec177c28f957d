"""Random cells, and moves from one cell to others; some of what comes is invalid.

N: cells, T: tokens of one, V: vertices.
"""

import numpy as np

from optuna_dnas._typing import IntArray
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space._cells import OPS


def random_cells(space: NASBench101Space, n: int, rng: np.random.Generator) -> IntArray:
    """(n, T) every edge and op by itself, as in NASBench-101's own code.

    Most that are valid have fewer than V vertices, and are better than uniform ones.
    """
    n_choices = _n_choices(space)
    return rng.integers(0, n_choices, (n, len(n_choices)))


def mutate(
    space: NASBench101Space,
    cell: IntArray,  # (T,)
    n: int,
    rng: np.random.Generator,
    *,
    edge_rate: float,
) -> IntArray:  # (n, T)
    """Flip each edge with probability ``edge_rate``, and change one op on average."""
    n_choices = _n_choices(space)
    is_edge = n_choices == 2
    rates = np.where(is_edge, edge_rate, 1.0 / max(space.max_vertices - 2, 1))
    is_changed = rng.random((n, len(cell))) < rates
    # Any choice but the old one is equally likely.
    steps = rng.integers(1, n_choices, (n, len(cell)))
    return np.where(is_changed, (cell + steps) % n_choices, cell)


def neighbours(space: NASBench101Space, cell: IntArray) -> IntArray:
    """(T,) -> (N, T) the cells that differ in one edge or one op."""
    n_choices = _n_choices(space)
    columns = np.repeat(np.arange(len(cell)), n_choices - 1)
    steps = np.concatenate([np.arange(1, n) for n in n_choices])
    changed = np.tile(cell, (len(columns), 1))
    rows = np.arange(len(columns))
    changed[rows, columns] = (cell[columns] + steps) % n_choices[columns]
    return changed


def _n_choices(space: NASBench101Space) -> IntArray:
    """(T,): a parameter has no choice "absent", other than a token."""
    n_choices = [token.n_choices for token in space.vocabulary.tokens]
    return np.minimum(n_choices, len(OPS))
