"""Several objectives: which candidates add most to the hypervolume.

N: candidates, F: observed, M: objectives, K: directions, C: costs, Q: nodes of a quadrature,
S: screened candidates. All is minimised.
"""

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import SingleArray
from optuna_dnas.controller import average_ranks
from optuna_dnas.controller import replace_infinite
from optuna_dnas.strategies._selection import sample_directions


_N_DIRECTIONS = 64  # for each objective beyond the first
_MAX_DIRECTIONS = 128  # As for three objectives, so that more of them cost little more. Not tuned.
# Expectations of so many candidates are compared, the others come after them; of fewer, where a
# quadrature has many nodes.
_N_SCREENED = 128
_N_NODES_SCREENED = 1_728
_MAX_GRID = 3  # Objectives of a grid of nodes, which grows as a power of them.
_N_DRAWN = 32  # Nodes for more of them; draws, which any number needs equally many of.
_OPTIMISM = 1.0  # Deviations that count for those.
# Each pick changes what others add. Nobody asks for more between two fits.
_N_GREEDY = 16
_N_COMPARED = 64
_UNINTERESTING = 0.75
# How far the reference lies beyond what was reached, as a share of its extent. It is what the ends
# of a front are worth: near the reference, a better value at the most expensive end adds nothing.
# On digits, margins of .5 and 1 reach 94.3 and 94.6 % in 100 trials (seeds 100 to 107).
_MARGIN = 1.0
# Where no cost is known, both ends take evaluations to find, and a wide margin draws them from
# what lies between. Not tuned.
_MARGIN_OF_UNKNOWN = 0.1
_QUARTILES = (0.0, 0.25, 0.5, 0.75)
# A cost that orders the observed as an objective does is that objective, or a function of it. The
# cost of a cell that was not written canonically may differ a little.
_SAME_ORDER = 0.999
_SAME_DIRECTION = 0.3  # Rank correlation.


