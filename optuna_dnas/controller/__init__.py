"""The controller: a latent space of architectures, and predictors on it. numpy in, numpy out."""

from typing import Any
from typing import TYPE_CHECKING

from optuna_dnas.controller._config import AutoencoderObjective
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
from optuna_dnas.controller._factory import make_latent
from optuna_dnas.controller._features import Features
from optuna_dnas.controller._guidance_data import GuidanceData
from optuna_dnas.controller._guidance_data import GuidedFactor
from optuna_dnas.controller._identity import IdentityLatent
from optuna_dnas.controller._latent import Latent
from optuna_dnas.controller._weights import load_or_pretrain
from optuna_dnas.controller._weights import missing_weights
from optuna_dnas.controller._weights import SHIPPED_WEIGHTS
from optuna_dnas.controller._weights import weights_path
from optuna_dnas.controller.predictors import average_ranks
from optuna_dnas.controller.predictors import EnsembleConfig
from optuna_dnas.controller.predictors import FeatureLayout
from optuna_dnas.controller.predictors import GaussianProcessConfig
from optuna_dnas.controller.predictors import Predictor
from optuna_dnas.controller.predictors import PredictorConfig
from optuna_dnas.controller.predictors import RankingLoss
from optuna_dnas.controller.predictors import SquaredLoss


if TYPE_CHECKING:
    from optuna_dnas.controller._disentangled import DisentangledLatent


__all__ = [
    "AutoencoderObjective",
    "Controller",
    "ControllerConfig",
    "DisentangledLatent",
    "EnsembleConfig",
    "FeatureLayout",
    "Features",
    "FittedController",
    "FrozenController",
    "GaussianProcessConfig",
    "GuidanceData",
    "GuidedConfig",
    "GuidedFactor",
    "IdentityLatent",
    "KLObjective",
    "Labelled",
    "Latent",
    "Predictor",
    "PredictorConfig",
    "RankingLoss",
    "SHIPPED_WEIGHTS",
    "SemiSupervisedConfig",
    "SquaredLoss",
    "TotalCorrelationObjective",
    "average_ranks",
    "load_or_pretrain",
    "make_controller",
    "make_latent",
    "missing_weights",
    "replace_infinite",
    "weights_path",
]


def __getattr__(name: str) -> Any:
    if name != "DisentangledLatent":  # It imports torch: only who needs it waits for it.
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from optuna_dnas.controller._disentangled import DisentangledLatent

    return DisentangledLatent
