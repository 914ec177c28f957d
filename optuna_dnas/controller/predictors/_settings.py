"""The settings of Gaussian process regression, light to import until it is fitted."""

from dataclasses import dataclass

import numpy as np

from optuna_dnas._checks import check_positive
from optuna_dnas._typing import FloatArray
from optuna_dnas.controller.predictors._base import FeatureLayout
from optuna_dnas.controller.predictors._base import Predictor
from optuna_dnas.controller.predictors._base import PredictorConfig


@dataclass(frozen=True, kw_only=True)
class GaussianProcessConfig(PredictorConfig):
    """Matern 5/2 on a weighted sum of distances, and main effects, on targets that ranks decide.

    Each of the G groups of features has one weight: log w_g = log(2 / (G E[d_g])) + level +
    deviation_g, with level ~ N(0, level_deviation) and deviation_g ~ N(0, relevance_deviation);
    the log noise ~ N(log noise, noise_deviation).
    The level is integrated out of the prior. Hyper-parameters are the posterior's maximum.

    Args:
        level_deviation: Of the common log length scale.
        relevance_deviation: Of one group from the common one.
        noise: Prior median of the noise variance, as a share of the signal's.
        noise_deviation: Of the log noise.
        max_iterations: Of L-BFGS.
        main_effects: Whether the kernel is a mixture with that of a sum of functions of one
            feature each, which large spaces are learned faster by. For categories and numbers in
            [0, 1], each a group of its own. The log odds of its share are N(0, 1).
        half_ranks: Whether ranks decide the targets of the worse half only, and the better half
            keeps its distances.
        max_fit: Hyper-parameters are fitted to at most so many observations, the latest.
    """

    level_deviation: float = 1.5
    relevance_deviation: float = 0.7
    noise: float = 0.05
    noise_deviation: float = 1.5
    main_effects: bool = False
    half_ranks: bool = False
    max_iterations: int = 25
    max_fit: int = 200

    def __post_init__(self) -> None:
        check_positive(self, *(vars(self).keys() - {"main_effects", "half_ranks"}))

    def fit(
        self,
        features: FloatArray,
        values: FloatArray,
        *,
        layout: FeatureLayout,
        rng: np.random.Generator,
    ) -> Predictor:
        from optuna_dnas.controller.predictors._gaussian_process import fit_gaussian_process

        return fit_gaussian_process(self, features, values, layout)
