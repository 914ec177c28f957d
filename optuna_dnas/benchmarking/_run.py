"""One search: problem x sampler x seed -> a record."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
import platform
import time
from typing import Any
from typing import NamedTuple

import optuna
from optuna.trial import TrialState

from optuna_dnas._trials import is_feasible
from optuna_dnas.benchmarking._problem import Problem
from optuna_dnas.benchmarking._samplers import SamplerFactory


# A search ends when so many proposals in a row were invalid or had been evaluated before.
MAX_FUTILE = 200


class Search(NamedTuple):
    """Which search; problem and sampler by their names."""

    problem: str
    sampler: str
    seed: int
    queries: int  # different valid points to evaluate

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Search":
        """The search that a record is of."""
        return cls(*(record[field] for field in cls._fields))


def run_search(search: Search, problem: Problem, make_sampler: SamplerFactory) -> dict[str, Any]:
    """Search until so many queries are made; a repeated or invalid point is none.

    CPU time is that of the whole process: it should do nothing else, and have imported torch.

    Args:
        search: Has the seed and the number of queries.
        problem: What it names.
        make_sampler: Makes what it names.

    Returns:
        For JSON. ``values`` are those of the queries in their order, ``best`` is what the problem
        reports of the best until then, ``flops`` the multiply-adds of each, null where that is not
        known; ``invalid`` and ``repeated`` count the other proposals, ``infeasible`` the queries
        that violate a constraint.
    """
    clock = _Clock(problem)
    study = optuna.create_study(
        directions=problem.directions, sampler=make_sampler(search.seed, problem.space)
    )
    queries = _optimize(study, problem, clock, search.queries)
    n_valid = sum(t.state == TrialState.COMPLETE for t in study.trials)
    return search._asdict() | {
        "direction": problem.direction.name,
        "optimum": problem.optimum,
        "values": queries.values,
        "best": queries.best,
        "flops": queries.flops,
        "invalid": len(study.trials) - n_valid,
        "repeated": n_valid - len(queries.values),
        "infeasible": queries.n_infeasible,
        "sampling_cpu_seconds": clock.total - clock.objective,
        "machine": f"{platform.machine()} {platform.python_version()} optuna {optuna.__version__}",
    }


class _Clock:
    """Splits CPU time into the objective's and the rest, which is the sampler's and Optuna's."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.objective = 0.0
        self._start = time.process_time()

    @property
    def total(self) -> float:
        return time.process_time() - self._start

    def __call__(self, trial: optuna.Trial) -> float | Sequence[float]:
        # A suggestion inside of the objective is the sampler's work: ask for all of them first.
        trial.relative_params  # noqa: B018
        start = time.process_time()
        try:
            return self._problem(trial)
        finally:
            self.objective += time.process_time() - start


@dataclass
class _Queries:
    """What a search has evaluated, in order."""

    values: list[Any]  # of each query: a number, or a list of them
    best: list[float]  # what is reported of all until then
    flops: list[int | None]  # multiply-adds, where known
    n_infeasible: int = 0


def _optimize(
    study: optuna.Study,
    problem: Problem,
    objective: Callable[[optuna.Trial], float | Sequence[float]],
    n_queries: int,
) -> _Queries:
    queries = _Queries([], [], [])
    progress = problem.progress()
    seen: set[str] = set()
    n_futile = 0

    def record(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        nonlocal n_futile
        key = problem.key(trial)
        if trial.state != TrialState.COMPLETE or key in seen:
            n_futile += 1
        else:
            n_futile = 0
            seen.add(key)
            several = len(trial.values) > 1
            queries.values.append(trial.values if several else trial.values[0])
            queries.best.append(progress.add(trial))
            queries.flops.append(trial.user_attrs.get("flops"))
            queries.n_infeasible += not is_feasible(trial)
        if len(seen) == n_queries or n_futile == MAX_FUTILE:
            study.stop()

    study.optimize(objective, callbacks=[record])
    return queries
