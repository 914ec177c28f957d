"""A study of a user, and its record.

In the problems of `benchmarks.run` a budget is a number of different valid points. Here it is a
number of trials, however they end: a pruned, failed or repeated trial costs users one, too.
"""

import abc
from collections.abc import Sequence
import contextlib
import math
import platform
import time
from typing import Any
from typing import ClassVar

import optuna
from optuna.pruners import BasePruner
from optuna.pruners import NopPruner
from optuna.study import StudyDirection
from optuna.trial import TrialState

from optuna_dnas.benchmarking import is_feasible
from optuna_dnas.benchmarking import SamplerFactory
from optuna_dnas.benchmarking import Search
from optuna_dnas.search_space import SearchSpace


class SimulatedError(RuntimeError):
    """An evaluation that went wrong; the study goes on."""


class Case(abc.ABC):
    """An objective, the study around it, and the truth about its trials.

    Args:
        seed: Of everything that happens by chance.
    """

    n_trials: ClassVar[int]
    direction = StudyDirection.MINIMIZE
    n_objectives = 1
    optimum: float | None = 0.0
    space: SearchSpace[Any] | None = None

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @abc.abstractmethod
    def __call__(self, trial: optuna.Trial) -> float | Sequence[float]:
        """The user's objective."""

    def pruner(self) -> BasePruner:
        """Of the study."""
        return NopPruner()

    def earlier_trials(self) -> list[optuna.trial.FrozenTrial]:
        """Trials that the study has before the search begins; they do not count."""
        return []

    def truth(self, trial: optuna.trial.FrozenTrial) -> float:
        """The value without noise of a trial that a user may choose."""
        assert trial.value is not None
        return trial.value

    def notes(self, trials: list[optuna.trial.FrozenTrial]) -> dict[str, float]:
        """Further figures of a study, by name."""
        return {}


def run_case(search: Search, case: Case, make_sampler: SamplerFactory) -> dict[str, Any]:
    """Run a study; its record has the fields of `run_search`, and counts trials as queries.

    ``best`` is the truth about the trial that the user would choose by its value, complete and
    feasible, after each trial.
    """
    study = optuna.create_study(
        directions=[case.direction] * case.n_objectives,
        sampler=make_sampler(search.seed, case.space),
        pruner=case.pruner(),
    )
    study.add_trials(case.earlier_trials())
    n_before = len(study.trials)
    start = time.process_time()
    n_end = n_before + search.queries
    while (n_left := n_end - len(study.get_trials(deepcopy=False))) > 0:
        with contextlib.suppress(KeyboardInterrupt):  # The user goes on.
            study.optimize(case, n_trials=n_left, catch=(SimulatedError,))
    seconds = time.process_time() - start
    trials = study.trials[n_before:]
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    points = [repr(sorted(trial.params.items())) for trial in complete]
    return search._asdict() | {
        "direction": case.direction.name,
        "optimum": case.optimum,
        "values": [trial.values for trial in trials],
        "best": _best(case, trials),
        "flops": [None] * len(trials),
        "invalid": len(trials) - len(complete),
        "repeated": len(points) - len(set(points)),
        "infeasible": sum(not is_feasible(trial) for trial in complete),
        "sampling_cpu_seconds": seconds,
        "notes": case.notes(trials),
        "machine": f"{platform.machine()} {platform.python_version()} optuna {optuna.__version__}",
    }


def _best(case: Case, trials: list[optuna.trial.FrozenTrial]) -> list[float]:
    if case.n_objectives > 1:
        return [math.nan] * len(trials)
    sign = -1 if case.direction == StudyDirection.MAXIMIZE else 1
    lowest, reported, best = math.inf, math.nan, []
    for trial in trials:
        if trial.state == TrialState.COMPLETE and is_feasible(trial):
            assert trial.value is not None
            if sign * trial.value < lowest:
                lowest, reported = sign * trial.value, case.truth(trial)
        best.append(reported)
    return best
