"""Predictors of the constraints that only an evaluation tells.

N: architectures, F: features, C: constraints, P: predictors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.controller._config import positive_scale
from optuna_dnas.controller.predictors import FeatureLayout
from optuna_dnas.controller.predictors import Predictor
from optuna_dnas.controller.predictors import PredictorConfig


FAILURE_COLUMN = 0
"""Not a constraint like the others: 1 where an architecture failed, -1 where it did not."""

# Each predictor costs what that of an objective costs. Not tuned.
_MAX_PREDICTORS = 4


@dataclass(frozen=True)
class ConstraintPredictor:
    """A predictor of one constraint, or of the worst of several.

    Args:
        columns: Of the constraints, that of one, or of several.
        scales: What their values are divided by, so that several compare.
        predictor: Fitted to the architectures for which one of them is known.
    """

    columns: IntArray
    scales: FloatArray
    predictor: Predictor

    @property
    def is_of_failures(self) -> bool:
        """Whether it predicts failures, and no constraint."""
        return bool(np.array_equal(self.columns, [FAILURE_COLUMN]))

    def worst(self, constraints: FloatArray) -> FloatArray:
        """(N, C), NaN where unknown -> (N,) the largest, feasible where not positive."""
        scaled = constraints[:, self.columns] / self.scales
        largest: FloatArray = np.fmax.reduce(scaled, axis=1)
        return largest


@dataclass(frozen=True)
class ConstraintPredictors:
    """A few predictors for any number of constraints.

    A few constraints have one each. Of many, failures and those have that are violated most
    often, and the others share one: an architecture is feasible where the worst of them is.

    Args:
        parts: The predictors; columns of which no value is known have none.
    """

    parts: Sequence[ConstraintPredictor]

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
        parts = []
        for columns in _partition(constraints):
            scales = np.ones(1) if len(columns) == 1 else _scales(constraints[:, columns])
            largest = np.fmax.reduce(constraints[:, columns] / scales, axis=1)
            known = ~np.isnan(largest)
            fitted = predictor.fit(features[known], largest[known, None], layout=layout, rng=rng)
            parts.append(ConstraintPredictor(columns, scales, fitted))
        return cls(parts)

    def condition(self, features: FloatArray, constraints: FloatArray) -> "ConstraintPredictors":
        """Take in all data (N, F), (N, C), where the predictors can."""
        parts = []
        for part in self.parts:
            worst = part.worst(constraints)
            known = ~np.isnan(worst)
            if known.any():
                predictor = part.predictor.condition(features[known], worst[known, None])
                part = replace(part, predictor=predictor)
            parts.append(part)
        return ConstraintPredictors(parts)


def _partition(constraints: FloatArray) -> list[IntArray]:
    """(N, C) -> at most P lists of columns; those without a value are in none."""
    columns = np.flatnonzero(~np.isnan(constraints).all(axis=0))
    if len(columns) <= _MAX_PREDICTORS:
        return [columns[k : k + 1] for k in range(len(columns))]
    n_violated = (constraints[:, columns] > 0).sum(axis=0)
    n_violated[columns == FAILURE_COLUMN] = len(constraints) + 1
    by_violations = columns[np.argsort(-n_violated, kind="stable")]
    alone, shared = np.split(by_violations, [_MAX_PREDICTORS - 1])
    return [*(alone[k : k + 1] for k in range(len(alone))), shared]


def _scales(constraints: FloatArray) -> FloatArray:
    """(N, C) -> (C,) the median distance from 0 of each; 1 where nothing tells."""
    distances = np.abs(constraints)
    tells = np.isfinite(distances) & (distances > 0)
    medians = [
        np.median(column[rows]) if rows.any() else 1.0
        for column, rows in zip(distances.T, tells.T, strict=True)
    ]
    return positive_scale(np.array(medians), least=0.0)
