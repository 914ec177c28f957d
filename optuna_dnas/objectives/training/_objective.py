"""The objective that trains a cell."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from operator import index

import numpy as np
import optuna

from optuna_dnas._torch_scope import private_generator
from optuna_dnas._torch_scope import resolve_device
from optuna_dnas.objectives._architecture_objective import cost_metrics
from optuna_dnas.objectives._architecture_objective import LATENCY
from optuna_dnas.objectives._cell_table import METRIC_NAMES
from optuna_dnas.objectives._cell_table import TRAINING_METRICS
from optuna_dnas.objectives.training._config import TrainingConfig
from optuna_dnas.objectives.training._data import TrainingData
from optuna_dnas.objectives.training._device import precision_text
from optuna_dnas.objectives.training._latency import LatencyConfig
from optuna_dnas.objectives.training._latency import LatencyMeter
from optuna_dnas.objectives.training._network import CellNetwork
from optuna_dnas.objectives.training._network import initialise
from optuna_dnas.objectives.training._network_objective import NetworkObjective
from optuna_dnas.objectives.training._trainer import network_shape
from optuna_dnas.objectives.training._trainer import train
from optuna_dnas.search_space import Limits
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import NetworkShape


class CellTrainingObjective(NetworkObjective[ModelSpec]):
    """What a cell achieves on your data, trained from scratch, and what it costs.

    Every trial keeps, as user attributes: ``architecture`` (read it with ``ModelSpec.parse``),
    ``architecture_hash``, ``flops`` (multiply-adds), ``params``, those of validation, test and
    training accuracy and ``training_time`` (seconds) that are not optimised, and
    ``training_digest``, which is equal for equal data, configuration, seeds, metrics and
    precision.

    If latency is optimised or limited, it is measured before the training, and kept as
    ``latency`` (milliseconds), with ``latency_batch_size`` and ``latency_device``. What breaks
    its limit is pruned without being trained: the constraint is recorded, and the sampler learns
    from it what to avoid.

    If the one thing to optimise is an accuracy, the trial is told the validation accuracy of every
    epoch that ``config`` validates, and pruned if the study's pruner says so. A cell that is not
    valid is pruned with the reason in ``invalid``; one whose training diverges or needs too much
    memory, with the reason in ``failure``. Neither ends the study.

    Args:
        data: What to train on.
        metrics: What to optimise: any of ``"validation_accuracy"``, ``"test_accuracy"``,
            ``"train_accuracy"``, ``"training_time"`` (seconds), ``"flops"`` (multiply-adds),
            ``"params"``, ``"latency"`` (milliseconds of an inference on ``device``).
        config: How to train.
        limits: The most of a cost or of ``"latency"``, or a pair of the least and the most, as in
            ``{"flops": 2e6, "params": (1_000, None), "latency": 0.5}``. Each is recorded as a
            constraint, ``max_flops`` and ``min_params`` here. Those of costs are known to the
            sampler that is given the objective's ``space``; it predicts which cells are too slow.
        latency_config: How latency is measured.
        seed: Decides initial weights and order of the images. Of several seeds, trained in one
            pass, all metrics are means, also those that the pruner is told.
        device: ``"cpu"``, ``"mps"``, or ``"cuda"`` with mixed precision.
        n_threads: CPU threads, also of the measured inference. A process must not fork once it has
            trained on several.
        reuse: Whether a cell is trained once only: an isomorphic one that the study has completed
            with the same ``training_digest`` is answered from storage, and the trial names its
            number in ``reused_from``.
        max_vertices: Of a cell, input and output included.

    Raises:
        ValueError: An argument is not what it should be; the message names it.
    """

    offered = (*TRAINING_METRICS, *cost_metrics(NASBench101Space.cost_names), LATENCY)

    def __init__(
        self,
        data: TrainingData,
        *,
        metrics: Sequence[str] = ("validation_accuracy",),
        config: TrainingConfig | None = None,
        limits: Limits | None = None,
        latency_config: LatencyConfig | None = None,
        seed: int | Sequence[int] = 0,
        device: str = "cpu",
        n_threads: int = 1,
        reuse: bool = True,
        max_vertices: int = 7,
    ) -> None:
        config = config or TrainingConfig()
        shape = network_shape(data, config)
        super().__init__(
            NASBench101Space(max_vertices=max_vertices, network=shape),
            measured=METRIC_NAMES,
            metrics=metrics,
            digest_key="training_digest",
            latency_meter=LatencyMeter(
                build=partial(_build_network, shape=shape),
                image_shape=(shape.image_channels, shape.image_size, shape.image_size),
                config=latency_config or LatencyConfig(),
                device=device,
                n_threads=n_threads,
            ),
            limits=limits,
            reuse=reuse,
        )
        if config.stem_channels < max_vertices - 2:
            raise ValueError(
                f"`stem_channels` must be at least {max_vertices - 2} for cells of "
                f"{max_vertices} vertices, but got {config.stem_channels}."
            )
        resolve_device(device)  # A study should not begin with what cannot work.
        self._data, self._seeds = data, _check_seeds(seed)
        # Without a pruner to tell, validation at the stops will do.
        unheard = replace(config, validation_interval=config.epochs)
        self._config = config if self._is_prunable else unheard
        self._device, self._n_threads = device, n_threads
        self._training_text = (
            f"{data.digest()} {config.digest_text()} {self._seeds} {self._metrics}"
        )

    def _run(self, spec: ModelSpec, trial: optuna.Trial | None) -> dict[str, float]:
        def report(epoch: int, accuracies: list[float]) -> None:
            if trial is None or not self._is_prunable:
                return
            trial.report(float(np.mean(accuracies)), step=epoch)
            # Asked at the end too, for the pruner's books; but what is done is not thrown away.
            if trial.should_prune() and epoch < self._config.epochs:
                raise optuna.TrialPruned(f"Pruned after epoch {epoch}.")

        results = train(
            spec,
            self._data,
            self._config,
            seeds=self._seeds,
            device=self._device,
            n_threads=self._n_threads,
            on_epoch=report,
        )
        return {
            name: float(np.mean([getattr(result.final, name) for result in results]))
            for name in METRIC_NAMES
        }

    @property
    def _is_prunable(self) -> bool:
        """Optuna prunes only with one objective, and what is reported must be of its kind."""
        return len(self._metrics) == 1 and self._metrics[0].endswith("_accuracy")

    def _digest_text(self) -> str:
        return self._training_text + precision_text("auto", self._device)


def _build_network(spec: ModelSpec, *, shape: NetworkShape) -> CellNetwork:
    return initialise(CellNetwork(spec, shape), [private_generator(0)])


def _check_seeds(seed: int | Sequence[int]) -> tuple[int, ...]:
    seeds = tuple(map(index, seed if isinstance(seed, Sequence) else (seed,)))
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"`seed` must be one integer or different ones, but got {seed}.")
    return seeds
