import numpy as np
import pytest

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas.controller.predictors._gaussian_process import Embedding
from optuna_dnas.controller.predictors._gaussian_process import GaussianProcess
from optuna_dnas.controller.predictors._gaussian_process import normal_scores

from .toy import draw_mixed
from .toy import fit
from .toy import layout_of
from .toy import MIXED
from .toy import truth


# -- Data that came after the fit


def test_conditioning_on_all_data_is_a_fresh_posterior() -> None:
    codes, test = draw_mixed(40), draw_mixed(15, seed=1)
    values = np.concatenate([truth(codes), codes[:, 2:3]], axis=1)
    model = fit(codes[:25], values[:25]).condition(codes, values)
    embedding = Embedding(layout_of(MIXED), codes)
    fresh = GaussianProcess(embedding, model._kernels, codes, values, to_targets=normal_scores)
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
    np.testing.assert_allclose(one.predict(test), permuted.predict(test), atol=1e-5)


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
