"""The objective that trains small cells on digits, or knows from a table what it would give."""

from collections.abc import Collection
from collections.abc import Sequence
from typing import Any
from typing import TYPE_CHECKING

import optuna

from optuna_dnas.objectives._architecture_objective import ArchitectureObjective
from optuna_dnas.objectives._architecture_objective import cost_metrics
from optuna_dnas.objectives._architecture_objective import LATENCY
from optuna_dnas.objectives._cell_table import TRAINING_METRICS
from optuna_dnas.objectives._digits_table import DigitsTable
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import Limits
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space


if TYPE_CHECKING:
    from optuna_dnas.objectives.training import CellTrainingObjective
    from optuna_dnas.objectives.training import LatencyConfig


_MAX_VERTICES = 5


class DigitsCellObjective(ArchitectureObjective[ModelSpec]):
    """What a cell of up to 5 vertices achieves on scikit-learn's digits, and what it costs.

    ::

        objective = DigitsCellObjective(metrics=["validation_accuracy", "flops"])
        study = optuna.create_study(
            directions=objective.directions, sampler=DNASSampler(space=objective.space)
        )
        study.optimize(objective, n_trials=100)

    Every trial keeps, as user attributes: ``architecture`` (read it with ``ModelSpec.parse``),
    ``architecture_hash``, ``flops`` (multiply-adds), ``params``, and the metrics of the table that
    are not optimised. A cell that is not valid, which only samplers without knowledge of the space
    propose, is pruned with the reason in ``invalid``.

    With ``train=True`` a cell is trained as those of the table were, all seeds in one pass. On a
    CPU of the same kind with the same PyTorch, the accuracies are the table's to the last bit.
    Pruners are told of every epoch, isomorphic cells are reused, and latency can be optimised or
    limited, as :class:`CellTrainingObjective` says. That needs scikit-learn.

    Args:
        metrics: What to optimise: any of ``"validation_accuracy"``, ``"test_accuracy"``,
            ``"train_accuracy"``, ``"training_time"`` (seconds of one run), ``"flops"``
            (multiply-adds), ``"params"``; with ``train`` also ``"latency"`` (milliseconds).
        limits: The most of a cost, or a pair of the least and the most, as in ``{"flops": 2e6,
            "params": (1_000, None)}``; with ``train`` also of ``"latency"``. Each is recorded as a
            constraint, ``max_flops`` and ``min_params`` here. Those of costs are known to the
            sampler that is given the objective's ``space``; it predicts which cells are too slow,
            and those are pruned.
        repeat: Which of the runs; `None` is the mean over all of them.
        stop: ``"final"`` or ``"halfway"``.
        train: Whether to train, instead of asking the table.
        latency_config: How latency is measured, only with ``train``.
        device: Where to train: ``"cpu"``, ``"mps"``, or ``"cuda"`` with mixed precision.

    Raises:
        ValueError: An argument is not what it should be; the message names it.
    """

    offered = (*TRAINING_METRICS, *cost_metrics(NASBench101Space.cost_names), LATENCY)

    def __init__(
        self,
        *,
        metrics: Sequence[str] = ("validation_accuracy",),
        limits: Limits | None = None,
        repeat: int | None = None,
        stop: str = "final",
        train: bool = False,
        latency_config: "LatencyConfig | None" = None,
        device: str = "cpu",
    ) -> None:
        self.table = DigitsTable.load()
        bounds = CostLimits(limits)
        if not train:
            _check_not_latency(metrics=metrics, limits=bounds)
        super().__init__(
            NASBench101Space(max_vertices=_MAX_VERTICES, network=self.table.settings.network),
            measured=self.table.metric_names,
            metrics=metrics,
            limits={name: pair for name, pair in bounds.items() if name != LATENCY.name},
        )
        # A study should not begin with what cannot work.
        self.table.query(self.table.cell(0), repeat=repeat, stop=stop)
        if train:
            _check_left_alone("True", repeat=(repeat, None), stop=(stop, "final"))
        else:
            _check_left_alone("False", latency_config=(latency_config, None))
        self._repeat, self._stop = repeat, stop
        latency = bounds.of((LATENCY.name,))
        self._training = self._build_training(device, latency, latency_config) if train else None

    @property
    def limits(self) -> dict[str, float]:
        """All of them, by the keys of their constraints."""
        measured = {} if self._training is None else self._training.limits
        return super().limits | measured

    @property
    def latency_conditions(self) -> dict[str, Any]:
        """What must be equal for latencies to be compared; empty where none is measured."""
        return {} if self._training is None else self._training.latency_conditions

    def _measured_excesses(self, spec: ModelSpec) -> dict[str, float]:
        if self._training is None:
            return {}
        return self._training._measured_excesses(self.space.canonical(spec))

    def _measure(self, spec: ModelSpec, trial: optuna.Trial | None) -> dict[str, float]:
        if self._training is None:
            return self.table.query(spec, repeat=self._repeat, stop=self._stop).by_name()
        # The weights of a network are drawn in the order of its vertices.
        return self._training._measure(self.space.canonical(spec), trial)

    def _build_training(
        self, device: str, limits: CostLimits, latency_config: "LatencyConfig | None"
    ) -> "CellTrainingObjective":
        from optuna_dnas.objectives.training import CellTrainingObjective
        from optuna_dnas.objectives.training import TrainingConfig
        from optuna_dnas.objectives.training import TrainingData

        settings = self.table.settings
        return CellTrainingObjective(
            TrainingData.digits(**settings.data),
            metrics=self._metrics,
            # A pruner wants to hear more than the table keeps.
            config=TrainingConfig(**settings.config | {"validation_interval": 1}),
            limits=limits,
            latency_config=latency_config,
            seed=settings.seeds,
            device=device,
            max_vertices=_MAX_VERTICES,
        )


def _check_not_latency(**arguments: Collection[str]) -> None:
    for argument, names in arguments.items():
        if LATENCY.name in names:
            raise ValueError(
                f"`{argument}` must not name 'latency' if `train` is False, but got {names}."
            )


def _check_left_alone(train: str, **options: tuple[Any, Any]) -> None:
    """Raise `ValueError` unless each option has its default: value and default by name."""
    for name, (value, default) in options.items():
        if value != default:
            raise ValueError(
                f"`{name}` must be {default!r} if `train` is {train}, but got {value!r}."
            )
