"""What the tests of the spaces share: a flat space of all kinds of parameters, and cells."""

from typing import Any

from hypothesis import strategies as st
import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space


DISCRETE: dict[str, tuple[BaseDistribution, list[Any]]] = {
    "mixed": (
        CategoricalDistribution((None, True, "a", 1.5, 3)),
        [None, True, "a", 1.5, 3],
    ),
    "bools": (CategoricalDistribution((False, True)), [False, True]),
    "one_category": (CategoricalDistribution(("only",)), ["only"]),
    "int": (IntDistribution(-3, 4), list(range(-3, 5))),
    "int_step": (IntDistribution(1, 13, step=3), [1, 4, 7, 10, 13]),
    "int_log": (IntDistribution(1, 40, log=True), list(range(1, 41))),
    "one_int": (IntDistribution(5, 5), [5]),
    "one_int_log": (IntDistribution(5, 5, log=True), [5]),
    "float_step": (FloatDistribution(-0.5, 1.0, step=0.25), [-0.5 + 0.25 * k for k in range(7)]),
    "one_float": (FloatDistribution(0.3, 0.3), [0.3]),
    "one_float_step": (FloatDistribution(0.3, 0.3, step=0.1), [0.3]),
}
REAL: dict[str, BaseDistribution] = {
    "float": FloatDistribution(-2.0, 7.0),
    "float_log": FloatDistribution(1e-5, 1e2, log=True),
}
DISTRIBUTIONS = {name: d for name, (d, _) in DISCRETE.items()} | REAL
FLAT = FlatSpace(DISTRIBUTIONS)

CONV3, CONV1, POOL = OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
ABSENT = 3
CELLS = {v: NASBench101Space(max_vertices=v) for v in range(2, 8)}

vertices = st.integers(2, 7)
seeds = st.integers(0, 2**32 - 1)


def sample_flat(n: int, seed: int = 0) -> list[dict[str, Any]]:
    return FLAT.sample(np.random.default_rng(seed), n)


def sample_cells(n_vertices: int, n: int, seed: int) -> np.ndarray:
    return CELLS[n_vertices].sample_tokens(n, np.random.default_rng(seed))


def draw_raw(n_vertices: int, n: int, seed: int, *, n_ops: int = len(OPS)) -> np.ndarray:
    """(n, T) tokens that are neither canonical nor always valid, few edges and many."""
    rng = np.random.default_rng(seed)
    n_edges = n_vertices * (n_vertices - 1) // 2
    edges = rng.random((n, n_edges)) < rng.uniform(0.1, 0.9, (n, 1))
    ops = rng.integers(0, n_ops, (n, n_vertices - 2))
    return np.concatenate([edges, ops], axis=1).astype(np.int64)


def to_matrix(n_vertices: int, tokens: np.ndarray) -> np.ndarray:
    """One sequence -> (V, V), edges column by column."""
    matrix = np.zeros((n_vertices, n_vertices), dtype=int)
    pairs = [(i, j) for j in range(1, n_vertices) for i in range(j)]
    for (i, j), token in zip(pairs, tokens[: len(pairs)], strict=True):
        matrix[i, j] = token
    return matrix


def to_spec(n_vertices: int, tokens: np.ndarray) -> ModelSpec | None:
    """What the tokens say, by `ModelSpec` alone; `None` if that is no cell."""
    ops = [OPS[o] for o in tokens[n_vertices * (n_vertices - 1) // 2 :]]
    try:
        return ModelSpec(to_matrix(n_vertices, tokens), ["input", *ops, "output"])
    except OutOfDomainError:
        return None


def relabel(spec: ModelSpec, rng: np.random.Generator) -> ModelSpec:
    """The same cell with its vertices in another order."""
    order, waiting = [0], list(range(1, len(spec.ops) - 1))
    while waiting:
        ready = [v for v in waiting if not spec.matrix[waiting, v].any()]
        order.append(int(rng.choice(ready)))
        waiting.remove(order[-1])
    order.append(len(spec.ops) - 1)
    return ModelSpec(spec.matrix[np.ix_(order, order)], [spec.ops[v] for v in order])
