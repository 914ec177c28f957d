"""Where candidates come from, and how one of them is chosen."""

from optuna_dnas.strategies._attempts import Attempts
from optuna_dnas.strategies._base import SamplingStrategy
from optuna_dnas.strategies._config import SearchConfig
from optuna_dnas.strategies._hypervolume import non_dominated
from optuna_dnas.strategies._moves import LatentGradient
from optuna_dnas.strategies._moves import Mutations
from optuna_dnas.strategies._moves import Neighbourhood
from optuna_dnas.strategies._moves import WholeSpace
from optuna_dnas.strategies._query import Proposal
from optuna_dnas.strategies._query import Query
from optuna_dnas.strategies._regions import CostEdge
from optuna_dnas.strategies._regions import DenseRegions
from optuna_dnas.strategies._regions import PromisingRegions
from optuna_dnas.strategies._reports import Reports
from optuna_dnas.strategies._search import LatentSearch
from optuna_dnas.strategies._selection import token_keys
from optuna_dnas.strategies._start import propose_random
from optuna_dnas.strategies._state import Observations
from optuna_dnas.strategies._state import SearchState


__all__ = [
    "Attempts",
    "CostEdge",
    "DenseRegions",
    "LatentGradient",
    "LatentSearch",
    "Mutations",
    "Neighbourhood",
    "Observations",
    "PromisingRegions",
    "Proposal",
    "Query",
    "Reports",
    "SamplingStrategy",
    "SearchConfig",
    "SearchState",
    "WholeSpace",
    "non_dominated",
    "propose_random",
    "token_keys",
]
