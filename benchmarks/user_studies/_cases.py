"""All cases and samplers by their names, and a run of one with the other."""

from collections.abc import Callable
import functools
from typing import Any
import warnings

import optuna
from optuna.samplers import BaseSampler

from benchmarks.peers import SMACSampler
from benchmarks.user_studies._case import Case
from benchmarks.user_studies._case import run_case
from benchmarks.user_studies._costs import COSTS
from benchmarks.user_studies._failures import FAILURES
from benchmarks.user_studies._reports import REPORTS
from benchmarks.user_studies._sizes import SIZES
from benchmarks.user_studies._spaces import SPACES
from benchmarks.user_studies._tables import TABLES
from benchmarks.user_studies._together import TOGETHER
from benchmarks.user_studies._trained import TRAINED
from optuna_dnas import DNASSampler
from optuna_dnas.benchmarking import SamplerFactory
from optuna_dnas.benchmarking import SAMPLERS
from optuna_dnas.benchmarking import Search
from optuna_dnas.search_space import SearchSpace


GROUPS: dict[str, dict[str, Callable[[int], Case]]] = {
    "reports": REPORTS,
    "costs": COSTS,
    "failures": FAILURES,
    "spaces": SPACES,
    "sizes": SIZES,
    "tables": TABLES,
    "together": TOGETHER,
    "trained": TRAINED,
}
CASES = {name: case for group in GROUPS.values() for name, case in group.items()}


def _untold(make: SamplerFactory, seed: int, space: SearchSpace[Any] | None) -> BaseSampler:
    """A sampler that is not told the space."""
    return make(seed, None)


CONTENDERS: dict[str, SamplerFactory] = {
    name: functools.partial(_untold, make) for name, make in SAMPLERS.items()
} | {
    "DNAS (space)": lambda seed, space: DNASSampler(seed=seed, space=space),
    "SMAC": lambda seed, _: SMACSampler(seed),
}


def run(search: Search) -> dict[str, Any]:
    """The record of a study."""
    import torch  # Before the clock starts, and not where records are only read.

    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    warnings.simplefilter("ignore")
    case = CASES[search.problem](search.seed)
    return run_case(search, case, CONTENDERS[search.sampler])