def improvement_order(
    means: FloatArray,  # (N, M)
    deviations: FloatArray,  # (N, M), 0 for what is known
    observed: FloatArray,  # (F, M)
    reference: FloatArray,  # (M,)
    rng: np.random.Generator,
    scales: Mapping[int, "ValueScale"] = MappingProxyType({}),
) -> Iterator[int]:
    """Candidates by the hypervolume that each is expected to add to all before it.

    The hypervolume is proportional to the mean over directions of the best score to the power M
    (Zhang & Golovin, *Random Hypervolume Scalarizations for Provable Multi-Objective Black Box
    Optimization*, 2020, Lemma 5), so that an improvement is a mean of improvements. Expectations
    are by Gauss-Hermite quadrature, or of many objectives by draws. What was picked joins the
    front with its means. Objectives that have a scale count by their values, the others by what
    is predicted.
    """
    low, high = _to_values(observed.min(axis=0), scales), _to_values(reference, scales)
    extent = np.where(high > low, high - low, 1.0)
    n_directions = min(_N_DIRECTIONS * (len(reference) - 1), _MAX_DIRECTIONS)
    directions = sample_directions(n_directions, len(reference), rng)

    def powers(values: FloatArray) -> SingleArray:
        return _powers((_to_values(values, scales) - low) / extent, directions)

    best = powers(observed).max(axis=0)  # (K,)
    hoped = np.maximum(powers(means - _OPTIMISM * deviations) - best, 0.0).mean(axis=1)
    nodes, weights = _quadrature(deviations.max(axis=0) > 0, rng)
    n_screened = min(_N_SCREENED, _N_NODES_SCREENED // len(nodes))
    screened, rest = np.split(np.argsort(-hoped, kind="stable"), [n_screened])
    samples = np.stack([powers(means[screened] + x * deviations[screened]) for x in nodes])
    gains = _Gains(samples, weights, powers(means[screened]), best)
    # One by one: who asks for a single candidate does not pay for the next pick.
    yield from (int(screened[k]) for k in gains.greedy())
    yield from rest.tolist()


class _Gains:
    """What S candidates are expected to add, one after the other.

    Args:
        samples: (Q, S, K) powers of scores at the nodes of a quadrature.
        weights: (Q,) of the nodes.
        expected: (S, K) powers of the means' scores.
        best: (K,) what has been reached.
    """

    def __init__(
        self, samples: SingleArray, weights: FloatArray, expected: SingleArray, best: SingleArray
    ) -> None:
        self._samples, self._weights, self._expected = samples, weights, expected
        self._best = best

    def greedy(self) -> Iterator[int]:
        """All of them, the best first."""
        gains = self._of(np.arange(len(self._expected)))
        left = np.argsort(-gains, kind="stable")
        for _ in range(min(_N_GREEDY, len(left))):
            chosen = left[gains[left[:_N_COMPARED]].argmax()]
            yield int(chosen)
            self._best = np.maximum(self._best, self._expected[chosen])
            left = left[left != chosen]
            # What others add only falls: those that were far behind remain so.
            gains[left[:_N_COMPARED]] = self._of(left[:_N_COMPARED])
        yield from left[np.argsort(-gains[left], kind="stable")].tolist()

    def _of(self, rows: IntArray) -> FloatArray:
        improvements = np.maximum(self._samples[:, rows] - self._best, 0.0).mean(axis=2)
        gains: FloatArray = self._weights @ improvements
        return gains


def _quadrature(
    is_uncertain: BoolArray,  # (M,)
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Nodes (Q, M) and weights (Q,) of a normal distribution; 0 for what is certain."""
    n_uncertain = int(is_uncertain.sum())
    if n_uncertain > _MAX_GRID:
        half = rng.standard_normal((_N_DRAWN // 2, len(is_uncertain))) * is_uncertain
        # Antithetic: their mean is the predicted one.
        return np.concatenate([half, -half]), np.full(_N_DRAWN, 1 / _N_DRAWN)
    n = 5 if n_uncertain == 1 else 3
    points, point_weights = np.polynomial.hermite_e.hermegauss(n)
    combined = np.indices((n,) * n_uncertain).reshape(n_uncertain, n**n_uncertain).T
    nodes = np.zeros((len(combined), len(is_uncertain)))
    nodes[:, is_uncertain] = points[combined]
    weights = point_weights[combined].prod(axis=1)
    return nodes, weights / weights.sum()


class ValueScale(NamedTuple):
    """A monotone map from the predictions of an objective to its values: linear between quartiles.

    Predictors rank: of values that are close together, and there are many, predictions differ as
    much as of values far apart.
    """

    predictions: FloatArray  # (4,) ascending: the best, the quartiles
    values: FloatArray  # (4,)

    @classmethod
    def between(cls, predictions: FloatArray, values: FloatArray) -> "ValueScale | None":
        """(F,) each, of what was observed; `None` where there is no telling."""
        scale = cls(
            np.quantile(predictions, _QUARTILES),
            np.quantile(replace_infinite(values[:, None])[:, 0], _QUARTILES),
        )
        rises = all((np.diff(knots) > 0).all() for knots in scale)
        return scale if rises and np.isfinite(scale._slopes).all() else None

    def __call__(self, predictions: FloatArray) -> FloatArray:
        """Of any shape; beyond the quartiles as between the nearest two."""
        between: FloatArray = np.interp(predictions, self.predictions, self.values)
        below = np.minimum(predictions - self.predictions[0], 0.0)
        above = np.maximum(predictions - self.predictions[-1], 0.0)
        values: FloatArray = between + self._slopes[0] * below + self._slopes[-1] * above
        return values

    @property
    def _slopes(self) -> FloatArray:
        slopes: FloatArray = np.diff(self.values) / np.diff(self.predictions)
        return slopes


def _to_values(predictions: FloatArray, scales: Mapping[int, ValueScale]) -> FloatArray:
    """(..., M) -> (..., M)."""
    values = predictions.copy()
    for objective, scale in scales.items():
        values[..., objective] = scale(predictions[..., objective])
    return values


def qualities(values: FloatArray, known: Collection[int]) -> list[int]:
    """(F, M) -> the objectives that costs are weighed against; none where no cost is known.

    What rises with a known cost, such as a time that is measured, is a cost as well.
    """
    ranks = [average_ranks(column) for column in values.T]
    return [
        m
        for m in range(len(ranks))
        if known and not any(_correlation(ranks[m], ranks[k]) > _SAME_DIRECTION for k in known)
    ]


def infer_reference(
    observed: FloatArray,  # (F, M), those of the start first; of known costs their logarithms
    n_startup: int,
    known: Collection[int],
) -> FloatArray:
    """(M,) what is worse than this in any objective is of no interest.

    All of the front counts, and beyond its ends a margin: both ends are searched for what is
    better there, the more so where a cost is known. What is cheap is then known without an
    evaluation, and mostly bad: whatever is measured must be better than a quarter of the random
    architectures were, and what is more expensive than the front may be on it.
    """
    front = observed[non_dominated(observed)]
    low, high = front.min(axis=0), front.max(axis=0)
    for m in known:
        low[m], high[m] = observed[:, m].min(), observed[:, m].max()
    margin = _MARGIN if known else _MARGIN_OF_UNKNOWN
    reference: FloatArray = high + margin * (high - low)
    for m in qualities(observed, known):
        reference[m] = np.quantile(observed[:n_startup, m], _UNINTERESTING)
    return reference


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
            if _correlation(ranks, others) > _SAME_ORDER:
                known.setdefault(m, k)
    return known


def _correlation(a: FloatArray, b: FloatArray) -> float:
    """(F,), (F,) -> from -1 to 1; 0 where one of them is constant."""
    varies = min(np.ptp(a), np.ptp(b)) > 0
    return float(np.corrcoef(a, b)[0, 1]) if varies else 0.0


def _powers(scaled: FloatArray, directions: FloatArray) -> SingleArray:
    """(N, M), (K, M) -> (N, K) scores to the power M, maximised; 0 beyond the reference 1."""
    # In single precision: gains are compared, and there are many.
    distances = np.maximum(1.0 - scaled, 0.0).astype(np.float32)
    factors = (1.0 / np.maximum(directions, 1e-6)).astype(np.float32)
    scores: SingleArray = distances[:, :1] * factors[:, 0]
    for column, factor in zip(distances.T[1:], factors.T[1:], strict=True):
        np.minimum(scores, column[:, None] * factor, out=scores)
    powers = scores.copy()
    for _ in range(1, directions.shape[1]):
        powers *= scores
    return powers
