import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import rankdata

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas.controller import GaussianProcessConfig
from optuna_dnas.controller._gaussian_process_regression import _Embedding
from optuna_dnas.controller._gaussian_process_regression import _negative_log_likelihood
from optuna_dnas.controller._gaussian_process_regression import _Prior
from optuna_dnas.controller._gaussian_process_regression import GaussianProcess
from optuna_dnas.controller._gaussian_process_regression import matern52
from optuna_dnas.controller._gaussian_process_regression import matern52_slope
from optuna_dnas.controller._gaussian_process_regression import normal_scores


JITTER = 1e-6
MIXED = np.array([False, True, False, True])


def draw_mixed(n: int, seed: int = 0) -> FloatArray:
    """(n, 4) numbers and categories of 3 and 2 choices in turn."""
    rng = np.random.default_rng(seed)
    numbers, categories = rng.random((n, 2)), rng.integers([3, 2], size=(n, 2))
    return np.stack([numbers[:, 0], categories[:, 0], numbers[:, 1], categories[:, 1]], axis=1)


def truth(codes: FloatArray) -> FloatArray:
    """(N, 1) of `draw_mixed`; the second number does not matter."""
    return (np.sin(4 * codes[:, 0]) + np.array([0.0, 1.5, -1.0])[codes[:, 1].astype(int)])[:, None]


def fit(
    codes: FloatArray, values: FloatArray, is_categorical: BoolArray = MIXED, **settings: float
) -> GaussianProcess:
    model = GaussianProcessConfig(**settings).fit(  # type: ignore[arg-type]
        codes,
        values,
        is_categorical=is_categorical,
        typical_distance=np.where(is_categorical, 1 / 2, 1 / 6),
        rng=np.random.default_rng(0),
    )
    assert isinstance(model, GaussianProcess)
    return model


def numbers(dim: int) -> BoolArray:
    return np.zeros(dim, dtype=bool)


# -- Kernel, targets, prior


def test_matern_in_closed_form() -> None:
    distance = np.array([0.0, 0.3, 1.0, 4.0])
    a = np.sqrt(5) * distance
    np.testing.assert_allclose(matern52(distance**2), (1 + a + a**2 / 3) * np.exp(-a))
    assert matern52(np.array([0.0]))[0] == 1.0


def test_matern_slope_against_finite_differences() -> None:
    squared, h = np.array([0.01, 0.3, 2.0, 9.0]), 1e-6
    difference = (matern52(squared + h) - matern52(squared - h)) / (2 * h)
    np.testing.assert_allclose(matern52_slope(squared), difference, rtol=1e-6)


def test_targets_are_normal_scores_of_ranks() -> None:
    values = np.array([3.0, -np.inf, 7.0, np.inf, 3.0, 1e300])
    scores = normal_scores(values)
    expected = ndtri((rankdata(values) - 0.5) / 6)
    np.testing.assert_allclose(scores, (expected - expected.mean()) / expected.std())
    np.testing.assert_array_equal(normal_scores(np.full(4, 5.0)), np.zeros(4))
    np.testing.assert_array_equal(normal_scores(np.array([5.0])), np.zeros(1))


@pytest.mark.parametrize("seed", range(3))
def test_gradient_of_the_likelihood_against_finite_differences(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = draw_mixed(15, seed)
    codes[:4, 2] = np.nan
    embedding = _Embedding(MIXED, codes)
    features = embedding(codes)
    distances, targets = embedding.distances(features, features), rng.standard_normal(15)
    parameters = rng.normal([1.0, 0.5, -1.0, 0.0, -2.0], 0.5)
    _, gradient = _negative_log_likelihood(parameters, distances, targets)
    for j in range(5):
        step = 1e-5 * np.eye(5)[j]
        up, _ = _negative_log_likelihood(parameters + step, distances, targets)
        down, _ = _negative_log_likelihood(parameters - step, distances, targets)
        assert gradient[j] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-6)


def test_likelihood_is_the_normal_density() -> None:
    codes, targets = draw_mixed(12), np.random.default_rng(0).standard_normal(12)
    embedding = _Embedding(MIXED, codes)
    features = embedding(codes)
    parameters = np.array([1.0, -0.5, 0.3, 0.1, -2.0])
    value, _ = _negative_log_likelihood(
        parameters, embedding.distances(features, features), targets
    )
    covariance = dense_kernel(codes, codes, np.exp(parameters[:-1]))
    covariance += (np.exp(-2.0) + JITTER) * np.eye(12)
    _, log_determinant = np.linalg.slogdet(covariance)
    expected = 0.5 * targets @ np.linalg.solve(covariance, targets) + 0.5 * log_determinant
    assert value == pytest.approx(expected)


