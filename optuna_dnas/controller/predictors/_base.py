"""What the search knows of a predictor."""

import abc
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray


class FeatureLayout(NamedTuple):
    """What F features of an architecture mean."""

    is_categorical: BoolArray  # (F,) a category's index; the others are numbers
    typical_distance: FloatArray  # (F,) of two random architectures: squared, or 0 or 1
    group: IntArray  # (F,) features of one group are equally relevant; from 0, without gaps
    has_effect: BoolArray | None = None
    """(F,) which may have a main effect: categories, and numbers in [0, 1], each a group of its
    own; `None`: all."""


class Predictor(abc.ABC):
    """A fitted model of M values (objectives to minimise, or a cost) on features.

    N: architectures, F: features of one, M: values.
    """

    @abc.abstractmethod
    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(N, F) features -> mean (N, M) and standard deviation (N, M)."""

    def mean(self, features: FloatArray) -> FloatArray:
        """(N, F) features -> (N, M), where that is all that is wanted."""
        return self.predict(features)[0]

    def predict_anew(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """As `predict`, but of what was observed once as if it had not been.

        Of a predictor that cannot tell, an ordinary prediction.
        """
        return self.predict(features)

    @property
    def noise(self) -> FloatArray | None:
        """(M,) variances of evaluations around the mean; `None`: the predictor cannot tell."""
        return None

    @abc.abstractmethod
    def gradient(self, features: FloatArray) -> FloatArray:
        """(N, F) features -> (N, M, F) derivative of the mean; 0 along categories."""

    def condition(self, features: FloatArray, values: FloatArray) -> "Predictor":
        """Learn from new data between two fits, where that is cheap; otherwise unchanged."""
        return self


class PredictorConfig(abc.ABC):
    """The settings of a predictor; fitting it is a pure function of data and seed."""

    @abc.abstractmethod
    def fit(
        self,
        features: FloatArray,  # (N, F)
        values: FloatArray,  # (N, M)
        *,
        layout: FeatureLayout,
        rng: np.random.Generator,
    ) -> Predictor:
        """Fit to values that are minimised. Values may be infinite, never NaN."""
