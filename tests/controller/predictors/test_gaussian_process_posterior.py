import numpy as np
import pytest
from scipy.stats import rankdata

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.controller.predictors._gaussian_process import GaussianProcess
from optuna_dnas.controller.predictors._gaussian_process import normal_scores

from .toy import dense_kernel
from .toy import draw_mixed
from .toy import fit
from .toy import JITTER
from .toy import MIXED
from .toy import numbers
from .toy import truth


# -- Posterior


def test_posterior_against_the_dense_formula() -> None:
    train, test = draw_mixed(30), draw_mixed(20, seed=1)
    values = truth(train)
    model = fit(train, values)
    weights, noise, *_ = model._kernels[0]
    assert not np.allclose(weights, weights[0])
    inverse = np.linalg.inv(dense_kernel(train, train, weights) + (noise + JITTER) * np.eye(30))
    cross = dense_kernel(test, train, weights)
    mean, deviation = model.predict(test)
    assert mean.shape == deviation.shape == (20, 1)
    expected = cross @ inverse @ normal_scores(values[:, 0])
    np.testing.assert_allclose(mean[:, 0], expected, atol=1e-5)
    variance = 1 - np.einsum("qn,nm,qm->q", cross, inverse, cross)
    np.testing.assert_allclose(deviation[:, 0] ** 2, variance, atol=1e-5)


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


@pytest.mark.parametrize("group", [None, np.array([1, 0, 0, 1])], ids=["own", "shared"])
def test_gradient_against_finite_differences(group: IntArray | None) -> None:
    train, test = draw_mixed(40), draw_mixed(10, seed=1)
    model = fit(train, np.concatenate([truth(train), train[:, 2:3] ** 2], axis=1), group=group)
    gradient = model.gradient(test)
    assert gradient.shape == (10, 2, 4)
    for d in (0, 2):
        step = 5e-3 * np.eye(4)[d]  # Predictions are of single precision.
        difference = (model.predict(test + step)[0] - model.predict(test - step)[0]) / 1e-2
        np.testing.assert_allclose(gradient[:, :, d], difference, rtol=1e-2, atol=1e-2)
    assert np.abs(gradient[:, :, [0, 2]]).max() > 0.1
    assert (gradient[:, :, MIXED] == 0).all()


def test_a_row_of_a_batch_equals_the_row_alone() -> None:
    train, test = draw_mixed(30), draw_mixed(9, seed=1)
    model = fit(train, truth(train))
    together = (*model.predict(test), model.gradient(test))
    for row in range(9):
        one = test[row : row + 1]
        for a, b in zip((*model.predict(one), model.gradient(one)), together, strict=True):
            np.testing.assert_allclose(a[0], b[row], atol=1e-5)


def test_the_mean_alone_is_that_of_the_prediction() -> None:
    train, test = draw_mixed(30), draw_mixed(9, seed=1)
    model = fit(train, np.concatenate([truth(train), train[:, 2:3]], axis=1))
    np.testing.assert_array_equal(model.mean(test), model.predict(test)[0])


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
    np.testing.assert_allclose(one, other, atol=1e-4)


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


def test_a_prediction_anew_is_that_of_all_other_observations() -> None:
    """For one observation after the other: left out, and asked about."""
    train = draw_mixed(25)
    scores = normal_scores(truth(train)[:, 0])[:, None]
    fitted = fit(train, scores)
    model = GaussianProcess(
        fitted._embedding, fitted._kernels, train, scores, to_targets=lambda column: column
    )
    means, deviations = model.predict_anew(train)
    for n in range(len(train)):
        others = np.arange(len(train)) != n
        mean, deviation = model.condition(train[others], scores[others]).predict(train[[n]])
        np.testing.assert_allclose(means[n], mean[0], atol=1e-3)
        np.testing.assert_allclose(deviations[n], deviation[0], atol=1e-2)
    new = draw_mixed(5, seed=1)
    np.testing.assert_array_equal(model.predict_anew(new), model.predict(new))