def test_prior_is_that_of_a_common_level_and_deviations() -> None:
    config = GaussianProcessConfig()
    prior = _Prior(config, np.array([0.5, 1 / 6, 1 / 6]))
    covariance = np.zeros((4, 4))
    covariance[:3, :3] = config.level_deviation**2 + config.relevance_deviation**2 * np.eye(3)
    covariance[3, 3] = config.noise_deviation**2
    np.testing.assert_allclose(np.exp(prior.mean), [4 / 3, 4, 4, config.noise])
    difference = np.array([0.3, -1.0, 0.5, 2.0])
    value, gradient = prior(prior.mean + difference)
    expected = np.linalg.solve(covariance, difference)
    assert value == pytest.approx(0.5 * difference @ expected)
    np.testing.assert_allclose(gradient, expected)


# -- Posterior


def dense_kernel(left: FloatArray, right: FloatArray, weights: FloatArray) -> FloatArray:
    """Of `draw_mixed` codes without NaN: pair by pair, dimension by dimension."""
    kernel = np.empty((len(left), len(right)))
    for n, x in enumerate(left):
        for q, y in enumerate(right):
            distance = np.where(MIXED, x != y, (x - y) ** 2)
            kernel[n, q] = matern52(weights @ distance)
    return kernel


def test_posterior_against_the_dense_formula() -> None:
    train, test = draw_mixed(30), draw_mixed(20, seed=1)
    values = truth(train)
    model = fit(train, values)
    weights, noise = model._kernels[0]
    assert not np.allclose(weights, weights[0])
    inverse = np.linalg.inv(dense_kernel(train, train, weights) + (noise + JITTER) * np.eye(30))
    cross = dense_kernel(test, train, weights)
    mean, deviation = model.predict(test)
    assert mean.shape == deviation.shape == (20, 1)
    expected = cross @ inverse @ normal_scores(values[:, 0])
    np.testing.assert_allclose(mean[:, 0], expected, atol=1e-8)
    variance = 1 - np.einsum("qn,nm,qm->q", cross, inverse, cross)
    np.testing.assert_allclose(deviation[:, 0] ** 2, variance, atol=1e-8)


def test_interpolates_without_noise() -> None:
    train = draw_mixed(25)
    values = truth(train)
    mean, deviation = fit(train, values, noise=1e-9, noise_deviation=0.01).predict(train)
    np.testing.assert_allclose(mean[:, 0], normal_scores(values[:, 0]), atol=1e-2)
    assert deviation.max() < 0.01


def test_far_from_the_data_is_the_prior() -> None:
    train = draw_mixed(25)
    far = train.copy()
    far[:, [0, 2]] += 1e4
    mean, deviation = fit(train, truth(train)).predict(far)
    np.testing.assert_allclose(mean, 0, atol=1e-6)
    np.testing.assert_allclose(deviation, 1, atol=1e-6)


def test_orders_codes_that_it_has_not_seen() -> None:
    train, test = draw_mixed(60), draw_mixed(200, seed=1)
    mean, _ = fit(train, truth(train)).predict(test)
    assert np.corrcoef(rankdata(mean), rankdata(truth(test)))[0, 1] > 0.97


def test_deviations_are_honest() -> None:
    """About two thirds of noisy observations lie within one deviation of the prediction."""
    rng = np.random.default_rng(0)
    codes = rng.random((200, 2))
    values = np.sin(5 * codes[:, :1]) + 0.1 * rng.standard_normal((200, 1))
    scores = normal_scores(values[:, 0])
    model = fit(codes[:60], values[:60], numbers(2))
    mean, deviation = model.predict(codes[60:])
    predictive = np.sqrt(deviation[:, 0] ** 2 + model._kernels[0].noise)
    within = np.abs(mean[:, 0] - scores[60:]) < predictive
    assert 0.5 < within.mean() < 0.9


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


def test_gradient_against_finite_differences() -> None:
    train, test = draw_mixed(40), draw_mixed(10, seed=1)
    model = fit(train, np.concatenate([truth(train), train[:, 2:3] ** 2], axis=1))
    gradient = model.gradient(test)
    assert gradient.shape == (10, 2, 4)
    for d in (0, 2):
        step = 1e-5 * np.eye(4)[d]
        difference = (model.predict(test + step)[0] - model.predict(test - step)[0]) / 2e-5
        np.testing.assert_allclose(gradient[:, :, d], difference, rtol=1e-4, atol=1e-6)
    assert np.abs(gradient[:, :, [0, 2]]).max() > 0.1
    assert (gradient[:, :, MIXED] == 0).all()


