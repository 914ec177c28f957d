"""What all objectives of declared spaces have in common."""

import abc
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Generic
from typing import TypeVar

import optuna
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import BaseTrial

from optuna_dnas._declaration import declare_metrics
from optuna_dnas._declaration import declare_space
from optuna_dnas._metric import Metric
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import Limits
from optuna_dnas.search_space import SearchSpace


ArchitectureT = TypeVar("ArchitectureT")

LATENCY = Metric("latency", "minimize", "ms")


def cost_metrics(names: Iterable[str]) -> tuple[Metric, ...]:
    """Costs as metrics."""
    return tuple(Metric(name, "minimize") for name in names)


class ArchitectureObjective(abc.ABC, Generic[ArchitectureT]):
    """Asks a trial for an architecture, measures it, and keeps what is known about it.

    A subclass says in ``offered`` what it measures.

    Args:
        space: The space of the architectures. Its limits are recorded as constraints.
        measured: Names of the metrics that :meth:`_measure` gives.
        metrics: What to optimise: names of what is offered, or of costs that the space knows.
        limits: Of costs, instead of those of the space.

    Raises:
        ValueError: An argument is not what it should be; the message names it.
    """

    offered: Sequence[Metric] = ()
    """What can be optimised; costs that the space knows can be as well."""

    def __init__(
        self,
        space: SearchSpace[ArchitectureT],
        *,
        measured: Sequence[str],
        metrics: Sequence[str],
        limits: Limits | None = None,
    ) -> None:
        names = [metric.name for metric in self.offered]
        if len(set(names)) < len(names):
            raise ValueError(f"`offered` must be metrics of different names, but got {names}.")
        costs = cost_metrics(name for name in space.cost_names if name not in names)
        self.offered = (*self.offered, *costs)
        _check_metrics(metrics, [metric.name for metric in self.offered])
        self._metrics = tuple(metrics)
        self._measured = tuple(measured)
        self.space = space if limits is None else space.within(limits)

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
        by_name = {metric.name: metric for metric in self.offered}
        return [by_name[name].study_direction for name in self._metrics]

    @property
    def cost_limits(self) -> CostLimits:
        """Those of costs."""
        return self.space.limits

    @property
    def limits(self) -> dict[str, float]:
        """All of them, by the keys of their constraints."""
        return self.cost_limits.by_key

    @property
    def latency_conditions(self) -> dict[str, Any]:
        """What must be equal for latencies to be compared; empty where none is measured."""
        return {}

    def __call__(self, trial: optuna.Trial) -> float | tuple[float, ...]:
        """Ask the trial for an architecture, and measure it.

        Raises:
            optuna.TrialPruned: It is not valid, or could not be measured to the end.
        """
        if isinstance(trial, optuna.Trial):
            declare_space(trial.study, self.space)
            declare_metrics(trial.study, self.offered)
        try:
            architecture = self.space.suggest(trial)
            cost = self._cost(architecture)
            self._describe(trial, architecture, cost)
            results = self._measure(architecture, trial) | dict(cost or {})
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
            OutOfDomainError: The parameters do not make an architecture that can be measured.
        """
        architecture = self.space.params_to_architecture(params)
        cost = self._cost(architecture)
        return self._values(self._measure(architecture, None) | dict(cost or {}))

    def evaluate_constraints(self, params: Mapping[str, Any]) -> dict[str, float]:
        """By how much each limit is broken; feasible where that is not positive."""
        architecture = self.space.params_to_architecture(params)
        cost = self._cost(architecture)
        excesses = {} if cost is None else self.cost_limits.excesses(cost)
        return excesses | self._measured_excesses(architecture)

    @abc.abstractmethod
    def _measure(
        self, architecture: ArchitectureT, trial: optuna.Trial | None
    ) -> dict[str, float]:
        """The metrics of an architecture by name; may report to the trial, and be pruned.

        Raises:
            OutOfDomainError: The architecture cannot be measured.
        """

    def _cost(self, architecture: ArchitectureT) -> Cost | None:
        """What it costs; `None` if nobody knows."""
        return self.space.cost(architecture)

    def _measured_excesses(self, architecture: ArchitectureT) -> dict[str, float]:
        """By how much the limits are broken that are not of costs."""
        return {}

    def _describe(self, trial: BaseTrial, architecture: ArchitectureT, cost: Cost | None) -> None:
        """Before it is measured, so that a trial that ends early says what it was."""
        trial.set_user_attr("architecture", str(architecture))
        trial.set_user_attr("architecture_hash", self.space.hash(architecture))
        if cost is None:
            return
        for name, amount in cost.items():
            trial.set_user_attr(name, amount)
        for key, excess in self.cost_limits.excesses(cost).items():
            trial.set_constraint(key, excess)

    def _values(self, results: Mapping[str, float]) -> float | tuple[float, ...]:
        values = tuple(results[name] for name in self._metrics)
        return values if len(values) > 1 else values[0]


def _check_metrics(metrics: Sequence[str], offered: Iterable[str]) -> None:
    if isinstance(metrics, str):
        raise ValueError(f"`metrics` must be a sequence of names, but got {metrics!r}.")
    if not metrics or len(set(metrics)) < len(metrics):
        raise ValueError(f"`metrics` must be different names, at least one, but got {metrics}.")
    for name in metrics:
        if name not in offered:
            raise ValueError(f"`metrics` must be of {tuple(offered)}, but got {name!r}.")
