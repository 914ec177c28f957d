"""What an architecture is worth: objectives for studies."""

from optuna_dnas.objectives._nasbench101_objective import NASBench101Objective
from optuna_dnas.objectives._nasbench101_table import Metrics
from optuna_dnas.objectives._nasbench101_table import NASBench101Table


__all__ = ["Metrics", "NASBench101Objective", "NASBench101Table"]