def test_a_row_of_a_batch_equals_the_row_alone() -> None:
    train, test = draw_mixed(30), draw_mixed(9, seed=1)
    model = fit(train, truth(train))
    together = (*model.predict(test), model.gradient(test))
    for row in range(9):
        one = test[row : row + 1]
        for a, b in zip((*model.predict(one), model.gradient(one)), together, strict=True):
            np.testing.assert_allclose(a[0], b[row], atol=1e-10)


def test_categories_have_no_order() -> None:
    train, test = draw_mixed(40), draw_mixed(20, seed=1)
    train[:, 1][:3] = [0, 1, 2]
    renamed = np.array([2.0, 0.0, 1.0])

    def rename(codes: FloatArray) -> FloatArray:
        codes = codes.copy()
        codes[:, 1] = renamed[codes[:, 1].astype(int)]
        return codes

    values = truth(train)
    one = fit(train, values).predict(test)
    other = fit(rename(train), values).predict(rename(test))
    np.testing.assert_allclose(one, other, atol=1e-6)


# -- Inactive parameters and categories that were not seen


def test_inactive_numbers_agree_with_one_another_only() -> None:
    codes = np.concatenate([np.full((10, 1), np.nan), np.linspace(0, 1, 10)[:, None]])
    values = np.where(np.isnan(codes), 5.0, codes)
    model = fit(codes, values, numbers(1))
    mean, deviation = model.predict(np.array([[np.nan], [0.5]]))
    scores = normal_scores(values[:, 0])
    assert mean[0, 0] == pytest.approx(scores[0], abs=0.2)
    assert mean[1, 0] < 0
    assert deviation[0, 0] < 0.2


def test_inactive_categories_agree_with_one_another_only() -> None:
    codes = np.array([[np.nan], [0.0], [1.0]] * 8)
    values = np.where(np.isnan(codes), 5.0, codes)
    mean, _ = fit(codes, values, np.array([True])).predict(codes[:3])
    assert mean[:, 0].argsort().tolist() == [1, 2, 0]


def test_an_unseen_category_is_unlike_every_other() -> None:
    train = draw_mixed(40)
    model = fit(train, truth(train))
    unseen = train.copy()
    unseen[:, 1] = 7.0
    weights = model._kernels[0].weights
    _, deviation = model.predict(unseen)
    assert (deviation > model.predict(train)[1] + 0.1).all()
    alike = unseen.copy()
    alike[:, 1] = 3.0  # the next category after those that were seen
    np.testing.assert_array_equal(model.predict(unseen), model.predict(alike))
    assert weights[1] > 0


# -- Data that came after the fit


def test_conditioning_on_all_data_is_a_fresh_posterior() -> None:
    codes, test = draw_mixed(40), draw_mixed(15, seed=1)
    values = np.concatenate([truth(codes), codes[:, 2:3]], axis=1)
    model = fit(codes[:25], values[:25]).condition(codes, values)
    fresh = GaussianProcess(_Embedding(MIXED, codes), model._kernels, codes, values)
    np.testing.assert_allclose(model.predict(test), fresh.predict(test), atol=1e-9)
    same = fit(codes, values)
    np.testing.assert_array_equal(same.condition(codes, values).predict(test), same.predict(test))


def test_conditioning_learns() -> None:
    codes = draw_mixed(60)
    values = truth(codes)
    early = fit(codes[:20], values[:20])
    late = early.condition(codes, values)
    unseen = codes[20:]
    scores = normal_scores(values[:, 0])[20:]
    errors = [np.abs(m.predict(unseen)[0][:, 0] - scores).mean() for m in (early, late)]
    assert errors[1] < errors[0] / 2
    before = early.predict(codes)
    early.condition(codes, values)
    np.testing.assert_array_equal(early.predict(codes), before)


def test_conditioning_takes_a_new_category() -> None:
    codes = draw_mixed(30)
    values = truth(codes)
    known = codes[:, 1] < 2
    model = fit(codes[known], values[known]).condition(codes, values)
    mean, _ = model.predict(codes)
    assert np.corrcoef(mean[:, 0], normal_scores(values[:, 0]))[0, 1] > 0.9


# -- Invariance


