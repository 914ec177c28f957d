"""The objective that queries NASBench-101."""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import BaseTrial

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives._nasbench101_table import NASBench101Table
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space


_DIRECTIONS = {
    "validation_accuracy": StudyDirection.MAXIMIZE,
    "test_accuracy": StudyDirection.MAXIMIZE,
    "train_accuracy": StudyDirection.MAXIMIZE,
    "training_time": StudyDirection.MINIMIZE,
    "flops": StudyDirection.MINIMIZE,
    "params": StudyDirection.MINIMIZE,
}


class NASBench101Objective:
    """What a cell of NASBench-101 achieves and costs.

    Every trial keeps, as user attributes: ``architecture`` (read it with ``ModelSpec.parse``),
    ``architecture_hash``, ``flops`` (multiply-adds), ``params``, and the table's metrics that are
    not optimised. A cell that is not valid, which only samplers without knowledge of the space
    propose, or that the table does not hold, is pruned with the reason in ``invalid``.

    Args:
        table: The table.
        metrics: What to optimise: any of ``"validation_accuracy"``, ``"test_accuracy"``,
            ``"train_accuracy"``, ``"training_time"`` (seconds), ``"flops"`` (multiply-adds),
            ``"params"``.
        max_flops: The most multiply-adds allowed, recorded as the constraint ``max_flops``.
        max_params: The most parameters allowed, recorded as the constraint ``max_params``.
        epochs: Which training schedule of the table.
        repeat: Which of the runs; `None` is the mean over all of them.
        stop: ``"final"`` or ``"halfway"``.
    """

    def __init__(
        self,
        table: NASBench101Table,
        *,
        metrics: Sequence[str] = ("validation_accuracy",),
        max_flops: float | None = None,
        max_params: float | None = None,
        epochs: int = 108,
        repeat: int | None = None,
        stop: str = "final",
    ) -> None:
        _check_metrics(metrics, table)
        limits = {"flops": max_flops, "params": max_params}
        for name, limit in limits.items():
            if limit is not None and not limit > 0:
                raise ValueError(f"`max_{name}` must be positive, but got {limit}.")
        if epochs not in table.epochs:
            raise ValueError(f"`epochs` must be one of {table.epochs}, but got {epochs}.")
        self._table = table
        self._metrics = tuple(metrics)
        self._limits = {name: limit for name, limit in limits.items() if limit is not None}
        self._epochs, self._repeat, self._stop = epochs, repeat, stop
        self.space = NASBench101Space()

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

    def __call__(self, trial: optuna.Trial) -> float | tuple[float, ...]:
        """Ask the trial for a cell, and query it.

        Raises:
            optuna.TrialPruned: The cell is not valid, or the table does not hold it.
        """
        try:
            spec = self.space.suggest(trial)
            results = self._query(spec)
        except OutOfDomainError as error:
            trial.set_user_attr("invalid", str(error))
            raise optuna.TrialPruned(str(error)) from None
        self._annotate(trial, spec, results)
        for key, excess in self._excesses(self.space.cost(spec)).items():
            trial.set_constraint(key, excess)
        values = tuple(results[name] for name in self._metrics)
        return values if len(values) > 1 else values[0]

    def evaluate(self, params: Mapping[str, Any]) -> float | tuple[float, ...]:
        """The values of a set of parameters, without a trial.

        Raises:
            OutOfDomainError: The parameters do not make a valid cell.
        """
        results = self._query(self.space.params_to_architecture(params))
        values = tuple(results[name] for name in self._metrics)
        return values if len(values) > 1 else values[0]

    def evaluate_constraints(self, params: Mapping[str, Any]) -> dict[str, float]:
        """By how much each limit is exceeded; feasible where that is not positive."""
        return self._excesses(self.space.cost(self.space.params_to_architecture(params)))

    def _query(self, spec: ModelSpec) -> dict[str, float]:
        metrics = self._table.query(
            spec, epochs=self._epochs, repeat=self._repeat, stop=self._stop
        )
        results: dict[str, float] = asdict(metrics)
        # The published parameters belong to the cell as the authors wrote it down; in another
        # vertex order it may have a few more or fewer. What counts is the cell as proposed.
        del results["trainable_parameters"]
        return results | asdict(self.space.cost(spec))

    def _annotate(
        self, trial: BaseTrial, spec: ModelSpec, results: Mapping[str, float]
    ) -> None:
        trial.set_user_attr("architecture", str(spec))
        trial.set_user_attr("architecture_hash", self.space.hash(spec))
        for name in ("flops", "params"):
            trial.set_user_attr(name, results[name])
        for name in self._table.metric_names:
            if name not in self._metrics:
                trial.set_user_attr(name, results[name])

    def _excesses(self, cost: Cost) -> dict[str, float]:
        return {f"max_{name}": getattr(cost, name) - limit for name, limit in self._limits.items()}


def _check_metrics(metrics: Sequence[str], table: NASBench101Table) -> None:
    if isinstance(metrics, str):
        raise ValueError(f"`metrics` must be a sequence of names, but got {metrics!r}.")
    if not metrics or len(set(metrics)) < len(metrics):
        raise ValueError(f"`metrics` must be different names, at least one, but got {metrics}.")
    for name in metrics:
        if name not in _DIRECTIONS:
            raise ValueError(f"`metrics` must be of {tuple(_DIRECTIONS)}, but got {name!r}.")
        if name not in ("flops", "params", *table.metric_names):
            raise ValueError(f"The table was opened without the metric {name!r}.")
