from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from scipy.stats import norm

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.controller import GaussianProcessConfig
from optuna_dnas.controller.predictors._gaussian_process import Embedding
from optuna_dnas.controller.predictors._gaussian_process import negative_log_likelihood
from optuna_dnas.controller.predictors._gaussian_process import normal_scores

from .toy import dense_kernel
from .toy import draw_mixed
from .toy import fit
from .toy import JITTER
from .toy import layout_of
from .toy import MIXED
from .toy import numbers
from .toy import truth


GROUP = np.array([1, 0, 0, 1])  # a number and a category each
TYPICAL = layout_of(MIXED).typical_distance


def log_posterior(
    codes: FloatArray, targets: FloatArray, group: IntArray
) -> Callable[[FloatArray], float]:
    """Of (G + 1,) log weights and log noise, by dense normal densities."""
    config, n, n_groups = GaussianProcessConfig(), len(codes), group.max() + 1
    median = 2 / (n_groups * np.bincount(group, TYPICAL))
    covariance = config.level_deviation**2 + config.relevance_deviation**2 * np.eye(n_groups)

    def density(parameters: FloatArray) -> float:
        weights, noise = np.exp(parameters[:-1]), np.exp(parameters[-1])
        kernel = dense_kernel(codes, codes, weights[group]) + (noise + JITTER) * np.eye(n)
        return float(
            multivariate_normal.logpdf(targets, cov=kernel)
            + multivariate_normal.logpdf(parameters[:-1], np.log(median), covariance)
            + norm.logpdf(parameters[-1], np.log(config.noise), config.noise_deviation)
        )

    return density


@pytest.mark.parametrize("group", [np.arange(4), GROUP, np.zeros(4, dtype=int)])
def test_hyper_parameters_are_the_maximum_of_the_dense_posterior(group: IntArray) -> None:
    """A group for each feature is automatic relevance determination."""
    codes = draw_mixed(30)
    values = truth(codes)
    kernel = fit(codes, values, group=group, max_iterations=500)._kernels[0]
    parameters = np.log(np.append(kernel.weights, kernel.noise))
    density = log_posterior(codes, normal_scores(values[:, 0]), group)
    assert len(parameters) == group.max() + 2
    for step in 1e-3 * np.eye(len(parameters)):
        slope = (density(parameters + step) - density(parameters - step)) / 2e-3
        assert slope == pytest.approx(0.0, abs=0.01)
        assert density(parameters + 200 * step) < density(parameters)
        assert density(parameters - 200 * step) < density(parameters)


def test_without_evidence_every_group_has_its_share_of_the_expected_distance() -> None:
    model = fit(draw_mixed(1), np.zeros((1, 1)), group=np.array([1, 0, 1, 1]))
    expected = [1 / (1 / 2), 1 / (1 / 6 + 1 / 6 + 1 / 2)]
    np.testing.assert_allclose(model._kernels[0].weights, expected)


@pytest.mark.parametrize("relevant", [0, 1])
@pytest.mark.parametrize("seed", range(3))
def test_a_group_of_irrelevant_features_gets_a_smaller_weight(relevant: int, seed: int) -> None:
    group = np.array([0, 1, 1, 0, 1, 0])
    features = np.random.default_rng(seed).random((80, 6))
    values = np.sin(4 * features[:, group == relevant]).sum(axis=1, keepdims=True)
    weights = fit(features, values, numbers(6), group=group)._kernels[0].weights
    assert weights.shape == (2,)
    assert weights[relevant] > 5 * weights[1 - relevant]


def test_each_objective_has_relevances_of_its_own() -> None:
    codes = np.random.default_rng(0).random((60, 4))
    values = np.stack([codes[:, :2].sum(axis=1), codes[:, 2:].sum(axis=1)], axis=1)
    model = fit(codes, values, numbers(4), group=np.array([0, 0, 1, 1]))
    first, second = (kernel.weights for kernel in model._kernels)
    assert first[0] > 5 * first[1]
    assert second[1] > 5 * second[0]


