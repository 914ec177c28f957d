"""What an architecture is worth: objectives for studies."""

import importlib
from typing import Any
from typing import TYPE_CHECKING

from optuna_dnas._metric import Metric
from optuna_dnas._metric import SHARE
from optuna_dnas.objectives._architecture_objective import ArchitectureObjective
from optuna_dnas.objectives._architecture_objective import LATENCY
from optuna_dnas.objectives._cell_table import Metrics
from optuna_dnas.objectives._digits_objective import DigitsCellObjective
from optuna_dnas.objectives._digits_table import DigitsTable
from optuna_dnas.objectives._nasbench101_objective import NASBench101Objective
from optuna_dnas.objectives._nasbench101_table import NASBench101Table


if TYPE_CHECKING:
    from optuna_dnas.objectives.supernet import SupernetObjective
    from optuna_dnas.objectives.supernet import WeightSharingModel
    from optuna_dnas.objectives.training import CellTrainingObjective
    from optuna_dnas.objectives.training import LatencyConfig
    from optuna_dnas.objectives.training import LatencyMeter
    from optuna_dnas.objectives.training import TrainingConfig
    from optuna_dnas.objectives.training import TrainingData


__all__ = [
    "ArchitectureObjective",
    "CellTrainingObjective",
    "DigitsCellObjective",
    "DigitsTable",
    "LATENCY",
    "LatencyConfig",
    "LatencyMeter",
    "Metric",
    "Metrics",
    "NASBench101Objective",
    "NASBench101Table",
    "SHARE",
    "SupernetObjective",
    "TrainingConfig",
    "TrainingData",
    "WeightSharingModel",
]

# They import torch: only who trains waits for it.
_LAZY = {
    "CellTrainingObjective": "training",
    "LatencyConfig": "training",
    "LatencyMeter": "training",
    "SupernetObjective": "supernet",
    "TrainingConfig": "training",
    "TrainingData": "training",
    "WeightSharingModel": "supernet",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
