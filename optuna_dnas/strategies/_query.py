"""What an ask knows, and what it gets. T: tokens, M: objectives."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any
from typing import NamedTuple

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.search_space import CostLimits
from optuna_dnas.strategies._state import Observations


class Proposal(NamedTuple):
    """An architecture to evaluate."""

    tokens: TokenArray  # (T,)
    source: str
    prediction: FloatArray | None  # (M,) minimised, in the objectives' units


class Query(NamedTuple):
    """What one ask knows."""

    observations: Observations
    taken: AbstractSet[bytes]  # keys of evaluated and running architectures
    fixed: Mapping[int, Any]  # tokens that are given
    cost_limits: CostLimits
    number: int  # of the trial
    n_skipped: int  # of the best new ones, which other workers take at this moment
    seed: int  # entropy of all draws
    open: Mapping[bytes, int] = MappingProxyType({})
    """Those taken that failed but may be tried again, and how often they have failed."""
