"""Training cells from scratch. It needs torch, and is therefore not imported before it is used."""

from optuna_dnas.objectives.training._config import TrainingConfig
from optuna_dnas.objectives.training._data import TrainingData
from optuna_dnas.objectives.training._device import cudnn_settings
from optuna_dnas.objectives.training._device import InsufficientMemoryError
from optuna_dnas.objectives.training._device import is_lack_of_memory
from optuna_dnas.objectives.training._device import memory_layout
from optuna_dnas.objectives.training._device import mixed_dtype
from optuna_dnas.objectives.training._device import precision_name
from optuna_dnas.objectives.training._device import precision_text
from optuna_dnas.objectives.training._device import PRECISIONS
from optuna_dnas.objectives.training._device import resolve_precision
from optuna_dnas.objectives.training._device import run_on_device
from optuna_dnas.objectives.training._latency import LatencyConfig
from optuna_dnas.objectives.training._latency import LatencyMeter
from optuna_dnas.objectives.training._network import CellNetwork
from optuna_dnas.objectives.training._network_objective import NetworkObjective
from optuna_dnas.objectives.training._objective import CellTrainingObjective
from optuna_dnas.objectives.training._standardisation import check_standardisation
from optuna_dnas.objectives.training._standardisation import Standardisation
from optuna_dnas.objectives.training._trainer import Accuracies
from optuna_dnas.objectives.training._trainer import DivergedError
from optuna_dnas.objectives.training._trainer import network_shape
from optuna_dnas.objectives.training._trainer import train
from optuna_dnas.objectives.training._trainer import TrainingResult


__all__ = [
    "Accuracies",
    "CellNetwork",
    "CellTrainingObjective",
    "check_standardisation",
    "cudnn_settings",
    "DivergedError",
    "InsufficientMemoryError",
    "is_lack_of_memory",
    "LatencyConfig",
    "LatencyMeter",
    "memory_layout",
    "mixed_dtype",
    "network_shape",
    "NetworkObjective",
    "precision_name",
    "precision_text",
    "PRECISIONS",
    "resolve_precision",
    "run_on_device",
    "Standardisation",
    "train",
    "TrainingConfig",
    "TrainingData",
    "TrainingResult",
]