def test_a_group_is_its_features_with_one_weight() -> None:
    """The likelihood is that of equal weights, and its slope the sum of theirs."""
    codes, targets = draw_mixed(15), np.random.default_rng(0).standard_normal(15)
    codes[:4, 2] = np.nan
    grouped, single = (
        embedding.distances(embedding(codes))
        for embedding in (Embedding(layout_of(MIXED, g), codes) for g in (GROUP, np.arange(4)))
    )
    assert grouped.shape == (2, 15, 15)
    parameters = np.array([0.7, -0.4, -2.0])
    value, slope = negative_log_likelihood(parameters, grouped, targets)
    by_feature = np.append(parameters[GROUP], parameters[-1])
    expected, slopes = negative_log_likelihood(by_feature, single, targets)
    assert value == pytest.approx(expected)
    np.testing.assert_allclose(slope[:-1], np.bincount(GROUP, slopes[:-1]))
    assert slope[-1] == pytest.approx(slopes[-1])


def test_gradient_of_the_likelihood_with_groups_against_finite_differences() -> None:
    codes, targets = draw_mixed(15), np.random.default_rng(1).standard_normal(15)
    embedding = Embedding(layout_of(MIXED, GROUP), codes)
    distances, parameters = embedding.distances(embedding(codes)), np.array([0.7, -0.4, -2.0])
    _, gradient = negative_log_likelihood(parameters, distances, targets)
    assert gradient.shape == (3,)
    for j, step in enumerate(1e-5 * np.eye(3)):
        up, _ = negative_log_likelihood(parameters + step, distances, targets)
        down, _ = negative_log_likelihood(parameters - step, distances, targets)
        assert gradient[j] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-6)


def test_posterior_with_groups_against_the_dense_formula() -> None:
    train, test = draw_mixed(30), draw_mixed(20, seed=1)
    values = truth(train)
    model = fit(train, values, group=GROUP)
    weights, noise = model._kernels[0].weights[GROUP], model._kernels[0].noise
    inverse = np.linalg.inv(dense_kernel(train, train, weights) + (noise + JITTER) * np.eye(30))
    cross = dense_kernel(test, train, weights)
    mean, deviation = model.predict(test)
    expected = cross @ inverse @ normal_scores(values[:, 0])
    np.testing.assert_allclose(mean[:, 0], expected, atol=1e-5)
    variance = 1 - np.einsum("qn,nm,qm->q", cross, inverse, cross)
    np.testing.assert_allclose(deviation[:, 0] ** 2, variance, atol=1e-5)


def test_the_order_of_features_does_not_matter() -> None:
    train, test = draw_mixed(40), draw_mixed(15, seed=1)
    order = np.array([3, 0, 2, 1])
    one = fit(train, truth(train), group=GROUP)
    other = fit(train[:, order], truth(train), MIXED[order], group=GROUP[order])
    np.testing.assert_allclose(other._kernels[0].weights, one._kernels[0].weights, rtol=1e-6)
    np.testing.assert_allclose(other.predict(test[:, order]), one.predict(test), atol=1e-5)


def test_categories_of_many_choices_have_inputs_for_those_that_were_observed() -> None:
    """Distances are those of all choices; a candidate that was not observed differs from all."""
    layout = layout_of(np.array([True, False]))
    rng = np.random.default_rng(0)
    codes = np.stack([rng.integers(0, 5_000, 30), rng.random(30)], axis=1).astype(float)
    codes[:5, 0] = codes[5:10, 0]
    embedding = Embedding(layout, codes)
    assert embedding(codes).shape[1] < 32
    unseen = np.setdiff1d(np.arange(5_000), codes[:, 0])[:3]
    asked = np.concatenate([codes, np.stack([unseen, rng.random(3)], axis=1)])
    by_group = embedding.distances(embedding(asked))[layout.group[0]]
    differs = (asked[:, None, 0] != asked[:, 0]).astype(float)
    np.testing.assert_allclose(by_group[:30], differs[:30], atol=1e-12)
