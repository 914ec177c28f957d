"""What a process regresses on, instead of values of any scale."""

import numpy as np
from scipy.special import ndtri

from optuna_dnas._typing import FloatArray
from optuna_dnas.controller._config import replace_infinite
from optuna_dnas.controller.predictors._ranks import average_ranks


_LEAST_GOOD = 3  # Fewer distances say nothing.


def normal_scores(values: FloatArray) -> FloatArray:
    """(N,) values, infinite ones allowed -> (N,) standard normal quantiles of their ranks."""
    return _standardized(ndtri((average_ranks(values) - 0.5) / len(values)))


def half_rank_scores(values: FloatArray) -> FloatArray:
    """(N,) values, infinite ones allowed -> (N,) scores; the better half keeps its distances.

    The worse half gets normal quantiles of ranks, as all have in `normal_scores`: how bad a bad
    value is does not matter, and how much better a good one is does. Equal values count as one,
    so that many equally good ones do not look less good. Lower values are better.

    After the half-rank warping of Song et al., *The Vizier Gaussian Process Bandit Algorithm*,
    2024, Section 3.
    """
    levels, inverse = np.unique(values, return_inverse=True)
    quantiles = ndtri((np.arange(len(levels)) + 0.5) / len(levels))
    n_good = min(max(-(-len(levels) // 2), _LEAST_GOOD), len(levels))
    quantiles -= quantiles[n_good - 1]
    good = replace_infinite(levels[:, None])[:n_good, 0]
    gaps = good / 2 - good[-1] / 2  # finite also between extreme values
    widest = gaps[0]
    if widest < 0:
        gaps = gaps / widest  # and so are its squares
        spread = np.sqrt((quantiles[:n_good] ** 2).mean() / (gaps**2).mean())
        quantiles[:n_good] = -gaps * spread
    return _standardized(quantiles[inverse])


def _standardized(scores: FloatArray) -> FloatArray:
    deviation = scores.std()
    return (scores - scores.mean()) / deviation if deviation > 0 else np.zeros_like(scores)
