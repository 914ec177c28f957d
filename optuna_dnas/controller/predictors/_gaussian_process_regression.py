"""Gaussian process regression on mixed codes, with relevance per dimension.

N: observed codes, Q: queried codes, D: latent dimensions, F: features of a code, M: values.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor
from scipy.linalg import cho_solve
from scipy.linalg import cholesky
from scipy.linalg import solve_triangular
from scipy.optimize import minimize
from scipy.special import ndtri

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.controller.predictors._base import Predictor
from optuna_dnas.controller.predictors._gaussian_process import GaussianProcessConfig
from optuna_dnas.controller.predictors._ranks import average_ranks


_JITTER = 1e-6


def fit_gaussian_process(
    config: GaussianProcessConfig,
    codes: FloatArray,  # (N, D)
    values: FloatArray,  # (N, M)
    is_categorical: BoolArray,  # (D,)
    typical_distance: FloatArray,  # (D,)
) -> "GaussianProcess":
    """See `GaussianProcessConfig`."""
    embedding = _Embedding(is_categorical, codes)
    features = embedding(codes[-config.max_fit :])
    distances = embedding.distances(features, features)  # (D, N, N)
    prior = _Prior(config, typical_distance)
    parameters = np.stack([
        _maximise_posterior(config, distances, normal_scores(column[-config.max_fit :]), prior)
        for column in values.T
    ])
    kernels = [_Kernel(np.exp(p[:-1]), math.exp(p[-1])) for p in parameters]
    return GaussianProcess(embedding, kernels, codes, values)


class GaussianProcess(Predictor):
    """M independent processes; means and deviations are in rank-normalised units.

    Args:
        embedding: Codes to features.
        kernels: One for each value.
        codes: (N, D) observed.
        values: (N, M) minimised.
    """

    def __init__(
        self,
        embedding: "_Embedding",
        kernels: list["_Kernel"],
        codes: FloatArray,
        values: FloatArray,
    ) -> None:
        self._embedding, self._kernels = embedding, kernels
        self._features = embedding(codes)
        self._posteriors = [
            _posterior(kernel, embedding.scaled(self._features, kernel.weights), column)
            for kernel, column in zip(kernels, values.T, strict=True)
        ]

    def condition(self, codes: FloatArray, values: FloatArray) -> "GaussianProcess":
        return GaussianProcess(self._embedding, self._kernels, codes, values)

    def predict(self, codes: FloatArray) -> tuple[FloatArray, FloatArray]:
        features = self._embedding(codes)
        columns = []
        for kernel, posterior in zip(self._kernels, self._posteriors, strict=True):
            queried = self._embedding.scaled(features, kernel.weights)
            covariance = matern52(_squared_distances(queried, posterior.scaled))  # (Q, N)
            reduced = solve_triangular(
                posterior.factor, covariance.T, lower=True, check_finite=False
            )
            variance = np.maximum(1.0 - (reduced**2).sum(axis=0), 1e-12)
            columns.append((covariance @ posterior.alpha, np.sqrt(variance)))
        means, deviations = zip(*columns, strict=True)
        return np.stack(means, axis=1), np.stack(deviations, axis=1)

    def gradient(self, codes: FloatArray) -> FloatArray:
        features = self._embedding(codes)
        gradients = []
        for kernel, posterior in zip(self._kernels, self._posteriors, strict=True):
            queried = self._embedding.scaled(features, kernel.weights)
            squared = _squared_distances(queried, posterior.scaled)
            # dk/dz_j = dk/dr2 * 2 w_j (z_j - x_j)
            pull = matern52_slope(squared) * posterior.alpha  # (Q, N)
            weights = kernel.weights[self._embedding.dimension]  # (F,)
            by_feature = 2 * weights * (
                features * pull.sum(axis=1, keepdims=True) - pull @ self._features
            )
            gradients.append(self._embedding.of_numbers(by_feature))
        return np.stack(gradients, axis=1)


def normal_scores(values: FloatArray) -> FloatArray:
    """(N,) values, infinite ones allowed -> (N,) standard normal quantiles of their ranks."""
    scores: FloatArray = ndtri((average_ranks(values) - 0.5) / len(values))
    deviation = scores.std()
    return (scores - scores.mean()) / deviation if deviation > 0 else np.zeros_like(scores)


def matern52(squared: FloatArray) -> FloatArray:
    """Squared distances -> correlations (Rasmussen & Williams, 2006, Eq. 4.17)."""
    root = np.sqrt(5.0 * squared)
    correlations: FloatArray = (1.0 + root + root**2 / 3.0) * np.exp(-root)
    return correlations


def matern52_slope(squared: FloatArray) -> FloatArray:
    """Derivative of :func:`matern52` by the squared distance."""
    root = np.sqrt(5.0 * squared)
    slope: FloatArray = -5.0 / 6.0 * (1.0 + root) * np.exp(-root)
    return slope


class _Kernel(NamedTuple):
    weights: FloatArray  # (D,)
    noise: float


class _Posterior(NamedTuple):
    scaled: FloatArray  # (N, F)
    factor: FloatArray  # (N, N) lower Cholesky factor
    alpha: FloatArray  # (N,)


class _Embedding:
    """Codes to features whose squared differences, summed within a dimension, are distances.

    A category becomes one-hot over sqrt(2): two of them differ by 1. An inactive number becomes
    the middle of its range and a mark.

    Args:
        is_categorical: (D,)
        codes: (N, D) that show how many categories there are, and what can be inactive.
    """

    def __init__(self, is_categorical: BoolArray, codes: FloatArray) -> None:
        self._is_categorical = is_categorical
        numbers = np.flatnonzero(~is_categorical)
        self._numbers = numbers
        self._marked = numbers[np.isnan(codes[:, numbers]).any(axis=0)]
        self._categories = np.flatnonzero(is_categorical)
        filled = np.nan_to_num(codes[:, self._categories], nan=0.0)
        n_choices = filled.max(axis=0, initial=0.0).astype(int) + 2  # one more for the unseen
        blocks = [np.full(n, d) for d, n in zip(self._categories, n_choices, strict=True)]
        self._n_choices = n_choices
        self.dimension: IntArray = np.concatenate([numbers, self._marked, *blocks]).astype(int)

    def __call__(self, codes: FloatArray) -> FloatArray:
        """(N, D) -> (N, F)."""
        numbers = np.nan_to_num(codes[:, self._numbers], nan=0.5)
        marks = 0.5 * np.isnan(codes[:, self._marked])
        one_hots = []
        for d, n in zip(self._categories, self._n_choices, strict=True):
            # NaN equals no choice: two inactive ones agree, and differ from every category.
            choice = np.minimum(codes[:, d], n - 1)
            one_hots.append((choice[:, None] == np.arange(n)) / math.sqrt(2))
        return np.concatenate([numbers, marks, *one_hots], axis=1)

    def scaled(self, features: FloatArray, weights: FloatArray) -> FloatArray:
        """(N, F) features times the root of the (D,) weights."""
        return features * np.sqrt(weights)[self.dimension]

    def distances(self, left: FloatArray, right: FloatArray) -> FloatArray:
        """(N, F), (Q, F) -> (D, N, Q) unweighted distances by dimension."""
        by_dimension = np.zeros((len(self._is_categorical), len(left), len(right)))
        for feature, d in enumerate(self.dimension):
            by_dimension[d] += (left[:, feature, None] - right[None, :, feature]) ** 2
        return by_dimension

    def of_numbers(self, by_feature: FloatArray) -> FloatArray:
        """(N, F) derivatives by feature -> (N, D), 0 along categories."""
        by_dimension = np.zeros((len(by_feature), len(self._is_categorical)))
        by_dimension[:, self._numbers] = by_feature[:, : len(self._numbers)]
        return by_dimension


class _Prior:
    """Negative log density of the hyper-parameters, (D + 1,): log weights, log noise."""

    def __init__(self, config: GaussianProcessConfig, typical_distance: FloatArray) -> None:
        dim = len(typical_distance)
        self.mean = np.append(np.log(2.0 / (dim * typical_distance)), math.log(config.noise))
        # Independent deviations plus a common level: Sherman-Morrison.
        own, common = config.relevance_deviation**2, config.level_deviation**2
        precision = np.zeros((dim + 1, dim + 1))
        precision[:dim, :dim] = np.eye(dim) / own - common / (own * (own + dim * common))
        precision[dim, dim] = config.noise_deviation**-2
        self._precision = precision

    def __call__(self, parameters: FloatArray) -> tuple[float, FloatArray]:
        gradient = self._precision @ (parameters - self.mean)
        return 0.5 * float(gradient @ (parameters - self.mean)), gradient


def _maximise_posterior(
    config: GaussianProcessConfig, distances: FloatArray, targets: FloatArray, prior: _Prior
) -> FloatArray:
    """(D, N, N) distances, (N,) targets -> (D + 1,) log weights and log noise."""

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = _negative_log_likelihood(parameters, distances, targets)
        prior_value, prior_gradient = prior(parameters)
        return value + prior_value, gradient + prior_gradient

    bounds = [(m - 6.0, m + 6.0) for m in prior.mean]
    options = {"maxiter": config.max_iterations}
    result = minimize(
        loss, prior.mean, jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    fitted: FloatArray = result.x
    return fitted if np.isfinite(fitted).all() else prior.mean


def _negative_log_likelihood(
    parameters: FloatArray, distances: FloatArray, targets: FloatArray
) -> tuple[float, FloatArray]:
    """Value and gradient at (D + 1,) log weights and log noise (ibid., Eq. 5.8 and 5.9)."""
    weights, noise = np.exp(parameters[:-1]), math.exp(parameters[-1])
    squared = np.tensordot(weights, distances, axes=1)
    n = len(targets)
    covariance = matern52(squared) + (noise + _JITTER) * np.eye(n)
    factor = cho_factor(covariance, lower=True, check_finite=False)
    alpha = cho_solve(factor, targets, check_finite=False)
    value = 0.5 * targets @ alpha + np.log(np.diag(factor[0])).sum()
    inner = np.outer(alpha, alpha) - cho_solve(factor, np.eye(n), check_finite=False)
    slope = inner * matern52_slope(squared)
    by_weight = -0.5 * weights * np.tensordot(distances, slope, axes=([1, 2], [0, 1]))
    return float(value), np.append(by_weight, -0.5 * noise * np.trace(inner))


def _posterior(kernel: _Kernel, scaled: FloatArray, values: FloatArray) -> _Posterior:
    covariance = matern52(_squared_distances(scaled, scaled))
    covariance[np.diag_indices_from(covariance)] += kernel.noise + _JITTER
    factor = cholesky(covariance, lower=True, check_finite=False)
    targets = normal_scores(values)
    return _Posterior(scaled, factor, cho_solve((factor, True), targets, check_finite=False))


def _squared_distances(left: FloatArray, right: FloatArray) -> FloatArray:
    """(N, F), (Q, F) -> (N, Q)."""
    squared = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2.0 * left @ right.T
    distances: FloatArray = np.maximum(squared, 0.0)
    return distances
