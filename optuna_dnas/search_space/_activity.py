"""Which parameters of a conditional space are active, learned from what trials had.

N: trials, T: tokens.
"""

from dataclasses import dataclass

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray


@dataclass(frozen=True)
class ActivityTree:
    """A decision tree from discrete tokens to the pattern of active parameters.

    An objective decides what to suggest next from the values that it has. The tree splits on the
    value that tells most about the pattern (gain ratio; Quinlan, *C4.5*, 1993) until the patterns
    are explained.

    Args:
        active: (T,) the pattern of a leaf, or the most frequent one of a branch.
        column: The token to split on; `None` at a leaf.
        values: The values seen there, ascending, the last may be NaN (inactive).
        branches: A tree for each value.
    """

    active: BoolArray
    column: int | None = None
    values: FloatArray | None = None
    branches: tuple["ActivityTree", ...] = ()

    @classmethod
    def fit(cls, tokens: FloatArray, is_discrete: BoolArray) -> "ActivityTree":
        """(N, T) tokens of trials, N > 0, and (T,) which tokens may decide."""
        patterns, ids, counts = np.unique(
            ~np.isnan(tokens), axis=0, return_inverse=True, return_counts=True
        )
        majority = patterns[counts.argmax()]
        if len(patterns) == 1:
            return cls(majority)
        codes = [np.unique(tokens[:, t], return_inverse=True) for t in range(tokens.shape[1])]
        ratios = np.array(
            [
                _gain_ratio(codes[t][1], ids.ravel()) if is_discrete[t] else 0.0
                for t in range(tokens.shape[1])
            ]
        )
        # A token that is inactive in some trials is itself decided by another one: it comes later.
        n_inactive = np.isnan(tokens).sum(axis=0)
        column = int(np.lexsort((-ratios, n_inactive, ratios <= 1e-9))[0])
        if ratios[column] <= 1e-9:
            return cls(majority)
        values, branch_of = codes[column]
        branches = tuple(cls.fit(tokens[branch_of == b], is_discrete) for b in range(len(values)))
        return cls(majority, column, values, branches)

    def predict(self, tokens: FloatArray) -> BoolArray:
        """(N, T) tokens -> (N, T) which of them are active."""
        active = np.tile(self.active, (len(tokens), 1))
        if self.column is None or self.values is None:
            return active
        # An unseen value goes with the nearest seen one; NaN is farther than everything.
        distance = np.abs(tokens[:, self.column, None] - self.values)
        nearest = np.where(np.isnan(distance), np.inf, distance).argmin(axis=1)
        nearest[np.isnan(tokens[:, self.column])] = len(self.values) - 1
        for b, branch in enumerate(self.branches):
            rows = nearest == b
            active[rows] = branch.predict(tokens[rows])
        return active


def _gain_ratio(codes: IntArray, ids: IntArray) -> float:
    """Mutual information of two labelings over the entropy of the first."""
    joint = codes * (ids.max() + 1) + ids
    entropy = _entropy(codes)
    if entropy == 0.0:
        return 0.0
    return (entropy + _entropy(ids) - _entropy(joint)) / entropy


def _entropy(labels: IntArray) -> float:
    counts = np.unique(labels, return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())
