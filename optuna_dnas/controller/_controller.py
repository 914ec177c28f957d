"""A latent space with the predictors that live on it.

N: architectures, T: tokens, D: latent dimensions, M: objectives, K: costs,
C: constraints, P: predictors of constraints.
"""

import abc
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller._constraints import ConstraintPredictors
from optuna_dnas.controller._features import Features
from optuna_dnas.controller._latent import Latent
from optuna_dnas.controller.predictors import Predictor
from optuna_dnas.controller.predictors import PredictorConfig


class Labelled(NamedTuple):
    """Architectures with known or predicted values."""

    tokens: TokenArray  # (N, T)
    values: FloatArray  # (N, M), minimised
    costs: FloatArray | None  # (N, K); `None` where the space knows no cost
    constraints: FloatArray | None = None  # (N, C), NaN where unknown; `None`: there are none

    @property
    def is_measured(self) -> BoolArray:
        """(N,) where values tell something about the architecture.

        What failed, or was given up because of a constraint, has none: only that is known to be
        bad.
        """
        if self.constraints is None:
            return np.ones(len(self.values), dtype=bool)
        has_value: BoolArray = np.any(~np.isposinf(self.values), axis=1)
        is_feasible: BoolArray = np.all(~(self.constraints > 0), axis=1)
        measured = has_value | is_feasible
        return measured if measured.any() else ~measured


@dataclass(frozen=True)
class FittedController:
    """What one fit leaves for the strategies.

    Args:
        features: The latent, and what predictors see beside the code.
        objectives: P_a of the paper, one output an objective, minimised.
        costs: P_f; `None` where the space knows no cost, or nothing asks for it.
        constraints: P_f of what only an evaluation tells; `None` without such constraints.
    """

    features: Features
    objectives: Predictor
    costs: Predictor | None
    constraints: ConstraintPredictors | None = None

    @property
    def latent(self) -> Latent:
        """Encoder and decoder."""
        return self.features.latent

    def condition(self, data: Labelled) -> "FittedController":
        """Take in data that came after the fit, where the predictors can."""
        features = self.features(data.tokens)
        rows = data.is_measured
        objectives = self.objectives.condition(features[rows], data.values[rows])
        constraints = self.constraints
        if constraints is not None and data.constraints is not None:
            constraints = constraints.condition(features, data.constraints)
        return FittedController(self.features, objectives, self.costs, constraints)

    def objective_slopes(self, codes: FloatArray) -> FloatArray:
        """(N, D) codes -> (N, M, D) derivative of the predicted objectives."""
        return self._slopes(self.objectives, codes)

    def cost_slopes(self, codes: FloatArray) -> FloatArray | None:
        """(N, D) codes -> (N, K, D) derivative of the predicted costs."""
        return None if self.costs is None else self._slopes(self.costs, codes)

    def constraint_slopes(self, codes: FloatArray) -> FloatArray | None:
        """(N, D) codes -> (N, P, D) derivative of what the predictors of constraints say."""
        if self.constraints is None or not self.constraints.parts:
            return None
        slopes = [self._slopes(part.predictor, codes) for part in self.constraints.parts]
        return np.concatenate(slopes, axis=1)

    def _slopes(self, predictor: Predictor, codes: FloatArray) -> FloatArray:
        slopes = predictor.gradient(self.features.of_codes(codes))
        # What a code decodes to changes in jumps: descriptors have no slope.
        return slopes[:, :, : codes.shape[1]]


class Controller(abc.ABC):
    """Fits itself to evaluated architectures."""

    @abc.abstractmethod
    def fit(
        self,
        observed: Labelled,
        *,
        rng: np.random.Generator,
        pseudo: Labelled | None = None,
        start: FittedController | None = None,
    ) -> FittedController:
        """Fit to what was observed, and to pseudo-labelled architectures.

        ``start`` is the fit whose predictions are the pseudo-labels.

        The result depends on the arguments alone, not on earlier fits, so that a search can be
        taken up by another process.
        """


class FrozenController(Controller):
    """Encoder and decoder stay as they were pre-trained; only the predictors are fitted.

    Args:
        features: The latent, and what predictors see beside the code.
        predictor: How predictors are fitted.
        with_costs: Whether to fit a predictor of the costs, too.
    """

    def __init__(
        self, features: Features, predictor: PredictorConfig, *, with_costs: bool = False
    ) -> None:
        self._features, self._predictor, self._with_costs = features, predictor, with_costs

    def fit(
        self,
        observed: Labelled,
        *,
        rng: np.random.Generator,
        pseudo: Labelled | None = None,
        start: FittedController | None = None,
    ) -> FittedController:
        features = self._features(observed.tokens)
        rows = observed.is_measured
        objectives = self._fit_predictor(features[rows], observed.values[rows], rng)
        costs = None
        if self._with_costs and observed.costs is not None:
            costs = self._fit_predictor(features, observed.costs, rng)
        constraints = ConstraintPredictors.fit(
            self._predictor, features, observed.constraints, layout=self._features.layout, rng=rng
        )
        return FittedController(self._features, objectives, costs, constraints)

    def _fit_predictor(
        self, features: FloatArray, values: FloatArray, rng: np.random.Generator
    ) -> Predictor:
        return self._predictor.fit(features, values, layout=self._features.layout, rng=rng)
