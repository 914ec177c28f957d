import numpy as np
import pytest

from optuna_dnas.controller import GaussianProcessConfig
from optuna_dnas.controller.predictors._gaussian_process import Embedding
from optuna_dnas.controller.predictors._gaussian_process import matern52
from optuna_dnas.controller.predictors._gaussian_process import matern52_slope
from optuna_dnas.controller.predictors._gaussian_process import negative_log_likelihood
from optuna_dnas.controller.predictors._gaussian_process import Prior

from .toy import dense_kernel
from .toy import draw_mixed
from .toy import fit
from .toy import JITTER
from .toy import layout_of
from .toy import MIXED
from .toy import numbers


def test_matern_in_closed_form() -> None:
    distance = np.array([0.0, 0.3, 1.0, 4.0])
    a = np.sqrt(5) * distance
    np.testing.assert_allclose(matern52(distance**2), (1 + a + a**2 / 3) * np.exp(-a))
    assert matern52(np.array([0.0]))[0] == 1.0


def test_matern_slope_against_finite_differences() -> None:
    squared, h = np.array([0.01, 0.3, 2.0, 9.0]), 1e-6
    difference = (matern52(squared + h) - matern52(squared - h)) / (2 * h)
    np.testing.assert_allclose(matern52_slope(squared), difference, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_gradient_of_the_likelihood_against_finite_differences(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = draw_mixed(15, seed)
    codes[:4, 2] = np.nan
    embedding = Embedding(layout_of(MIXED), codes)
    distances, targets = embedding.distances(embedding(codes)), rng.standard_normal(15)
    parameters = rng.normal([1.0, 0.5, -1.0, 0.0, -2.0], 0.5)
    _, gradient = negative_log_likelihood(parameters, distances, targets)
    for j in range(5):
        step = 1e-5 * np.eye(5)[j]
        up, _ = negative_log_likelihood(parameters + step, distances, targets)
        down, _ = negative_log_likelihood(parameters - step, distances, targets)
        assert gradient[j] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-6)


def test_likelihood_is_the_normal_density() -> None:
    codes, targets = draw_mixed(12), np.random.default_rng(0).standard_normal(12)
    embedding = Embedding(layout_of(MIXED), codes)
    parameters = np.array([1.0, -0.5, 0.3, 0.1, -2.0])
    distances = embedding.distances(embedding(codes))
    value, _ = negative_log_likelihood(parameters, distances, targets)
    covariance = dense_kernel(codes, codes, np.exp(parameters[:-1]))
    covariance += (np.exp(-2.0) + JITTER) * np.eye(12)
    _, log_determinant = np.linalg.slogdet(covariance)
    expected = 0.5 * targets @ np.linalg.solve(covariance, targets) + 0.5 * log_determinant
    assert value == pytest.approx(expected)


def test_prior_is_that_of_a_common_level_and_deviations() -> None:
    config = GaussianProcessConfig()
    prior = Prior(config, np.array([0.5, 1 / 6, 1 / 6]))
    covariance = np.zeros((4, 4))
    covariance[:3, :3] = config.level_deviation**2 + config.relevance_deviation**2 * np.eye(3)
    covariance[3, 3] = config.noise_deviation**2
    np.testing.assert_allclose(np.exp(prior.mean), [4 / 3, 4, 4, config.noise])
    difference = np.array([0.3, -1.0, 0.5, 2.0])
    value, gradient = prior(prior.mean + difference)
    expected = np.linalg.solve(covariance, difference)
    assert value == pytest.approx(0.5 * difference @ expected)
    np.testing.assert_allclose(gradient, expected)


@pytest.mark.parametrize("relevant", range(4))
def test_relevant_dimensions_get_larger_weights(relevant: int) -> None:
    codes = draw_mixed(80)
    level = np.array([0.0, 1.0, -1.0])
    column = codes[:, relevant]
    values = level[column.astype(int)] if MIXED[relevant] else np.sin(5 * column)
    weights = fit(codes, values[:, None])._kernels[0].weights
    typical = np.where(MIXED, 1 / 2, 1 / 6)
    assert np.argmax(weights * typical) == relevant
    others = np.delete(weights * typical, relevant)
    assert (others < weights[relevant] * typical[relevant] / 3).all()


def test_hyper_parameters_see_the_latest_observations() -> None:
    codes = np.random.default_rng(0).random((120, 2))
    values = np.where(np.arange(120) < 60, codes[:, 0], codes[:, 1])[:, None]
    early, late = (
        fit(c, v, numbers(2))._kernels[0].weights
        for c, v in ((codes[:60], values[:60]), (codes[60:], values[60:]))
    )
    limited = fit(codes, values, numbers(2), max_fit=60)
    assert early[0] > early[1]
    np.testing.assert_array_equal(limited._kernels[0].weights, late)
    assert limited._inputs.shape == (120, 2)  # the posterior sees them all


def test_the_noise_is_that_of_evaluations() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((120, 1))
    smooth, noise = np.sin(3.0 * x), rng.standard_normal((120, 1))
    values = np.concatenate([smooth, smooth + smooth.std() * noise, noise], axis=1)
    exact, equal, all_noise = fit(x, values, numbers(1)).noise
    assert exact < 0.01
    assert 0.25 < equal < 1.0  # of a variance of 1, half is noise
    assert all_noise > 0.5
