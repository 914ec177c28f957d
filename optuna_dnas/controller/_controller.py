"""A latent space with the predictors that live on it.

N: architectures, T: tokens, M: objectives, K: costs.
"""

import abc
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller._latent import Latent
from optuna_dnas.controller.predictors import Predictor
from optuna_dnas.controller.predictors import PredictorConfig


class Labelled(NamedTuple):
    """Architectures with known or predicted values."""

    tokens: TokenArray  # (N, T)
    values: FloatArray  # (N, M), minimised
    costs: FloatArray | None  # (N, K); `None` where the space knows no cost


@dataclass(frozen=True)
class FittedController:
    """What one fit leaves for the strategies.

    Args:
        latent: Encoder and decoder.
        objectives: P_a of the paper, one output an objective, minimised.
        costs: P_f; `None` where the space knows no cost, or nothing asks for it.
    """

    latent: Latent
    objectives: Predictor
    costs: Predictor | None

    def condition(self, data: Labelled) -> "FittedController":
        """Take in data that came after the fit, where the predictors can."""
        objectives = self.objectives.condition(self.latent.encode(data.tokens), data.values)
        return FittedController(self.latent, objectives, self.costs)


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
        latent: The latent.
        predictor: How predictors are fitted.
        with_costs: Whether to fit a predictor of the costs, too.
    """

    def __init__(
        self, latent: Latent, predictor: PredictorConfig, *, with_costs: bool = False
    ) -> None:
        self._latent, self._predictor, self._with_costs = latent, predictor, with_costs

    def fit(
        self,
        observed: Labelled,
        *,
        rng: np.random.Generator,
        pseudo: Labelled | None = None,
        start: FittedController | None = None,
    ) -> FittedController:
        codes = self._latent.encode(observed.tokens)
        objectives = self._fit_predictor(codes, observed.values, rng)
        costs = None
        if self._with_costs and observed.costs is not None:
            costs = self._fit_predictor(codes, observed.costs, rng)
        return FittedController(self._latent, objectives, costs)

    def _fit_predictor(
        self, codes: FloatArray, values: FloatArray, rng: np.random.Generator
    ) -> Predictor:
        return self._predictor.fit(
            codes,
            values,
            is_categorical=self._latent.is_categorical,
            typical_distance=self._latent.typical_distance,
            rng=rng,
        )
