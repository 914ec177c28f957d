"""The objective that queries NASBench-101."""

from collections.abc import Sequence

import optuna

from optuna_dnas.objectives._architecture_objective import ArchitectureObjective
from optuna_dnas.objectives._architecture_objective import cost_metrics
from optuna_dnas.objectives._cell_table import TRAINING_METRICS
from optuna_dnas.objectives._nasbench101_table import NASBench101Table
from optuna_dnas.search_space import Limits
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space


class NASBench101Objective(ArchitectureObjective[ModelSpec]):
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
        limits: The most of a cost, or a pair of the least and the most, as in ``{"flops": 2e6,
            "params": (1_000, None)}``. Each is recorded as a constraint, ``max_flops`` and
            ``min_params`` here, and known to the sampler that is given the objective's ``space``.
        epochs: Which training schedule of the table.
        repeat: Which of the runs; `None` is the mean over all of them.
        stop: ``"final"`` or ``"halfway"``.
    """

    offered = (*TRAINING_METRICS, *cost_metrics(NASBench101Space.cost_names))

    def __init__(
        self,
        table: NASBench101Table,
        *,
        metrics: Sequence[str] = ("validation_accuracy",),
        limits: Limits | None = None,
        epochs: int = 108,
        repeat: int | None = None,
        stop: str = "final",
    ) -> None:
        super().__init__(
            NASBench101Space(), measured=table.metric_names, metrics=metrics, limits=limits
        )
        for name in metrics:
            if name not in (*self.space.cost_names, *table.metric_names):
                raise ValueError(f"The table was opened without the metric {name!r}.")
        if epochs not in table.epochs:
            raise ValueError(f"`epochs` must be one of {table.epochs}, but got {epochs}.")
        self.table = table
        self._epochs, self._repeat, self._stop = epochs, repeat, stop

    def _measure(self, spec: ModelSpec, trial: optuna.Trial | None) -> dict[str, float]:
        # The published parameters belong to the cell as the authors wrote it down; in another
        # vertex order it may have a few more or fewer. What counts is the cell as proposed.
        return self.table.query(
            spec, epochs=self._epochs, repeat=self._repeat, stop=self._stop
        ).by_name()
