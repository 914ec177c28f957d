"""Predictors of the constraints that only an evaluation tells.

N: architectures, F: features, C: constraints.
"""

from dataclasses import dataclass

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas.controller.predictors import FeatureLayout
from optuna_dnas.controller.predictors import Predictor
from optuna_dnas.controller.predictors import PredictorConfig


@dataclass(frozen=True)
class ConstraintPredictors:
    """One predictor for each constraint, fitted to the architectures that have it.

    Args:
        by_column: The predictor of each column of the constraints; columns of which no value is
            known have none.
    """

    by_column: dict[int, Predictor]

    @classmethod
    def fit(
        cls,
        predictor: PredictorConfig,
        features: FloatArray,  # (N, F)
        constraints: FloatArray | None,  # (N, C), NaN where unknown
        *,
        layout: FeatureLayout,
        rng: np.random.Generator,
    ) -> "ConstraintPredictors | None":
        """Fit to the known values; `None` if there are no constraints."""
        if constraints is None:
            return None
        by_column = {}
        for column, values in enumerate(constraints.T):
            known = ~np.isnan(values)
            if known.any():
                by_column[column] = predictor.fit(
                    features[known], values[known, None], layout=layout, rng=rng
                )
        return cls(by_column)

    def condition(self, features: FloatArray, constraints: FloatArray) -> "ConstraintPredictors":
        """Take in all data (N, F), (N, C), where the predictors can."""
        by_column = {}
        for column, predictor in self.by_column.items():
            known = ~np.isnan(constraints[:, column])
            if known.any():
                values = constraints[known, column, None]
                predictor = predictor.condition(features[known], values)
            by_column[column] = predictor
        return ConstraintPredictors(by_column)
