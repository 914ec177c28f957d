"""Weight-sharing supernets. They need torch, and are not imported before they are used."""

from optuna_dnas.objectives.supernet._config import RetrainConfig
from optuna_dnas.objectives.supernet._config import SupernetConfig
from optuna_dnas.objectives.supernet._evaluation import Accuracy
from optuna_dnas.objectives.supernet._evaluation import calibrate
from optuna_dnas.objectives.supernet._evaluation import evaluate
from optuna_dnas.objectives.supernet._export import export_network
from optuna_dnas.objectives.supernet._model import MobileSupernet
from optuna_dnas.objectives.supernet._network import MobileNetwork
from optuna_dnas.objectives.supernet._network import Supernet
from optuna_dnas.objectives.supernet._objective import SupernetObjective
from optuna_dnas.objectives.supernet._objective import WeightSharingModel
from optuna_dnas.objectives.supernet._training import retrain
from optuna_dnas.objectives.supernet._training import RetrainedNetwork
from optuna_dnas.objectives.supernet._training import train_supernet
from optuna_dnas.objectives.supernet._training import TrainedSupernet
from optuna_dnas.objectives.supernet.data import DatasetImages
from optuna_dnas.objectives.supernet.data import ImageData
from optuna_dnas.objectives.supernet.data import open_images
from optuna_dnas.objectives.supernet.data import TensorImages
from optuna_dnas.objectives.training import Standardisation


__all__ = [
    "Accuracy",
    "DatasetImages",
    "ImageData",
    "MobileNetwork",
    "MobileSupernet",
    "RetrainConfig",
    "RetrainedNetwork",
    "Standardisation",
    "Supernet",
    "SupernetConfig",
    "SupernetObjective",
    "TensorImages",
    "TrainedSupernet",
    "WeightSharingModel",
    "calibrate",
    "evaluate",
    "export_network",
    "open_images",
    "retrain",
    "train_supernet",
]
