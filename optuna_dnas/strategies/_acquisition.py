"""By what candidates are ordered. N: candidates, M: objectives."""

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas.strategies._config import SearchConfig


def candidate_scores(
    means: FloatArray,  # (N, M)
    deviations: FloatArray,  # (N, M)
    reference: FloatArray,  # (N', M) means of what was observed
    config: SearchConfig,
    rng: np.random.Generator,
) -> FloatArray:
    """(N, M), lower is better; several objectives are scaled about to [0, 1]."""
    share = config.improvement_share if means.shape[1] == 1 else 0.0
    if share > 0 and rng.random() < share:
        return negative_improvements(means, deviations, reference.min(axis=0))
    samples = thompson_samples(means, deviations, config.noise, rng)
    return _to_unit_scale(samples, reference)


def thompson_samples(
    means: FloatArray, deviations: FloatArray, noise: float, rng: np.random.Generator
) -> FloatArray:
    """(N, M) each -> (N, M), one sample for each candidate; lower is better."""
    samples: FloatArray = means + noise * deviations * rng.standard_normal(means.shape)
    return samples


def negative_improvements(
    means: FloatArray, deviations: FloatArray, best: FloatArray
) -> FloatArray:
    """(N, M) each, (M,) the best means of what was observed -> (N, M), lower is better.

    Expected improvement (Jones, Schonlau & Welch, 1998, Eq. 15).
    """
    from scipy.special import ndtr  # Its import takes longer than Optuna's.

    u = (best - means) / deviations
    density = np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi)
    # Where nothing will improve, what is most likely to.
    improvements: FloatArray = deviations * (density + u * ndtr(u)) + 1e-12 * u
    return -improvements


def _to_unit_scale(predicted: FloatArray, reference: FloatArray) -> FloatArray:
    """Scale each objective so that the predictions of what was observed span [0, 1]."""
    low, high = reference.min(axis=0), reference.max(axis=0)
    scaled: FloatArray = (predicted - low) / np.where(high > low, high - low, 1.0)
    return scaled
