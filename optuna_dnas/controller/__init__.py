"""The controller: a latent space of architectures, and predictors on it. numpy in, numpy out."""

from optuna_dnas.controller._config import AutoencoderObjective
from optuna_dnas.controller._config import CapacityObjective
from optuna_dnas.controller._config import ControllerConfig
from optuna_dnas.controller._config import GuidedConfig
from optuna_dnas.controller._config import KLObjective
from optuna_dnas.controller._config import replace_infinite
from optuna_dnas.controller._config import SemiSupervisedConfig
from optuna_dnas.controller._config import TotalCorrelationObjective
from optuna_dnas.controller._controller import Controller
from optuna_dnas.controller._controller import FittedController
from optuna_dnas.controller._controller import FrozenController
from optuna_dnas.controller._controller import Labelled
from optuna_dnas.controller._factory import make_controller
from optuna_dnas.controller._features import Features
from optuna_dnas.controller._identity import IdentityLatent
from optuna_dnas.controller._latent import Latent
from optuna_dnas.controller._weights import missing_weights
from optuna_dnas.controller.predictors import average_ranks
from optuna_dnas.controller.predictors import EnsembleConfig
from optuna_dnas.controller.predictors import FeatureLayout
from optuna_dnas.controller.predictors import GaussianProcessConfig
from optuna_dnas.controller.predictors import Predictor
from optuna_dnas.controller.predictors import PredictorConfig
from optuna_dnas.controller.predictors import RankingLoss
from optuna_dnas.controller.predictors import SquaredLoss


__all__ = [
    "AutoencoderObjective",
    "CapacityObjective",
    "Controller",
    "ControllerConfig",
    "EnsembleConfig",
    "Features",
    "FeatureLayout",
    "FittedController",
    "FrozenController",
    "GaussianProcessConfig",
    "GuidedConfig",
    "IdentityLatent",
    "KLObjective",
    "Labelled",
    "Latent",
    "Predictor",
    "PredictorConfig",
    "RankingLoss",
    "SemiSupervisedConfig",
    "SquaredLoss",
    "TotalCorrelationObjective",
    "average_ranks",
    "make_controller",
    "missing_weights",
    "replace_infinite",
]
