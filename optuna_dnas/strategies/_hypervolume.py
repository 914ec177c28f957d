"""Several objectives: which candidates add most to the hypervolume.

N: candidates, F: observed, M: objectives, K: directions, C: costs. All is minimised.
"""

from collections.abc import Collection
from collections.abc import Iterator

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.controller import average_ranks
from optuna_dnas.strategies._selection import sample_directions


_N_DIRECTIONS = 256
# Each pick looks at all candidates again; nobody asks for more between two fits.
_N_GREEDY = 16
_UNINTERESTING = 0.75
# A cost that orders the observed as an objective does is that objective, or a function of it. The
# cost of a cell that was not written canonically may differ a little.
_SAME_ORDER = 0.999


def hypervolume_order(
    sampled: FloatArray,  # (N, M)
    observed: FloatArray,  # (F, M)
    reference: FloatArray,  # (M,)
    rng: np.random.Generator,
) -> Iterator[int]:
    """Candidates, each the one that adds most to what was observed and to all before it.

    The hypervolume is proportional to the mean over directions of the best score to the power M
    (Zhang & Golovin, *Random Hypervolume Scalarizations for Provable Multi-Objective Black Box
    Optimization*, 2020, Lemma 5), so that an improvement is a mean of improvements.
    """
    low = observed.min(axis=0)
    scale = np.where(reference > low, reference - low, 1.0)
    directions = sample_directions(_N_DIRECTIONS, len(reference), rng)
    best = _powers((observed - low) / scale, directions).max(axis=0)  # (K,)
    powers = _powers((sampled - low) / scale, directions)  # (N, K)
    is_left = np.ones(len(sampled), dtype=bool)
    for _ in range(min(_N_GREEDY, len(sampled))):
        gains = np.maximum(powers - best, 0.0).mean(axis=1)
        chosen = int(np.where(is_left, gains, -1.0).argmax())
        best = np.maximum(best, powers[chosen])
        is_left[chosen] = False
        yield chosen
    gains = np.maximum(powers - best, 0.0).mean(axis=1)
    order = np.argsort(-gains, kind="stable")
    yield from order[is_left[order]].tolist()


def infer_reference(
    observed: FloatArray,  # (F, M), those of the start first
    n_startup: int,
    known: Collection[int],
) -> FloatArray:
    """(M,) what is worse than this in any objective is of no interest.

    Where a cost is an objective, what is cheap is known without an evaluation, and mostly bad:
    whatever is measured must then be better than a quarter of the random architectures were, and
    may cost what the dearest of the observed does. Otherwise all of the front counts, and a tenth
    of its extent around it.
    """
    if known:
        measured = np.quantile(observed[:n_startup], _UNINTERESTING, axis=0)
        is_known = np.isin(np.arange(observed.shape[1]), list(known))
        reference: FloatArray = np.where(is_known, observed.max(axis=0), measured)
        return reference
    front = observed[non_dominated(observed)]
    high = front.max(axis=0)
    nadir: FloatArray = high + 0.1 * (high - front.min(axis=0))
    return nadir


def non_dominated(values: FloatArray) -> IntArray:
    """(F, M) -> rows that no other one is as good as in all objectives and better in one."""
    left = np.lexsort(values.T[::-1])  # what dominates comes before what it dominates
    front = []
    while len(left):
        first, left = left[0], left[1:]
        front.append(first)
        others, best = values[left], values[first]
        left = left[(others < best).any(axis=1) | (others == best).all(axis=1)]
    return np.sort(np.array(front, dtype=np.int64))


def known_costs(
    values: FloatArray,  # (F, M)
    costs: FloatArray | None,  # (F, C)
) -> dict[int, int]:
    """Objectives that are a cost that the space knows, or grow with it: objective -> cost.

    Those need no prediction.
    """
    known: dict[int, int] = {}
    if costs is None:
        return known
    cost_ranks = [average_ranks(column) for column in costs.T]
    for m, column in enumerate(values.T):
        ranks = average_ranks(column)
        for k, others in enumerate(cost_ranks):
            varies = min(np.ptp(ranks), np.ptp(others)) > 0
            if varies and np.corrcoef(ranks, others)[0, 1] > _SAME_ORDER:
                known.setdefault(m, k)
    return known


def _powers(scaled: FloatArray, directions: FloatArray) -> FloatArray:
    """(N, M), (K, M) -> (N, K) scores to the power M, maximised; 0 beyond the reference 1."""
    distances = np.maximum(1.0 - scaled, 0.0)
    scores = np.full((len(scaled), len(directions)), np.inf)
    for column, weights in zip(distances.T, directions.T, strict=True):
        np.minimum(scores, column[:, None] / np.maximum(weights, 1e-6), out=scores)
    powers: FloatArray = scores ** directions.shape[1]
    return powers
