"""What the tests of predictors share: codes, values, and a kernel pair by pair."""

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.controller import FeatureLayout
from optuna_dnas.controller import GaussianProcessConfig
from optuna_dnas.controller.predictors._gaussian_process import GaussianProcess
from optuna_dnas.controller.predictors._gaussian_process import matern52


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


def layout_of(
    is_categorical: BoolArray,
    group: IntArray | None = None,
    has_effect: BoolArray | None = None,
) -> FeatureLayout:
    """Of numbers in [0, 1] and balanced categories; by default each is a group of its own."""
    typical_distance = np.where(is_categorical, 1 / 2, 1 / 6)
    own = np.arange(len(is_categorical))
    group = own if group is None else group
    return FeatureLayout(is_categorical, typical_distance, group, has_effect)


def fit(
    codes: FloatArray,
    values: FloatArray,
    is_categorical: BoolArray = MIXED,
    *,
    group: IntArray | None = None,
    has_effect: BoolArray | None = None,
    **settings: float,
) -> GaussianProcess:
    model = GaussianProcessConfig(**settings).fit(  # type: ignore[arg-type]
        codes,
        values,
        layout=layout_of(is_categorical, group, has_effect),
        rng=np.random.default_rng(0),
    )
    assert isinstance(model, GaussianProcess)
    return model


def numbers(dim: int) -> BoolArray:
    return np.zeros(dim, dtype=bool)


def dense_kernel(left: FloatArray, right: FloatArray, weights: FloatArray) -> FloatArray:
    """Of `draw_mixed` codes without NaN: pair by pair, dimension by dimension."""
    kernel = np.empty((len(left), len(right)))
    for n, x in enumerate(left):
        for q, y in enumerate(right):
            distance = np.where(MIXED, x != y, (x - y) ** 2)
            kernel[n, q] = matern52(weights @ distance)
    return kernel
