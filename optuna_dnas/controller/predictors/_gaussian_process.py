"""Gaussian process regression: Matern 5/2 and main effects on groups of features.

N: observed, Q: queried, F: features, G: groups, X: inputs, C: choices, E: main effects, M: values.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
import math
from typing import NamedTuple
from typing import TypeVar

import numpy as np
from scipy.linalg import cho_factor
from scipy.linalg import cho_solve
from scipy.linalg import cholesky
from scipy.linalg.lapack import dpotri
from scipy.linalg.lapack import dtrtri
from scipy.optimize import minimize
from scipy.special import ndtri

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import SingleArray
from optuna_dnas.controller._config import replace_infinite
from optuna_dnas.controller.predictors._base import FeatureLayout
from optuna_dnas.controller.predictors._base import Predictor
from optuna_dnas.controller.predictors._ranks import average_ranks
from optuna_dnas.controller.predictors._settings import GaussianProcessConfig


JITTER = 1e-6
_MIN_VARIANCE = 1e-6  # What rounding leaves of single precision.
_LEAST_GOOD = 3  # Fewer distances say nothing.

Floats = TypeVar("Floats", FloatArray, SingleArray)


def fit_gaussian_process(
    config: GaussianProcessConfig,
    features: FloatArray,  # (N, F)
    values: FloatArray,  # (N, M)
    layout: FeatureLayout,
) -> GaussianProcess:
    """See `GaussianProcessConfig`."""
    embedding = Embedding(layout, features, main_effects=config.main_effects)
    latest = features[-config.max_fit :]
    distances = embedding.distances(embedding(latest))  # (G, N, N)
    typical_distance = np.bincount(layout.group, layout.typical_distance).astype(float)
    effects = None
    if len(embedding.effect_group):
        has_effects = np.isin(np.arange(len(typical_distance)), embedding.effect_group)
        effects = Effects(
            embedding.effects(latest),
            embedding.effect_group,
            np.where(has_effects, typical_distance, 0.0),
        )
    to_targets = half_rank_scores if config.half_ranks else normal_scores
    kernels = [
        fit_kernel(
            config, distances, to_targets(column[-config.max_fit :]), typical_distance, effects
        )
        for column in values.T
    ]
    return GaussianProcess(embedding, kernels, features, values, to_targets=to_targets)


class GaussianProcess(Predictor):
    """M independent processes; means and deviations are in units of the targets.

    Args:
        embedding: Features to inputs.
        kernels: One for each value.
        features: (N, F) observed.
        values: (N, M) minimised.
        to_targets: (N,) values of one column to what is regressed on.
    """

    def __init__(
        self,
        embedding: Embedding,
        kernels: list[Kernel],
        features: FloatArray,
        values: FloatArray,
        *,
        to_targets: Callable[[FloatArray], FloatArray],
    ) -> None:
        self._embedding, self._kernels, self._to_targets = embedding, kernels, to_targets
        self._features = features
        self._inputs, self._effects = embedding(features), embedding.effects(features)
        self._posteriors = [
            _posterior(
                kernel, *self._scaled(kernel, self._inputs, self._effects), to_targets(column)
            )
            for kernel, column in zip(kernels, values.T, strict=True)
        ]

    def condition(self, features: FloatArray, values: FloatArray) -> GaussianProcess:
        return GaussianProcess(
            self._embedding, self._kernels, features, values, to_targets=self._to_targets
        )

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        means, deviations = [], []
        for covariance, variance, posterior in self._asked(features):
            whitened = covariance @ posterior.whitening
            variance = variance - np.einsum("qn,qn->q", whitened, whitened)
            deviations.append(np.sqrt(np.maximum(variance, _MIN_VARIANCE)))
            means.append(covariance @ posterior.single_alpha)
        return _stack_columns(means), _stack_columns(deviations)

    def predict_anew(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Leave-one-out predictions (Rasmussen & Williams, 2006, Eq. 5.12)."""
        means, deviations = self.predict(features)
        row_of = {row.tobytes(): n for n, row in enumerate(self._features)}
        found = [row_of.get(row.tobytes()) for row in features]
        asked = [q for q, n in enumerate(found) if n is not None]
        observed = [n for n in found if n is not None]
        for m, (kernel, posterior) in enumerate(zip(self._kernels, self._posteriors, strict=True)):
            precision = (posterior.whitening[observed].astype(float) ** 2).sum(axis=1)
            means[asked, m] = posterior.targets[observed] - posterior.alpha[observed] / precision
            variance = 1.0 / precision - kernel.noise - JITTER
            deviations[asked, m] = np.sqrt(np.maximum(variance, _MIN_VARIANCE))
        return means, deviations

    @property
    def noise(self) -> FloatArray:
        return np.array([kernel.noise for kernel in self._kernels])

    def mean(self, features: FloatArray) -> FloatArray:
        return _stack_columns(
            [
                covariance @ posterior.single_alpha
                for covariance, _, posterior in self._asked(features)
            ]
        )

    def gradient(self, features: FloatArray) -> FloatArray:
        inputs = self._embedding(features)
        gradients = []
        for kernel, posterior in zip(self._kernels, self._posteriors, strict=True):
            queried = self._embedding.scaled(inputs, kernel.weights)
            squared = squared_distances(queried, posterior.scaled)
            # dk/dx_j = dk/dr2 * 2 w_j (x_j - y_j), y observed
            pull = (1.0 - kernel.share) * matern52_slope(squared) * posterior.alpha  # (Q, N)
            weights = kernel.weights[self._embedding.group]  # (X,)
            by_input = (
                2 * weights * (inputs * pull.sum(axis=1, keepdims=True) - pull @ self._inputs)
            )
            scale = kernel.share * kernel.relevance[self._embedding.effect_group]
            by_effect = scale * (posterior.alpha @ self._effects)  # (E,)
            gradients.append(
                self._embedding.of_numbers(by_input)
                + self._embedding.of_effects(features, by_effect)
            )
        return np.stack(gradients, axis=1)

    def _asked(self, features: FloatArray) -> list[tuple[SingleArray, SingleArray, _Posterior]]:
        """(Q, F) -> for each value covariances (Q, N), prior variances (Q,), and the posterior."""
        inputs, effects = self._embedding(features), self._embedding.effects(features)
        asked = []
        for kernel, posterior in zip(self._kernels, self._posteriors, strict=True):
            queried, effects_queried = map(_single, self._scaled(kernel, inputs, effects))
            squared: SingleArray = squared_distances(queried, posterior.single_scaled)
            covariance: SingleArray = matern52(squared)
            covariance *= 1.0 - kernel.share
            covariance += effects_queried @ posterior.single_effects.T
            variance = np.float32(1.0 - kernel.share) + (effects_queried**2).sum(axis=1)
            asked.append((covariance, variance, posterior))
        return asked

    def _scaled(
        self, kernel: Kernel, inputs: FloatArray, effects: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """(N, X), (N, E) -> what distances and products make the kernel of."""
        by_group = np.sqrt(kernel.share * kernel.relevance)
        scaled_effects: FloatArray = effects * by_group[self._embedding.effect_group]
        return self._embedding.scaled(inputs, kernel.weights), scaled_effects


class _Posterior(NamedTuple):
    """Made in double precision; asked about many candidates in single, four times as fast."""

    scaled: FloatArray  # (N, X)
    targets: FloatArray  # (N,)
    alpha: FloatArray  # (N,)
    single_scaled: SingleArray
    single_effects: SingleArray  # (N, E)
    single_alpha: SingleArray
    whitening: SingleArray  # (N, N) transposed inverse of the lower Cholesky factor


def _posterior(
    kernel: Kernel, scaled: FloatArray, effects: FloatArray, targets: FloatArray
) -> _Posterior:
    covariance = (1.0 - kernel.share) * matern52(squared_distances(scaled, scaled))
    covariance += effects @ effects.T
    covariance[np.diag_indices_from(covariance)] += kernel.noise + JITTER
    factor = cholesky(covariance, lower=True, check_finite=False)
    alpha = cho_solve((factor, True), targets, check_finite=False)
    inverse, _ = dtrtri(factor, lower=1)
    return _Posterior(
        scaled,
        targets,
        alpha,
        _single(scaled),
        _single(effects),
        _single(alpha),
        _single(inverse.T),
    )


def _single(array: FloatArray) -> SingleArray:
    return np.ascontiguousarray(array, dtype=np.float32)


def _stack_columns(columns: Sequence[SingleArray]) -> FloatArray:
    return np.stack(columns, axis=1).astype(float)


# -- Hyper-parameters: the maximum of their posterior


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


# -- From features to the inputs of a kernel


class Embedding:
    """Features to inputs whose squared differences, summed within a group, are distances.

    A category becomes one-hot over sqrt(2): two of them differ by 1. An inactive number becomes
    the middle of its range and a mark.

    Main effects are what a linear function needs to be any function of one category, and a
    quadratic one of a number in [0, 1]. The effects of a feature have the expected square norm 1
    where it is uniform; those of an inactive one are 0.

    Args:
        layout: Of the features.
        features: (N, F), N > 0, that show which categories there are, and what can be inactive.
        main_effects: Whether there are any.
    """

    def __init__(
        self, layout: FeatureLayout, features: FloatArray, *, main_effects: bool = False
    ) -> None:
        self._n_features = features.shape[1]
        self._has_effects = main_effects
        self._numbers = np.flatnonzero(~layout.is_categorical)
        self._marked = self._numbers[np.isnan(features[:, self._numbers]).any(axis=0)]
        self._categories = np.flatnonzero(layout.is_categorical)
        self._seen = [_choices_with_inputs(column) for column in features[:, self._categories].T]
        self._compressed = [f for f, seen in enumerate(self._seen) if seen[-1] >= len(seen)]
        n_choices = np.array([len(s) + 1 for s in self._seen], dtype=int)  # one for the unseen
        self._last_choice = n_choices - 1.0
        # For each one-hot input, which category it is of, and the choice that it stands for.
        self._category_of = np.repeat(np.arange(len(n_choices)), n_choices)
        self._choice_of = np.concatenate([np.arange(n) for n in (0, *n_choices)])
        one_hots = self._categories[self._category_of]
        self.group: IntArray = layout.group[  # (X,)
            np.concatenate([self._numbers, self._marked, one_hots])
        ]
        has_effect = layout.has_effect
        if has_effect is None:
            has_effect = np.ones(self._n_features, dtype=bool)
        self._effect_numbers = self._numbers[has_effect[self._numbers]]
        self._effect_one_hots = np.flatnonzero(has_effect[one_hots])
        effects = np.concatenate(
            [self._effect_numbers, self._effect_numbers, one_hots[self._effect_one_hots]]
        )
        self.effect_group: IntArray = layout.group[effects if main_effects else effects[:0]]
        self._columns = [np.flatnonzero(self.group == g) for g in range(layout.group.max() + 1)]

    def __call__(self, features: FloatArray) -> FloatArray:
        """(N, F) -> (N, X)."""
        numbers = np.nan_to_num(features[:, self._numbers], nan=0.5)
        marks = 0.5 * np.isnan(features[:, self._marked])
        # NaN equals no choice: two inactive ones agree, and differ from every category.
        one_hots = (self._choices(features) == self._choice_of) / math.sqrt(2)
        return np.concatenate([numbers, marks, one_hots], axis=1)

    def effects(self, features: FloatArray) -> FloatArray:
        """(N, F) -> (N, E)."""
        if not self._has_effects:
            return np.empty((len(features), 0))
        x = 2.0 * features[:, self._effect_numbers] - 1.0
        # Legendre polynomials, orthonormal over sqrt(2).
        linear, quadratic = math.sqrt(3 / 2) * x, math.sqrt(5 / 8) * (3.0 * x**2 - 1.0)
        choices = self._choices(features)
        n_seen = self._last_choice[self._category_of]
        mean = np.where(self._choice_of < n_seen, 1.0 / n_seen, 0.0)
        one_hots = (choices == self._choice_of) - mean
        one_hots[np.isnan(choices)] = 0.0
        one_hots /= np.sqrt(1.0 - 1.0 / np.maximum(n_seen, 2.0))
        of_numbers = np.nan_to_num(np.concatenate([linear, quadratic], axis=1))
        return np.concatenate([of_numbers, one_hots[:, self._effect_one_hots]], axis=1)

    def scaled(self, inputs: FloatArray, weights: FloatArray) -> FloatArray:
        """(N, X) inputs times the root of the (G,) weights."""
        return inputs * np.sqrt(weights)[self.group]

    def distances(self, inputs: FloatArray) -> FloatArray:
        """(N, X) -> (G, N, N) unweighted distances by group."""
        parts = [inputs[:, columns] for columns in self._columns]
        return np.stack([squared_distances(part, part) for part in parts])

    def of_numbers(self, by_input: FloatArray) -> FloatArray:
        """(N, X) derivatives by input -> (N, F), 0 along categories."""
        by_feature = np.zeros((len(by_input), self._n_features))
        by_feature[:, self._numbers] = by_input[:, : len(self._numbers)]
        return by_feature

    def of_effects(self, features: FloatArray, by_effect: FloatArray) -> FloatArray:
        """(N, F), (E,) derivatives by effect -> (N, F), 0 along categories."""
        by_feature = np.zeros_like(features)
        if self._has_effects:
            n = len(self._effect_numbers)
            linear, quadratic = by_effect[:n], by_effect[n : 2 * n]
            x = 2.0 * features[:, self._effect_numbers] - 1.0
            slopes = 2.0 * (math.sqrt(3 / 2) * linear + math.sqrt(5 / 8) * 6.0 * x * quadratic)
            by_feature[:, self._effect_numbers] = np.nan_to_num(slopes)
        return by_feature

    def _choices(self, features: FloatArray) -> FloatArray:
        """(N, F) -> the choice of its category for each one-hot input."""
        choices = features[:, self._categories]
        for f in self._compressed:
            seen, column = self._seen[f], choices[:, f]
            rank = np.searchsorted(seen, column)
            is_seen = seen[np.minimum(rank, len(seen) - 1)] == column
            known = np.where(is_seen, rank, len(seen))
            choices[:, f] = np.where(np.isnan(column), np.nan, known)
        repeated: FloatArray = np.minimum(choices, self._last_choice)[:, self._category_of]
        return repeated


def _choices_with_inputs(column: FloatArray) -> FloatArray:
    """(N,) choices, NaN allowed -> those that have an input of their own, ascending.

    All up to the last one that was observed; only the observed ones where observations are fewer.
    """
    seen = np.unique(np.nan_to_num(column, nan=0.0))
    return seen if seen[-1] >= len(column) else np.arange(seen[-1] + 1.0)


def squared_distances(left: Floats, right: Floats) -> Floats:
    """(N, X), (Q, X) -> (N, Q)."""
    distances = left @ right.T
    distances *= -2.0
    distances += (left**2).sum(axis=1)[:, None]
    distances += (right**2).sum(axis=1)
    np.maximum(distances, 0.0, out=distances)
    return distances


# -- What is regressed on, instead of values of any scale


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