def test_the_order_of_observations_does_not_matter() -> None:
    codes, test = draw_mixed(40), draw_mixed(15, seed=1)
    values = truth(codes)
    order = np.random.default_rng(1).permutation(40)
    one, other = fit(codes, values), fit(codes[order], values[order])
    np.testing.assert_allclose(one.predict(test), other.predict(test), atol=1e-3)
    permuted = one.condition(codes[order], values[order])
    np.testing.assert_allclose(one.predict(test), permuted.predict(test), atol=1e-10)


def test_equal_inputs_give_equal_bits() -> None:
    codes, test = draw_mixed(30), draw_mixed(15, seed=1)
    one, other = (fit(codes.copy(), truth(codes)).predict(test) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_only_ranks_of_values_matter() -> None:
    codes, test = draw_mixed(30), draw_mixed(15, seed=1)
    values = truth(codes)
    stretched = np.exp(9 * values)
    stretched[values.argmax()], stretched[values.argmin()] = np.inf, -np.inf
    np.testing.assert_array_equal(
        fit(codes, values).predict(test), fit(codes, stretched).predict(test)
    )


def test_objectives_are_independent() -> None:
    codes, test = draw_mixed(30), draw_mixed(15, seed=1)
    values = np.concatenate([truth(codes), codes[:, 2:3], -truth(codes)], axis=1)
    mean, deviation = fit(codes, values).predict(test)
    for m in range(3):
        alone = fit(codes, values[:, m : m + 1])
        np.testing.assert_array_equal(alone.predict(test)[0][:, 0], mean[:, m])
        np.testing.assert_array_equal(alone.predict(test)[1][:, 0], deviation[:, m])
        np.testing.assert_array_equal(
            alone.gradient(test)[:, 0], fit(codes, values).gradient(test)[:, m]
        )


def test_samples_have_mean_and_deviation() -> None:
    codes, test = draw_mixed(30), draw_mixed(5, seed=1)
    model = fit(codes, np.concatenate([truth(codes), codes[:, 2:3]], axis=1))
    mean, deviation = model.predict(test)
    rng = np.random.default_rng(0)
    samples = np.stack([model.sample(test, rng) for _ in range(4_000)])
    np.testing.assert_allclose(samples.mean(axis=0), mean, atol=0.06)
    np.testing.assert_allclose(samples.std(axis=0), deviation, rtol=0.1)
    np.testing.assert_array_equal(model.sample(test, rng, noise=0.0), mean)


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
    assert limited._features.shape == (120, 2)  # the posterior sees them all


# -- Degenerate data


@pytest.mark.parametrize(
    ("codes", "values", "is_categorical"),
    [
        (draw_mixed(1), np.array([[1.0]]), MIXED),
        (draw_mixed(1), np.array([[np.inf]]), MIXED),
        (draw_mixed(2), np.array([[1.0], [1.0]]), MIXED),
        (draw_mixed(10), np.zeros((10, 2)), MIXED),
        (draw_mixed(4), np.array([[np.inf], [-np.inf], [np.inf], [0.0]]), MIXED),
        (draw_mixed(5), np.full((5, 1), -np.inf), MIXED),
        (np.repeat(draw_mixed(1), 30, axis=0), np.arange(30.0)[:, None], MIXED),
        (np.repeat(draw_mixed(3), 300, axis=0), np.arange(900.0)[:, None], MIXED),
        (np.full((6, 4), np.nan), np.arange(6.0)[:, None], MIXED),
        (np.where(draw_mixed(9) > 0.4, np.nan, draw_mixed(9)), np.arange(9.0)[:, None], MIXED),
        (np.round(draw_mixed(20)), draw_mixed(20)[:, :1], np.ones(4, dtype=bool)),
        (draw_mixed(20), draw_mixed(20)[:, :1] * 1e-300, MIXED),
    ],
)
def test_degenerate_data_do_no_harm(
    codes: FloatArray, values: FloatArray, is_categorical: BoolArray
) -> None:
    model = fit(codes, values, is_categorical)
    queries = np.round(draw_mixed(6, seed=1)) if is_categorical.all() else draw_mixed(6, seed=1)
    queries[0], queries[1, 0] = np.nan, np.nan
    queries[2, 1] = 9.0  # a category that nobody has seen
    for result in (*model.predict(queries), model.gradient(queries)):
        assert len(result) == 6
        assert np.isfinite(result).all()
    assert (model.predict(queries)[1] > 0).all()
    assert (model.predict(queries)[1] <= 1).all()
