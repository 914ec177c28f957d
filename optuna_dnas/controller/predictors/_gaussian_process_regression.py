"""Gaussian process regression on mixed features, with a relevance for each group of them.

N: observed, Q: queried, F: features, G: groups, X: inputs of the kernel, M: values.
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

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.controller.predictors._base import FeatureLayout
from optuna_dnas.controller.predictors._base import Predictor
from optuna_dnas.controller.predictors._gaussian_process import GaussianProcessConfig
from optuna_dnas.controller.predictors._ranks import average_ranks


_JITTER = 1e-6


def fit_gaussian_process(
    config: GaussianProcessConfig,
    features: FloatArray,  # (N, F)
    values: FloatArray,  # (N, M)
    layout: FeatureLayout,
) -> "GaussianProcess":
    """See `GaussianProcessConfig`."""
    embedding = _Embedding(layout, features)
    distances = embedding.distances(embedding(features[-config.max_fit :]))  # (G, N, N)
    prior = _Prior(config, np.array([
        layout.typical_distance[layout.group == g].sum() for g in range(layout.group.max() + 1)
    ]))
    parameters = np.stack([
        _maximise_posterior(config, distances, normal_scores(column[-config.max_fit :]), prior)
        for column in values.T
    ])
    kernels = [_Kernel(np.exp(p[:-1]), math.exp(p[-1])) for p in parameters]
    return GaussianProcess(embedding, kernels, features, values)


class GaussianProcess(Predictor):
    """M independent processes; means and deviations are in rank-normalised units.

    Args:
        embedding: Features to inputs.
        kernels: One for each value.
        features: (N, F) observed.
        values: (N, M) minimised.
    """

    def __init__(
        self,
        embedding: "_Embedding",
        kernels: list["_Kernel"],
        features: FloatArray,
        values: FloatArray,
    ) -> None:
        self._embedding, self._kernels = embedding, kernels
        self._inputs = embedding(features)
        self._posteriors = [
            _posterior(kernel, embedding.scaled(self._inputs, kernel.weights), column)
            for kernel, column in zip(kernels, values.T, strict=True)
        ]

    def condition(self, features: FloatArray, values: FloatArray) -> "GaussianProcess":
        return GaussianProcess(self._embedding, self._kernels, features, values)

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        inputs = self._embedding(features)
        columns = []
        for kernel, posterior in zip(self._kernels, self._posteriors, strict=True):
            queried = self._embedding.scaled(inputs, kernel.weights)
            covariance = matern52(_squared_distances(queried, posterior.scaled))  # (Q, N)
            reduced = solve_triangular(
                posterior.factor, covariance.T, lower=True, check_finite=False
            )
            variance = np.maximum(1.0 - (reduced**2).sum(axis=0), 1e-12)
            columns.append((covariance @ posterior.alpha, np.sqrt(variance)))
        means, deviations = zip(*columns, strict=True)
        return np.stack(means, axis=1), np.stack(deviations, axis=1)

    def gradient(self, features: FloatArray) -> FloatArray:
        inputs = self._embedding(features)
        gradients = []
        for kernel, posterior in zip(self._kernels, self._posteriors, strict=True):
            queried = self._embedding.scaled(inputs, kernel.weights)
            squared = _squared_distances(queried, posterior.scaled)
            # dk/dx_j = dk/dr2 * 2 w_j (x_j - y_j), y observed
            pull = matern52_slope(squared) * posterior.alpha  # (Q, N)
            weights = kernel.weights[self._embedding.group]  # (X,)
            by_input = 2 * weights * (
                inputs * pull.sum(axis=1, keepdims=True) - pull @ self._inputs
            )
            gradients.append(self._embedding.of_numbers(by_input))
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
    weights: FloatArray  # (G,)
    noise: float


class _Posterior(NamedTuple):
    scaled: FloatArray  # (N, X)
    factor: FloatArray  # (N, N) lower Cholesky factor
    alpha: FloatArray  # (N,)


class _Embedding:
    """Features to inputs whose squared differences, summed within a group, are distances.

    A category becomes one-hot over sqrt(2): two of them differ by 1. An inactive number becomes
    the middle of its range and a mark.

    Args:
        layout: Of the features.
        features: (N, F) that show how many categories there are, and what can be inactive.
    """

    def __init__(self, layout: FeatureLayout, features: FloatArray) -> None:
        self._n_features = features.shape[1]
        self._numbers = np.flatnonzero(~layout.is_categorical)
        self._marked = self._numbers[np.isnan(features[:, self._numbers]).any(axis=0)]
        self._categories = np.flatnonzero(layout.is_categorical)
        filled = np.nan_to_num(features[:, self._categories], nan=0.0)
        n_choices = filled.max(axis=0, initial=0.0).astype(int) + 2  # one more for the unseen
        blocks = [np.full(n, f) for f, n in zip(self._categories, n_choices, strict=True)]
        self._n_choices = n_choices
        origin = np.concatenate([self._numbers, self._marked, *blocks]).astype(int)  # (X,)
        self.group: IntArray = layout.group[origin]
        self._columns = [np.flatnonzero(self.group == g) for g in range(layout.group.max() + 1)]

    def __call__(self, features: FloatArray) -> FloatArray:
        """(N, F) -> (N, X)."""
        numbers = np.nan_to_num(features[:, self._numbers], nan=0.5)
        marks = 0.5 * np.isnan(features[:, self._marked])
        one_hots = []
        for f, n in zip(self._categories, self._n_choices, strict=True):
            # NaN equals no choice: two inactive ones agree, and differ from every category.
            choice = np.minimum(features[:, f], n - 1)
            one_hots.append((choice[:, None] == np.arange(n)) / math.sqrt(2))
        return np.concatenate([numbers, marks, *one_hots], axis=1)

    def scaled(self, inputs: FloatArray, weights: FloatArray) -> FloatArray:
        """(N, X) inputs times the root of the (G,) weights."""
        return inputs * np.sqrt(weights)[self.group]

    def distances(self, inputs: FloatArray) -> FloatArray:
        """(N, X) -> (G, N, N) unweighted distances by group."""
        parts = [inputs[:, columns] for columns in self._columns]
        return np.stack([_squared_distances(part, part) for part in parts])

    def of_numbers(self, by_input: FloatArray) -> FloatArray:
        """(N, X) derivatives by input -> (N, F), 0 along categories."""
        by_feature = np.zeros((len(by_input), self._n_features))
        by_feature[:, self._numbers] = by_input[:, : len(self._numbers)]
        return by_feature


class _Prior:
    """Negative log density of the hyper-parameters, (G + 1,): log weights, log noise."""

    def __init__(self, config: GaussianProcessConfig, typical_distance: FloatArray) -> None:
        n = len(typical_distance)
        self.mean = np.append(np.log(2.0 / (n * typical_distance)), math.log(config.noise))
        # Independent deviations plus a common level: Sherman-Morrison.
        own, common = config.relevance_deviation**2, config.level_deviation**2
        precision = np.zeros((n + 1, n + 1))
        precision[:n, :n] = np.eye(n) / own - common / (own * (own + n * common))
        precision[n, n] = config.noise_deviation**-2
        self._precision = precision

    def __call__(self, parameters: FloatArray) -> tuple[float, FloatArray]:
        gradient = self._precision @ (parameters - self.mean)
        return 0.5 * float(gradient @ (parameters - self.mean)), gradient


def _maximise_posterior(
    config: GaussianProcessConfig, distances: FloatArray, targets: FloatArray, prior: _Prior
) -> FloatArray:
    """(G, N, N) distances, (N,) targets -> (G + 1,) log weights and log noise."""

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
    """Value and gradient at (G + 1,) log weights and log noise (ibid., Eq. 5.8 and 5.9)."""
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
    """(N, X), (Q, X) -> (N, Q)."""
    squared = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2.0 * left @ right.T
    distances: FloatArray = np.maximum(squared, 0.0)
    return distances
