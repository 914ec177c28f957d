"""What the objectives of cells have in common."""

import abc
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import BaseTrial

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import COST_NAMES
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space


_DIRECTIONS = {
    "validation_accuracy": StudyDirection.MAXIMIZE,
    "test_accuracy": StudyDirection.MAXIMIZE,
    "train_accuracy": StudyDirection.MAXIMIZE,
    "training_time": StudyDirection.MINIMIZE,
    "flops": StudyDirection.MINIMIZE,
    "params": StudyDirection.MINIMIZE,
    "latency": StudyDirection.MINIMIZE,
}


class CellObjective(abc.ABC):
    """Asks a trial for a cell, measures it, and keeps what is known about it.

    Args:
        space: The space of the cells. Its limits are recorded as constraints.
        measured: The metrics that :meth:`_measure` gives.
        metrics: What to optimise.
        offered: What `metrics` may be of.
    """

    def __init__(
        self,
        space: NASBench101Space,
        *,
        measured: Sequence[str],
        metrics: Sequence[str],
        offered: Sequence[str] = tuple(_DIRECTIONS),
    ) -> None:
        _check_metrics(metrics, offered)
        self._metrics = tuple(metrics)
        self._measured = tuple(measured)
        self.space = space

    @property
    def search_space(self) -> dict[str, BaseDistribution]:
        """The Optuna parameters."""
        return self.space.distributions

    @property
    def metric_names(self) -> list[str]:
        """For ``study.set_metric_names``."""
        return list(self._metrics)

    @property
    def directions(self) -> list[StudyDirection]:
        """For ``optuna.create_study``."""
        return [_DIRECTIONS[name] for name in self._metrics]

    @property
    def limits(self) -> dict[str, float]:
        """All of them, by the keys of their constraints."""
        return self.space.limits.by_key

    @property
    def latency_conditions(self) -> dict[str, Any]:
        """What must be equal for latencies to be compared; empty where none is measured."""
        return {}

    def __call__(self, trial: optuna.Trial) -> float | tuple[float, ...]:
        """Ask the trial for a cell, and measure it.

        Raises:
            optuna.TrialPruned: The cell is not valid, or could not be measured to the end.
        """
        try:
            spec = self.space.suggest(trial)
            cost = self.space.cost(spec)
            self._describe(trial, spec, cost)
            results = self._measure(spec, trial) | asdict(cost)
        except OutOfDomainError as error:
            trial.set_user_attr("invalid", str(error))
            raise optuna.TrialPruned(str(error)) from None
        for name in self._measured:
            if name not in self._metrics:
                trial.set_user_attr(name, results[name])
        return self._values(results)

    def evaluate(self, params: Mapping[str, Any]) -> float | tuple[float, ...]:
        """The values of a set of parameters, without a trial.

        Raises:
            OutOfDomainError: The parameters do not make a cell that can be measured.
        """
        spec = self.space.params_to_architecture(params)
        return self._values(self._measure(spec, None) | asdict(self.space.cost(spec)))

    def evaluate_constraints(self, params: Mapping[str, Any]) -> dict[str, float]:
        """By how much each limit is broken; feasible where that is not positive."""
        spec = self.space.params_to_architecture(params)
        return self.space.limits.excesses(self.space.cost(spec)) | self._measured_excesses(spec)

    @abc.abstractmethod
    def _measure(self, spec: ModelSpec, trial: optuna.Trial | None) -> dict[str, float]:
        """The metrics of a cell by name; may report to the trial, and be pruned.

        Raises:
            OutOfDomainError: The cell cannot be measured.
        """

    def _measured_excesses(self, spec: ModelSpec) -> dict[str, float]:
        """The same of the limits that the space does not know."""
        return {}

    def _describe(self, trial: BaseTrial, spec: ModelSpec, cost: Cost) -> None:
        """Before it is measured, so that a trial that ends early says which cell it was."""
        trial.set_user_attr("architecture", str(spec))
        trial.set_user_attr("architecture_hash", self.space.hash(spec))
        for name in COST_NAMES:
            trial.set_user_attr(name, getattr(cost, name))
        for key, excess in self.space.limits.excesses(cost).items():
            trial.set_constraint(key, excess)

    def _values(self, results: Mapping[str, float]) -> float | tuple[float, ...]:
        values = tuple(results[name] for name in self._metrics)
        return values if len(values) > 1 else values[0]


def _check_metrics(metrics: Sequence[str], offered: Sequence[str]) -> None:
    if isinstance(metrics, str):
        raise ValueError(f"`metrics` must be a sequence of names, but got {metrics!r}.")
    if not metrics or len(set(metrics)) < len(metrics):
        raise ValueError(f"`metrics` must be different names, at least one, but got {metrics}.")
    for name in metrics:
        if name not in offered:
            raise ValueError(f"`metrics` must be of {tuple(offered)}, but got {name!r}.")
