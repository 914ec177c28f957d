"""What the search knows of a predictor."""

import abc

import numpy as np

from optuna_dnas._typing import FloatArray


class Predictor(abc.ABC):
    """A fitted model of M values (objectives to minimise, or a cost) on latent codes.

    N: codes, D: latent dimensions, M: values.
    """

    @abc.abstractmethod
    def predict(self, codes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(N, D) codes -> mean (N, M) and standard deviation (N, M)."""

    @abc.abstractmethod
    def gradient(self, codes: FloatArray) -> FloatArray:
        """(N, D) codes -> (N, M, D) derivative of the mean; 0 along categories."""

    def condition(self, codes: FloatArray, values: FloatArray) -> "Predictor":
        """Learn from new data between two fits, where that is cheap; otherwise unchanged."""
        return self

    def sample(
        self, codes: FloatArray, rng: np.random.Generator, noise: float = 1.0
    ) -> FloatArray:
        """(N, D) codes -> (N, M): one Thompson sample per code, mean + noise * sd * N(0, 1)."""
        mean, deviation = self.predict(codes)
        sampled: FloatArray = mean + noise * deviation * rng.standard_normal(mean.shape)
        return sampled


class PredictorConfig(abc.ABC):
    """The settings of a predictor; fitting it is a pure function of data and seed."""

    @abc.abstractmethod
    def fit(
        self,
        codes: FloatArray,  # (N, D)
        values: FloatArray,  # (N, M)
        *,
        is_categorical: np.ndarray,  # (D,)
        typical_distance: FloatArray,  # (D,)
        rng: np.random.Generator,
    ) -> Predictor:
        """Fit to values that are minimised. Values may be infinite, never NaN."""
