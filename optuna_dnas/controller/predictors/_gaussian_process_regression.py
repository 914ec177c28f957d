"""Gaussian process regression on mixed features, with a relevance for each group of them.

N: observed, Q: queried, F: features, G: groups, X: inputs of the kernel, E: main effects,
M: values.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve
from scipy.linalg import cholesky
from scipy.linalg.lapack import dtrtri

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import SingleArray
from optuna_dnas.controller.predictors._base import FeatureLayout
from optuna_dnas.controller.predictors._base import Predictor
from optuna_dnas.controller.predictors._gaussian_process import GaussianProcessConfig
from optuna_dnas.controller.predictors._gaussian_process_fit import Effects
from optuna_dnas.controller.predictors._gaussian_process_fit import fit_kernel
from optuna_dnas.controller.predictors._gaussian_process_fit import JITTER
from optuna_dnas.controller.predictors._gaussian_process_fit import Kernel
from optuna_dnas.controller.predictors._gaussian_process_fit import matern52
from optuna_dnas.controller.predictors._gaussian_process_fit import matern52_slope
from optuna_dnas.controller.predictors._gaussian_process_inputs import Embedding
from optuna_dnas.controller.predictors._gaussian_process_inputs import squared_distances
from optuna_dnas.controller.predictors._targets import half_rank_scores
from optuna_dnas.controller.predictors._targets import normal_scores


_MIN_VARIANCE = 1e-6  # What rounding leaves of single precision.


def fit_gaussian_process(
    config: GaussianProcessConfig,
    features: FloatArray,  # (N, F)
    values: FloatArray,  # (N, M)
    layout: FeatureLayout,
) -> "GaussianProcess":
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
        to_targets: Callable[[FloatArray], FloatArray] = normal_scores,
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

    def condition(self, features: FloatArray, values: FloatArray) -> "GaussianProcess":
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

    def _asked(self, features: FloatArray) -> "list[tuple[SingleArray, SingleArray, _Posterior]]":
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
