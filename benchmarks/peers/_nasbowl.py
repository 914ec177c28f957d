"""NAS-BOWL: Bayesian optimisation with the Weisfeiler-Lehman kernel (Ru et al., ICLR 2021)."""

from collections.abc import Iterator
import math
from typing import Any

import numpy as np
from scipy.linalg import cho_factor
from scipy.linalg import cho_solve
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from benchmarks.peers._base import cell_keys
from benchmarks.peers._base import CellSampler
from benchmarks.peers._base import History
from benchmarks.peers._base import new_cells
from benchmarks.peers._moves import mutate
from benchmarks.peers._moves import random_cells
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import SearchSpace


_N_PARENTS = 10
_ITERATIONS = (1, 2)  # of the kernel, of which the likelier is taken
_NOISE = 1e-3
_NOISE_RANGE = (1e-5, 1e-2)
_N_ATTEMPTS = 20


class NASBowlSampler(CellSampler):
    """Mutants of the best cells and random ones, by their expected improvement.

    The settings are those of the authors' code for NASBench-101: the optimal assignment kernel, of
    one or two iterations, whichever is likelier; half of a pool of 100 are mutants of the ten best
    cells; the five best of a pool are evaluated before the next fit. The logarithm of the error is
    regressed on. The noise is the likeliest between 1e-5 and 0.01, where they take 20 gradient
    steps towards it. What was evaluated is not in a pool.

    N: cells, T: tokens of one.

    Args:
        space: Of the cells.
        seed: Of all draws.
        n_initial: Random cells at first.
        batch_size: Cells between two fits.
        pool_size: Candidates of a fit.
    """

    def __init__(
        self,
        space: SearchSpace[Any] | None,
        seed: int,
        *,
        n_initial: int = 10,
        batch_size: int = 5,
        pool_size: int = 100,
    ) -> None:
        super().__init__(space, seed)
        self._n_initial, self._batch_size = n_initial, batch_size
        self._pool_size = pool_size
        self._batch = -1
        self._queue = np.empty((0, 0), dtype=np.int64)

    def propose(self, history: History, rng: np.random.Generator) -> Iterator[IntArray]:
        """The queue of the batch."""
        n_observed = len(history.losses)
        if n_observed < self._n_initial:
            return
        number = (n_observed - self._n_initial) // self._batch_size
        if number != self._batch:
            self._queue = self._rank(history, np.random.default_rng([self.seed, 1, number]))
            self._batch = number
        yield self._queue

    def _rank(self, history: History, rng: np.random.Generator) -> IntArray:
        pool = self._pool(history, rng)
        improvements = expected_improvements(
            self.space, history.tokens, to_targets(history.losses), pool
        )
        ranked: IntArray = pool[np.argsort(-improvements, kind="stable")]
        return ranked

    def _pool(self, history: History, rng: np.random.Generator) -> IntArray:
        taken = set(history.taken)
        pools = []
        n_each = self._pool_size // 2 // _N_PARENTS
        n_edges_out = self.space.max_vertices
        for parent in history.tokens[history.losses.argsort()[:_N_PARENTS]]:
            mutants = mutate(
                self.space, parent, _N_ATTEMPTS * n_each, rng, edge_rate=1.0 / n_edges_out
            )
            pools.append(new_cells(self.space, mutants, taken)[:n_each])
            taken.update(cell_keys(self.space, pools[-1]))
        n_random = self._pool_size - sum(map(len, pools))
        drawn = random_cells(self.space, _N_ATTEMPTS * self._pool_size, rng)
        return np.concatenate([*pools, new_cells(self.space, drawn, taken)[:n_random]])


def to_targets(losses: FloatArray) -> FloatArray:
    """(N,) negative accuracies, or other losses -> (N,) standardised, to be maximised.

    Of accuracies as shares, the negative log error.
    """
    if (losses >= -1).all() and (losses <= 0).all():
        targets = -np.log(np.maximum(1.0 + losses, 1e-6))
    else:
        targets = -losses
    deviation = float(targets.std())
    standardised: FloatArray = (targets - targets.mean()) / (deviation if deviation > 0 else 1.0)
    return standardised


def expected_improvements(
    space: NASBench101Space,
    observed: IntArray,  # (N, T)
    targets: FloatArray,  # (N,) maximised
    candidates: IntArray,  # (Q, T)
) -> FloatArray:
    """(Q,) over the target whose posterior mean is the best."""
    n = len(observed)
    both = np.concatenate([observed, candidates])
    kernels = [assignment_kernel(space, both, n_iterations=h) for h in _ITERATIONS]
    kernel = min(kernels, key=lambda k: _negative_log_likelihood(k[:n, :n], targets, _NOISE))
    found = minimize_scalar(
        lambda log_noise: _negative_log_likelihood(kernel[:n, :n], targets, math.exp(log_noise)),
        bounds=tuple(map(math.log, _NOISE_RANGE)),
        method="bounded",
    )
    noise = math.exp(found.x)
    factor = cho_factor(kernel[:n, :n] + noise * np.eye(n), lower=True)
    means = kernel[:, :n] @ cho_solve(factor, targets)
    best = targets[means[:n].argmax()]
    across = kernel[:n, n:]
    variances = 1.0 + noise - (across * cho_solve(factor, across)).sum(axis=0)
    deviations = np.sqrt(np.maximum(variances, noise))
    u = (means[n:] - best) / deviations
    improvements: FloatArray = deviations * (norm.pdf(u) + u * norm.cdf(u))
    return improvements


def assignment_kernel(
    space: NASBench101Space, tokens: IntArray, *, n_iterations: int
) -> FloatArray:
    """(N, T) -> (N, N) Weisfeiler-Lehman optimal assignment kernel, 1 on the diagonal.

    Kriege, Giscard & Wilson, *On Valid Optimal Assignment Kernels and Applications to Graph
    Classification*, 2016: the intersection of the histograms of labels, of all iterations. A label
    is a vertex's own and those of its predecessors; the authors' code takes those of its
    successors.
    """
    params = space.tokens_to_params(space.canonicalize(tokens)[0])
    columns: dict[Any, int] = {}
    rows: list[int] = []
    places: list[int] = []
    for n, of_cell in enumerate(params):
        seen: dict[Any, int] = {}
        for label in _labels(space, of_cell, n_iterations):
            seen[label] = seen.get(label, 0) + 1
            # The second vertex of a label is a feature of its own: intersections are products.
            place = columns.setdefault((label, seen[label]), len(columns))
            rows.append(n)
            places.append(place)
    features = np.zeros((len(params), len(columns)))
    features[rows, places] = 1.0
    norms = np.sqrt(features.sum(axis=1))
    kernel: FloatArray = features @ features.T / np.outer(norms, norms)
    return kernel


def _labels(space: NASBench101Space, params: dict[str, Any], n_iterations: int) -> Iterator[Any]:
    spec = space.params_to_architecture(params)
    labels: list[Any] = list(spec.ops)
    yield from labels
    for _ in range(n_iterations):
        labels = [
            (label, tuple(sorted((labels[v] for v in np.flatnonzero(inputs)), key=repr)))
            for label, inputs in zip(labels, np.asarray(spec.matrix).T, strict=True)
        ]
        yield from labels


def _negative_log_likelihood(kernel: FloatArray, targets: FloatArray, noise: float) -> float:
    factor = cho_factor(kernel + noise * np.eye(len(kernel)), lower=True)
    half_log_determinant = np.log(np.diag(factor[0])).sum()
    return float(0.5 * targets @ cho_solve(factor, targets) + half_log_determinant)
