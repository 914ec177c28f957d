"""How much latents know of factors.

N: architectures, D: latent dimensions, F: factors. Information is in nats. A factor may be NaN
where it does not apply; these architectures do not count for it.
"""

from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray


N_BINS = 20
"""Of a code, as in the disentanglement library (Locatello et al. 2019)."""


def discretise(values: FloatArray, n_bins: int = N_BINS) -> IntArray:
    """(N,) numbers -> (N,) bins of equal width; numbers that are few are bins of their own."""
    distinct, places = np.unique(values, return_inverse=True)
    if len(distinct) <= n_bins:
        return places
    edges = np.linspace(distinct[0], distinct[-1], n_bins + 1)[1:-1]
    return np.digitize(values, edges)


def entropy(labels: IntArray) -> float:
    """Of (N,) labels."""
    shares = np.bincount(labels) / len(labels)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def mutual_information(a: IntArray, b: IntArray) -> float:
    """Of two (N,) arrays of labels."""
    pairs = a * (b.max() + 1) + b
    # Rounding may make it negative.
    return max(0.0, entropy(a) + entropy(b) - entropy(pairs))


class Information(NamedTuple):
    """What codes and factors share."""

    shared: FloatArray  # (D, F) mutual information
    entropies: FloatArray  # (F,)

    @property
    def normalised(self) -> FloatArray:
        """(D, F) shares of the factors' entropies; 0 for a constant factor."""
        known = self.entropies > 0
        shares: FloatArray = np.where(
            known, self.shared / np.where(known, self.entropies, 1.0), 0.0
        )
        return shares


def information(
    codes: FloatArray,  # (N, D)
    factors: FloatArray,  # (N, F)
) -> Information:
    """The mutual-information matrix, of codes in `N_BINS` bins."""
    bins = [discretise(column) for column in codes.T]
    shared = np.zeros((codes.shape[1], factors.shape[1]))
    entropies = np.zeros(factors.shape[1])
    for f, values in enumerate(factors.T):
        known = ~np.isnan(values)
        if not known.any():
            continue
        labels = discretise(values[known])
        entropies[f] = entropy(labels)
        shared[:, f] = [mutual_information(column[known], labels) for column in bins]
    return Information(shared, entropies)


def mutual_information_gap(of: Information, least_entropy: float = 0.0) -> float:
    """MIG (Chen et al. 2018, Eq. 6): how far the best latent of a factor is ahead of the second.

    Mean over the factors whose entropy is above ``least_entropy``: nearly constant ones say
    nothing.

    Raises:
        ValueError: There is no such factor.
    """
    kept = of.entropies > least_entropy
    if not kept.any():
        raise ValueError(f"No factor has an entropy above {least_entropy} nats.")
    ordered = np.sort(of.normalised[:, kept], axis=0)
    second = ordered[-2] if len(ordered) > 1 else np.zeros(kept.sum())
    return float((ordered[-1] - second).mean())
