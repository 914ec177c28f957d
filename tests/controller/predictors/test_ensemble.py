import copy
import pickle

import numpy as np
import pytest
from scipy.stats import kendalltau

from optuna_dnas._typing import FloatArray
from optuna_dnas.controller.predictors._base import FeatureLayout
from optuna_dnas.controller.predictors._base import Predictor
from optuna_dnas.controller.predictors._ensemble import EnsembleConfig
from optuna_dnas.controller.predictors._ensemble import RankingLoss
from optuna_dnas.controller.predictors._ensemble import SquaredLoss


LOSSES = [RankingLoss(), SquaredLoss(), SquaredLoss(clip=None)]
D = 6


def draw(n: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal((n, D))


def truth(codes: FloatArray) -> FloatArray:
    """(N, 2) smooth functions that disagree."""
    first = np.exp(0.5 * codes[:, 0]) + codes[:, 1]
    return np.stack([first, -codes[:, 0] - np.sin(codes[:, 2])], axis=1)


def layout_of(dim: int, scale: float = 1.0) -> FeatureLayout:
    """Of normal numbers."""
    return FeatureLayout(np.zeros(dim, dtype=bool), np.full(dim, 2.0 * scale**2), np.arange(dim))


def fit(
    codes: FloatArray,
    values: FloatArray,
    *,
    is_categorical: np.ndarray | None = None,
    seed: int = 0,
    **settings: object,
) -> Predictor:
    dim = codes.shape[1]
    return EnsembleConfig(**settings).fit(  # type: ignore[arg-type]
        codes,
        values,
        layout=layout_of(dim)
        if is_categorical is None
        else layout_of(dim)._replace(is_categorical=is_categorical),
        rng=np.random.default_rng(seed),
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_orders_codes_that_it_has_not_seen(loss) -> None:
    train, test = draw(150), draw(300, seed=1)
    mean, deviation = fit(train, truth(train), loss=loss).predict(test)
    assert mean.shape == deviation.shape == (300, 2)
    for m in range(2):
        assert kendalltau(mean[:, m], truth(test)[:, m])[0] > 0.75


def test_only_ranks_count_for_the_ranking_loss() -> None:
    train, test = draw(60), draw(50, seed=1)
    values = truth(train)
    stretched = np.sign(values) * np.abs(values) ** 9
    stretched[values.argmax(axis=0), [0, 1]] = np.inf
    stretched[values.argmin(axis=0), [0, 1]] = -np.inf
    for one, other in zip(
        fit(train, values).predict(test), fit(train, stretched).predict(test), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_members_are_standardised_over_the_observed_codes() -> None:
    train = draw(100)
    mean, _ = fit(train, 1000 * truth(train), n_members=1).predict(train)
    np.testing.assert_allclose(mean.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(mean.std(axis=0), 1, atol=1e-5)


def test_members_disagree_more_far_from_the_data() -> None:
    train = draw(100)
    model = fit(train, truth(train))
    near, far = model.predict(train)[1], model.predict(5 * draw(100, seed=1))[1]
    assert (far.mean(axis=0) > 1.5 * near.mean(axis=0)).all()
    assert (fit(train, truth(train), n_members=1).predict(train)[1] == 0).all()


def test_a_row_of_a_batch_equals_the_row_alone() -> None:
    train, test = draw(40), draw(20, seed=1)
    model = fit(train, truth(train))
    together = (*model.predict(test), model.gradient(test))
    for row in range(20):
        one = test[row : row + 1]
        alone = (*model.predict(one), model.gradient(one))
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_allclose(a[0], b[row], atol=1e-4)


def test_each_value_has_its_own_networks() -> None:
    train, test = draw(60), draw(50, seed=1)
    mean, _ = fit(train, np.repeat(truth(train)[:, :1], 3, axis=1)).predict(test)
    assert not np.allclose(mean[:, 0], mean[:, 1])  # other weights at the start
    assert kendalltau(mean[:, 0], mean[:, 2])[0] > 0.8  # the same function in the end


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_gradient_against_finite_differences(scale: float) -> None:
    train, test = scale * draw(80), scale * draw(10, seed=1)
    model = EnsembleConfig().fit(
        train,
        truth(train / scale),
        layout=layout_of(D, scale),
        rng=np.random.default_rng(0),
    )
    gradient = model.gradient(test)
    assert gradient.shape == (10, 2, D)
    for d in range(D):
        step = np.zeros(D)
        step[d] = 1e-2 * scale
        difference = model.predict(test + step)[0] - model.predict(test - step)[0]
        np.testing.assert_allclose(
            gradient[:, :, d] * scale, difference / (2 * 1e-2), atol=3e-3, rtol=1e-2
        )


def test_the_unit_of_a_number_does_not_matter() -> None:
    train, test = draw(80), draw(50, seed=1)
    model = fit(train, truth(train))
    scaled = EnsembleConfig().fit(
        100 * train,
        truth(train),
        layout=layout_of(D, 100.0),
        rng=np.random.default_rng(0),
    )
    np.testing.assert_allclose(scaled.predict(100 * test)[0], model.predict(test)[0], atol=1e-3)


def test_categories_have_no_order_and_no_gradient() -> None:
    rng = np.random.default_rng(0)
    effect = np.array([0.0, 3.0, -2.0, 1.0])
    codes = np.stack([rng.integers(4, size=120), rng.standard_normal(120)], axis=1)
    values = effect[codes[:, 0].astype(int)][:, None] + 0.1 * codes[:, 1:]
    categorical = np.array([True, False])
    model = fit(codes, values, is_categorical=categorical)
    probe = np.stack([np.arange(4.0), np.zeros(4)], axis=1)
    assert list(model.predict(probe)[0][:, 0].argsort()) == list(effect.argsort())
    gradient = model.gradient(probe)
    assert (gradient[:, :, 0] == 0).all()
    assert (gradient[:, :, 1] != 0).all()
    assert np.isfinite(model.predict(np.array([[9.0, 0.0]]))[0]).all()  # never observed


def test_categories_alone() -> None:
    codes = np.random.default_rng(0).integers(3, size=(50, 4)).astype(float)
    model = fit(codes, codes[:, :1], is_categorical=np.ones(4, dtype=bool))
    assert kendalltau(model.predict(codes)[0][:, 0], codes[:, 0])[0] > 0.7
    assert (model.gradient(codes) == 0).all()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("codes", "values"),
    [
        (draw(1), np.array([[1.0]])),
        (draw(2), np.array([[1.0], [1.0]])),
        (draw(1), np.array([[np.inf]])),
        (draw(3), np.full((3, 2), np.inf)),
        (draw(3), np.array([[np.inf], [-np.inf], [1.0]])),
        (draw(4), np.array([[-np.inf], [1e300], [-1e300], [0.0]])),
        (np.repeat(draw(1), 20, axis=0), np.arange(20.0)[:, None]),
        (np.zeros((5, D)), np.zeros((5, 1))),
        (1e6 * draw(20), draw(20)[:, :1] * 1e-300),
    ],
)
def test_degenerate_data_do_no_harm(loss, codes: FloatArray, values: FloatArray) -> None:
    model = fit(codes, values, loss=loss)
    for result in (*model.predict(draw(10)), model.gradient(draw(10))):
        assert np.isfinite(result).all()


def test_no_codes_are_no_predictions() -> None:
    model = fit(draw(10), truth(draw(10)))
    assert model.predict(draw(0))[0].shape == (0, 2)
    assert model.gradient(draw(0)).shape == (0, 2, D)


@pytest.mark.parametrize(
    ("codes", "values", "message"),
    [
        (draw(0), np.zeros((0, 1)), "must be an observation"),
        (draw(3), np.zeros((3, 0)), "must be an observation and a value"),
        (draw(3), np.zeros((2, 1)), r"\(3, 6\) and \(2, 1\)"),
        (draw(3), np.full((3, 1), np.nan), "must not be NaN"),
        (np.full((3, D), np.nan), np.zeros((3, 1)), "must not be NaN"),
    ],
)
def test_impossible_data_are_refused(codes: FloatArray, values: FloatArray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(codes, values)


def test_the_same_seed_gives_the_same_bits() -> None:
    train = draw(40)
    one, other, third = (fit(train, truth(train), seed=seed).predict(train) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, third)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_equal_to_the_last_bit(clone) -> None:
    train = draw(40)
    model = fit(train, truth(train))
    np.testing.assert_array_equal(clone(model).predict(train), model.predict(train))


def test_squared_targets_are_robust() -> None:
    values = np.append(np.random.default_rng(0).standard_normal(99), 1e9)[:, None]
    targets = SquaredLoss(clip=3.0).targets(values)
    assert targets.max() == 3.0
    assert targets[:99].std() == pytest.approx(1, abs=0.2)
    plain = SquaredLoss(clip=None).targets(values)
    assert plain.mean() == pytest.approx(0, abs=1e-9)
    assert plain.std() == pytest.approx(1)
