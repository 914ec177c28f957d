"""Main effects: their scale, their place in the kernel, and what they are for."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas.controller.predictors._gaussian_process import Effects
from optuna_dnas.controller.predictors._gaussian_process import Embedding
from optuna_dnas.controller.predictors._gaussian_process import negative_log_likelihood
from optuna_dnas.controller.predictors._gaussian_process import normal_scores

from .toy import dense_kernel
from .toy import draw_mixed
from .toy import fit
from .toy import JITTER
from .toy import layout_of
from .toy import MIXED
from .toy import truth


SOME = pytest.mark.parametrize("has_effect", [None, np.array([True, False, False, True])])


def dense_effects(left: FloatArray, right: FloatArray, relevance: FloatArray) -> FloatArray:
    """Of `draw_mixed` codes without NaN, pair by pair."""
    n_choices = {1: 3, 3: 2}
    kernel = np.zeros((len(left), len(right)))
    for n, x in enumerate(left):
        for q, y in enumerate(right):
            for d, weight in enumerate(relevance):
                if MIXED[d]:
                    share = 1 / n_choices[d]
                    kernel[n, q] += weight * ((x[d] == y[d]) - share) / (1 - share)
                else:
                    u, v = 2 * x[d] - 1, 2 * y[d] - 1
                    of_squares = (3 * u**2 - 1) * (3 * v**2 - 1)
                    kernel[n, q] += weight * (3 * u * v + 1.25 * of_squares) / 2
    return kernel


def test_effects_of_a_feature_have_the_expected_norm_one() -> None:
    codes = draw_mixed(20_000)
    embedding = Embedding(layout_of(MIXED), codes, main_effects=True)
    effects = embedding.effects(codes)
    norms = np.bincount(embedding.effect_group, (effects**2).mean(axis=0))
    np.testing.assert_allclose(norms, 1.0, atol=0.02)
    np.testing.assert_allclose(effects.mean(axis=0), 0.0, atol=0.02)


def test_inactive_features_have_no_effect() -> None:
    codes = draw_mixed(10)
    embedding = Embedding(layout_of(MIXED), codes, main_effects=True)
    assert (embedding.effects(np.full((2, 4), np.nan)) == 0).all()
    assert Embedding(layout_of(MIXED), codes).effects(codes).shape == (10, 0)


def test_where_nothing_has_an_effect_there_is_no_share_of_effects() -> None:
    codes = draw_mixed(30)
    without, plain = (
        fit(codes, truth(codes), has_effect=has_effect, main_effects=has_effect is not None)
        for has_effect in (np.zeros(4, dtype=bool), None)
    )
    np.testing.assert_array_equal(without.predict(codes), plain.predict(codes))


@SOME
@pytest.mark.parametrize("seed", range(3))
def test_gradient_of_the_likelihood_with_effects(seed: int, has_effect: BoolArray | None) -> None:
    rng = np.random.default_rng(seed)
    codes = draw_mixed(15, seed)
    codes[:4, 2] = np.nan
    layout = layout_of(MIXED, has_effect=has_effect)
    embedding = Embedding(layout, codes, main_effects=True)
    distance = np.where(True if has_effect is None else has_effect, layout.typical_distance, 0)
    effects = Effects(embedding.effects(codes), embedding.effect_group, distance)
    distances, targets = embedding.distances(embedding(codes)), rng.standard_normal(15)
    parameters = rng.normal([1.0, 0.5, -1.0, 0.0, 0.3, -2.0], 0.5)
    _, gradient = negative_log_likelihood(parameters, distances, targets, effects)
    for j in range(6):
        step = 1e-5 * np.eye(6)[j]
        up, _ = negative_log_likelihood(parameters + step, distances, targets, effects)
        down, _ = negative_log_likelihood(parameters - step, distances, targets, effects)
        assert gradient[j] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-6)


@SOME
def test_posterior_with_effects_against_the_dense_formula(has_effect: BoolArray | None) -> None:
    train, test = draw_mixed(30), draw_mixed(20, seed=1)
    values = truth(train)
    model = fit(train, values, has_effect=has_effect, main_effects=True)
    weights, noise, share, relevance = model._kernels[0]
    assert 0.05 < share < 0.95
    assert relevance.sum() == pytest.approx(1.0)
    assert ((relevance > 0) == (True if has_effect is None else has_effect)).all()

    def kernel(left: FloatArray, right: FloatArray) -> FloatArray:
        of_effects = dense_effects(left, right, relevance)
        return (1 - share) * dense_kernel(left, right, weights) + share * of_effects

    inverse = np.linalg.inv(kernel(train, train) + (noise + JITTER) * np.eye(30))
    cross = kernel(test, train)
    mean, deviation = model.predict(test)
    expected = cross @ inverse @ normal_scores(values[:, 0])
    np.testing.assert_allclose(mean[:, 0], expected, atol=1e-5)
    variance = np.diag(kernel(test, test)) - np.einsum("qn,nm,qm->q", cross, inverse, cross)
    np.testing.assert_allclose(deviation[:, 0] ** 2, variance, atol=1e-5)


@SOME
def test_gradient_with_effects_against_finite_differences(has_effect: BoolArray | None) -> None:
    train, test = draw_mixed(40), draw_mixed(10, seed=1)
    values = np.concatenate([truth(train), train[:, 2:3]], axis=1)
    model = fit(train, values, has_effect=has_effect, main_effects=True)
    gradient = model.gradient(test)
    for d in (0, 2):
        step = 5e-3 * np.eye(4)[d]
        difference = (model.mean(test + step) - model.mean(test - step)) / 1e-2
        np.testing.assert_allclose(gradient[:, :, d], difference, rtol=1e-2, atol=1e-2)
    assert (gradient[:, :, MIXED] == 0).all()


def test_a_sum_over_many_categories_is_learned_from_few_of_them() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, (240, 20)).astype(float)
    table = rng.standard_normal((20, 3))
    values = table[np.arange(20), codes.astype(int)].sum(axis=1, keepdims=True)
    train, test = slice(60), slice(60, None)

    def correlation(**settings: float) -> float:
        model = fit(codes[train], values[train], np.ones(20, dtype=bool), **settings)
        return float(spearmanr(model.mean(codes[test])[:, 0], values[test, 0]).statistic)

    assert correlation(main_effects=True) > max(0.75, correlation() + 0.02)
