"""The hyper-parameters of Gaussian process regression: the maximum of their posterior.

N: observed, G: groups, E: main effects.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor
from scipy.linalg import cho_solve
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.controller.predictors._gaussian_process import GaussianProcessConfig
from optuna_dnas.controller.predictors._gaussian_process_inputs import Floats


JITTER = 1e-6


class Kernel(NamedTuple):
    """(1 - share) times Matern 5/2, plus share times main effects; the variance is about 1."""

    weights: FloatArray  # (G,)
    noise: float
    share: float
    relevance: FloatArray  # (G,) of main effects; the sum is 1


class Effects(NamedTuple):
    """What is known of main effects."""

    values: FloatArray  # (N, E)
    group: IntArray  # (E,)
    typical_distance: FloatArray  # (G,), 0 of groups without effects

    def relevance(self, weights: FloatArray) -> FloatArray:
        """(G,) weights -> (G,): strong effects are expected of what matters to the other part."""
        products = weights * self.typical_distance
        relevance: FloatArray = products / products.sum()
        return relevance


def matern52(squared: Floats) -> Floats:
    """Squared distances -> correlations (Rasmussen & Williams, 2006, Eq. 4.17)."""
    root = np.sqrt(5.0 * squared)
    correlations: Floats = root / 3.0
    correlations += 1.0
    correlations *= root
    correlations += 1.0
    correlations *= np.exp(-root)
    return correlations


def matern52_slope(squared: FloatArray) -> FloatArray:
    """Derivative of :func:`matern52` by the squared distance."""
    root = np.sqrt(5.0 * squared)
    slope: FloatArray = -5.0 / 6.0 * (1.0 + root) * np.exp(-root)
    return slope


def fit_kernel(
    config: GaussianProcessConfig,
    distances: FloatArray,  # (G, N, N)
    targets: FloatArray,  # (N,)
    typical_distance: FloatArray,  # (G,)
    effects: Effects | None,
) -> Kernel:
    """The maximum of the posterior."""
    prior = Prior(config, typical_distance, main_effects=effects is not None)
    parameters = _maximise_posterior(config, distances, targets, prior, effects)
    weights = np.exp(parameters[: len(distances)])
    share, relevance = 0.0, np.zeros(len(weights))
    if effects is not None:
        share, relevance = _logistic(parameters[-2]), effects.relevance(weights)
    return Kernel(weights, math.exp(parameters[-1]), share, relevance)


class Prior:
    """Negative log density of the hyper-parameters: G log weights, log noise.

    With main effects, their share's log odds come before the noise.
    """

    def __init__(
        self,
        config: GaussianProcessConfig,
        typical_distance: FloatArray,  # (G,)
        *,
        main_effects: bool = False,
    ) -> None:
        n = len(typical_distance)
        # Independent deviations plus a common level: Sherman-Morrison.
        own, common = config.relevance_deviation**2, config.level_deviation**2
        of_weights = np.eye(n) / own - common / (own * (own + n * common))
        odds = [0.0] * main_effects
        self.mean = np.concatenate(
            [np.log(2.0 / (n * typical_distance)), odds, [math.log(config.noise)]]
        )
        self._precision = np.diag([0.0] * n + [1.0] * main_effects + [config.noise_deviation**-2])
        self._precision[:n, :n] = of_weights

    def __call__(self, parameters: FloatArray) -> tuple[float, FloatArray]:
        gradient = self._precision @ (parameters - self.mean)
        return 0.5 * float(gradient @ (parameters - self.mean)), gradient


def _maximise_posterior(
    config: GaussianProcessConfig,
    distances: FloatArray,
    targets: FloatArray,
    prior: Prior,
    effects: Effects | None,
) -> FloatArray:
    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = negative_log_likelihood(parameters, distances, targets, effects)
        prior_value, prior_gradient = prior(parameters)
        return value + prior_value, gradient + prior_gradient

    bounds = [(m - 6.0, m + 6.0) for m in prior.mean]
    options = {"maxiter": config.max_iterations}
    result = minimize(
        loss, prior.mean, jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    fitted: FloatArray = result.x
    return fitted if np.isfinite(fitted).all() else prior.mean


def negative_log_likelihood(
    parameters: FloatArray,
    distances: FloatArray,  # (G, N, N)
    targets: FloatArray,  # (N,)
    effects: Effects | None = None,
) -> tuple[float, FloatArray]:
    """Value and gradient at `Prior`'s parameters (ibid., Eq. 5.8 and 5.9)."""
    n, n_groups = len(targets), len(distances)
    weights, noise = np.exp(parameters[:n_groups]), math.exp(parameters[-1])
    squared = np.tensordot(weights, distances, axes=1)
    covariance = matern52(squared)
    share = 0.0
    if effects is not None:
        share = _logistic(parameters[n_groups])
        relevance = effects.relevance(weights)
        difference = (effects.values * relevance[effects.group]) @ effects.values.T - covariance
        covariance += share * difference
    covariance[np.diag_indices(n)] += noise + JITTER
    factor = cho_factor(covariance, lower=True, check_finite=False)
    alpha = cho_solve(factor, targets, check_finite=False)
    value = 0.5 * targets @ alpha + np.log(np.diag(factor[0])).sum()
    inner = np.outer(alpha, alpha) - _inverse(factor[0])
    slope = (1.0 - share) * inner * matern52_slope(squared)
    by_weight = -0.5 * weights * np.tensordot(distances, slope, axes=([1, 2], [0, 1]))
    by_odds = []
    if effects is not None:
        by_effect = (effects.values * (inner @ effects.values)).sum(axis=0)
        by_group = np.bincount(effects.group, by_effect, minlength=n_groups)
        by_weight -= 0.5 * share * relevance * (by_group - relevance @ by_group)
        by_odds = [-0.5 * share * (1.0 - share) * (inner * difference).sum()]
    by_noise = -0.5 * noise * np.trace(inner)
    return float(value), np.concatenate([by_weight, by_odds, [by_noise]])


def _logistic(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-log_odds))


def _inverse(factor: FloatArray) -> FloatArray:
    """(N, N) lower Cholesky factor, of which the upper half is not read -> (N, N)."""
    half, _ = dpotri(factor, lower=1)
    half = np.tril(half)
    inverse: FloatArray = half + np.tril(half, -1).T
    return inverse
