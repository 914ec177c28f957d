"""Dense-sampling regions: where the factors of the best architectures lie (Eq. 4).

K: best codes, D: latent dimensions.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from optuna_dnas._checks import check_positive
from optuna_dnas._checks import check_share
from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas.strategies._base import EliteStrategy
from optuna_dnas.strategies._state import SearchState


@dataclass(frozen=True)
class PromisingRegions:
    """Eq. 4: in each dimension the union of intervals around the best codes.

    Args:
        centres: (K, D) best codes.
        half_width: (D,) the delta of each dimension; 0 makes the region a set of points.
    """

    centres: FloatArray
    half_width: FloatArray

    def intervals(self, dimension: int) -> FloatArray:
        """(n, 2) disjoint intervals of one dimension, ascending."""
        delta = self.half_width[dimension]
        merged: list[list[float]] = []
        for z in np.sort(self.centres[:, dimension]):
            if merged and z - delta <= merged[-1][1]:
                merged[-1][1] = z + delta
            else:
                merged.append([z - delta, z + delta])
        return np.array(merged)

    def contains(self, codes: FloatArray) -> BoolArray:
        """(N, D) codes -> (N, D) which coordinates lie in their dimension's region."""
        distance = np.abs(codes[:, None, :] - self.centres)  # (N, K, D)
        inside: BoolArray = np.any(distance <= self.half_width + 1e-12, axis=1)
        return inside

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """(n, D) codes, each coordinate drawn from its region independently of the others.

        The density is the number of intervals that cover a point: where more of the best
        architectures agree, more is sampled.
        """
        k, dim = self.centres.shape
        centre = self.centres[rng.integers(0, k, (n, dim)), np.arange(dim)]
        codes: FloatArray = centre + self.half_width * rng.uniform(-1.0, 1.0, (n, dim))
        return codes

    def sample_uniform(self, n: int, rng: np.random.Generator) -> FloatArray:
        """(n, D) codes, each coordinate uniform over the union, as the paper has it."""
        columns = []
        for d in range(self.centres.shape[1]):
            intervals = self.intervals(d)
            lengths = intervals[:, 1] - intervals[:, 0]
            weights = lengths if lengths.sum() > 0 else np.ones(len(intervals))
            chosen = intervals[rng.choice(len(intervals), n, p=weights / weights.sum())]
            columns.append(rng.uniform(chosen[:, 0], chosen[:, 1]))
        return np.stack(columns, axis=1)


@dataclass(frozen=True, kw_only=True)
class DenseRegions(EliteStrategy):
    """Sample the promising regions densely (p1 of the paper).

    Args:
        share: Its share of all candidates.
        top_k: How many of the best architectures span the regions.
        uniform: Sample the union uniformly (the paper), rather than by how many of the best
            architectures agree.
    """

    source: ClassVar[str] = "dense"
    top_k: int = 5
    uniform: bool = False

    def propose(self, state: SearchState, n: int, rng: np.random.Generator) -> FloatArray:
        regions = PromisingRegions(state.elite[: self.top_k], state.latent.half_width)
        return regions.sample_uniform(n, rng) if self.uniform else regions.sample(n, rng)


@dataclass(frozen=True, kw_only=True)
class CostEdge(EliteStrategy):
    """Sample the regions where they just meet the cost limit (p2 of the paper).

    Args:
        share: Its share of all candidates.
        top_k: How many of the best architectures span the regions.
        oversampling: Out of so many codes for each, those nearest to the limit.
        margin: How far below the limit its edge reaches, as a share of it: inside, no code is
            nearer than another. The paper has 20 of 500 to 600 million multiply-adds, about 0.04.
    """

    source: ClassVar[str] = "edge"
    top_k: int = 5
    oversampling: int = 5
    margin: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "oversampling")
        check_share(self, "margin")

    def propose(self, state: SearchState, n: int, rng: np.random.Generator) -> FloatArray:
        if state.cost_headroom is None:
            return state.elite[:0]
        regions = PromisingRegions(state.elite[: self.top_k], state.latent.half_width)
        codes = regions.sample(n * self.oversampling, rng)
        headroom = state.cost_headroom(codes)
        # Those beyond a limit come last, the nearest to it first.
        distance = np.where(headroom < 0, -headroom, np.maximum(headroom - self.margin, 0.0))
        order = np.lexsort((distance, headroom < 0))
        return codes[order[:n]]
