"""Predictors of objectives and costs."""

from optuna_dnas.controller.predictors._base import FeatureLayout
from optuna_dnas.controller.predictors._base import Predictor
from optuna_dnas.controller.predictors._base import PredictorConfig
from optuna_dnas.controller.predictors._ensemble import EnsembleConfig
from optuna_dnas.controller.predictors._ensemble import RankingLoss
from optuna_dnas.controller.predictors._ensemble import SquaredLoss
from optuna_dnas.controller.predictors._ranks import average_ranks
from optuna_dnas.controller.predictors._settings import GaussianProcessConfig


__all__ = [
    "EnsembleConfig",
    "FeatureLayout",
    "GaussianProcessConfig",
    "Predictor",
    "PredictorConfig",
    "RankingLoss",
    "SquaredLoss",
    "average_ranks",
]
