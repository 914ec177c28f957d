"""Search spaces: Optuna parameters, tokens and architectures, and what they cost."""

from optuna_dnas.search_space._base import Cost
from optuna_dnas.search_space._base import SearchSpace
from optuna_dnas.search_space._model_spec import ModelSpec
from optuna_dnas.search_space._nasbench101 import NASBench101Space
from optuna_dnas.search_space._nasbench101_cost import NetworkShape


__all__ = ["Cost", "ModelSpec", "NASBench101Space", "NetworkShape", "SearchSpace"]
