"""Training a cell from scratch, for several seeds in one pass.

R: seeds, one replica of the network each; B: batch, N: images, C: channels, K: classes.
"""

from collections.abc import Callable
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
import time
from typing import cast

import torch
from torch.nn import functional as F

from optuna_dnas._torch_scope import private_generator
from optuna_dnas.objectives.training._config import TrainingConfig
from optuna_dnas.objectives.training._data import TrainingData
from optuna_dnas.objectives.training._device import cudnn_settings
from optuna_dnas.objectives.training._device import memory_layout
from optuna_dnas.objectives.training._device import mixed_dtype
from optuna_dnas.objectives.training._device import run_on_device
from optuna_dnas.objectives.training._network import CellNetwork
from optuna_dnas.objectives.training._network import initialise
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NetworkShape


EpochCallback = Callable[[int, list[float]], None]
"""Is told an epoch, counted from 1, and the R validation accuracies after it."""

_EVALUATION_BATCH = 500


class DivergedError(ArithmeticError):
    """What a network computes is no longer finite; the message says what, and where."""


@dataclass(frozen=True)
class Accuracies:
    """What a network achieves at some moment.

    Args:
        train_accuracy: Between 0 and 1, on the images that it was trained on.
        validation_accuracy: Between 0 and 1.
        test_accuracy: Between 0 and 1.
        training_time: Seconds of training up to then without the evaluations; of several seeds in
            one pass, the share of one.
    """

    train_accuracy: float
    validation_accuracy: float
    test_accuracy: float
    training_time: float


@dataclass(frozen=True)
class TrainingResult:
    """A finished training with one seed.

    Args:
        seed: The seed.
        halfway: After half of the epochs.
        final: At the end.
        validation_accuracies: By epoch, counted from 1, of the epochs that were validated.
    """

    seed: int
    halfway: Accuracies
    final: Accuracies
    validation_accuracies: dict[int, float]


def train(
    spec: ModelSpec,
    data: TrainingData,
    config: TrainingConfig,
    *,
    seeds: Sequence[int] = (0,),
    device: str = "cpu",
    n_threads: int = 1,
    on_epoch: EpochCallback | None = None,
) -> list[TrainingResult]:
    """Train the network of a cell once for every seed.

    A seed decides initial weights and order of the images. Equal arguments give equal results to
    the last bit on a CPU of the same kind with the same PyTorch; a seed alone and the same seed
    among others agree but for the rounding of sums.

    Args:
        spec: The cell.
        data: What to train on.
        config: How to train.
        seeds: One or more different seeds.
        device: ``"cpu"``, ``"mps"``, or ``"cuda"`` with mixed precision.
        n_threads: CPU threads. A process must not fork once it has trained on several.
        on_epoch: Called after every validation; what it raises ends the training.

    Raises:
        DivergedError: The loss, or a logit, became infinite or NaN.
        InsufficientMemoryError: The device has not enough memory.
        ValueError: An argument is not what it should be; the message names it.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"`seeds` must be different integers, at least one, but got {seeds}.")

    def run(target: torch.device) -> list[TrainingResult]:
        with cudnn_settings(target, deterministic=True):
            return _Training(spec, data, config, seeds, target).run(on_epoch)

    return run_on_device(run, "The training", device=device, n_threads=n_threads)


def network_shape(data: TrainingData, config: TrainingConfig) -> NetworkShape:
    """The network that :func:`train` builds around a cell.

    Raises:
        ValueError: The images are not square.
    """
    _, image_channels, height, width = data.train_images.shape
    if height != width:
        raise ValueError(
            f"`train_images` must be square, (N, C, H, W) with H = W, but got {height} x {width} "
            f"pixels of {image_channels} channels."
        )
    return NetworkShape(
        stem_channels=config.stem_channels,
        n_stacks=config.n_stacks,
        n_modules=config.n_modules,
        image_size=height,
        image_channels=image_channels,
        n_classes=data.n_classes,
    )


class _Training:
    """The state of one call of :func:`train`."""

    def __init__(
        self,
        spec: ModelSpec,
        data: TrainingData,
        config: TrainingConfig,
        seeds: Sequence[int],
        device: torch.device,
    ) -> None:
        self._config, self._seeds, self._device = config, tuple(seeds), device
        self._generators = [private_generator(seed) for seed in seeds]
        network = CellNetwork(
            spec,
            network_shape(data, config),
            n_replicas=len(seeds),
            batch_norm_momentum=config.batch_norm_momentum,
        )
        self._layout = memory_layout(device)
        initialise(network, self._generators)
        self._network = network.to(device).to(memory_format=self._layout)  # type: ignore[call-overload]
        self._parts = {
            name: tuple(tensor.to(device) for tensor in data.part(name))
            for name in ("train", "validation", "test")
        }
        self._optimizer = config.build_optimizer(self._network)
        self._scaler = torch.amp.GradScaler(
            device.type, enabled=mixed_dtype(device) == torch.float16
        )
        self._seconds = 0.0

    def run(self, on_epoch: EpochCallback | None) -> list[TrainingResult]:
        config = self._config
        curve: dict[int, list[float]] = {}
        stops: dict[int, list[Accuracies]] = {}
        for epoch in range(1, config.epochs + 1):
            start = time.perf_counter()
            losses = self._run_epoch(epoch)
            self._seconds += time.perf_counter() - start
            self._check_finite(losses, epoch)
            if not config.is_validated(epoch):
                continue
            curve[epoch] = self._accuracies("validation", epoch)
            if epoch in (config.halfway, config.epochs):
                stops[epoch] = self._measure(curve[epoch], epoch)
            if on_epoch is not None:
                on_epoch(epoch, curve[epoch])
        return [
            TrainingResult(
                seed,
                halfway=stops[config.halfway][r],
                final=stops[config.epochs][r],
                validation_accuracies={epoch: values[r] for epoch, values in curve.items()},
            )
            for r, seed in enumerate(self._seeds)
        ]

    def _run_epoch(self, epoch: int) -> list[float]:
        """The mean loss of each replica, R."""
        self._network.train()
        images, labels = self._parts["train"]
        batch_size = min(self._config.batch_size, len(images))
        n_steps = len(images) // batch_size
        orders = [torch.randperm(len(images), generator=g) for g in self._generators]
        order = torch.stack(orders).to(self._device)  # (R, N)
        total = torch.zeros(len(self._seeds), dtype=torch.float32, device=self._device)
        for step in range(n_steps):
            rows = order[:, step * batch_size : (step + 1) * batch_size]  # (R, B)
            rate = self._config.learning_rate_at(
                (epoch - 1 + step / n_steps) / self._config.epochs
            )
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            total += self._step(images[rows], labels[rows])
        return cast(list[float], (total / n_steps).tolist())

    def _step(
        self,
        images: torch.Tensor,  # (R, B, C, H, W)
        labels: torch.Tensor,  # (R, B)
    ) -> torch.Tensor:
        """One step of the optimizer; the loss of each replica, (R,)."""
        self._optimizer.zero_grad()
        logits = self._forward(images)  # (R, B, K)
        losses = F.cross_entropy(
            logits.flatten(0, 1).float(),
            labels.flatten(),
            reduction="none",
            label_smoothing=self._config.label_smoothing,
        )
        losses = losses.view_as(labels).mean(dim=1)  # (R,)
        # Replicas share no weight: the gradient of the sum is that of each.
        torch.autograd.backward(self._scaler.scale(losses.sum()))
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return losses.detach()

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        """(R, B, C, H, W) -> (R, B, K)."""
        wide = images.transpose(0, 1).flatten(1, 2)  # (B, R * C, H, W)
        wide = wide.contiguous(memory_format=self._layout)
        dtype = mixed_dtype(self._device)
        with nullcontext() if dtype is None else torch.autocast(self._device.type, dtype):
            logits: torch.Tensor = self._network(wide)
        return logits

    @torch.no_grad()
    def _accuracies(self, part: str, epoch: int) -> list[float]:
        """Share of images that are classified correctly, R."""
        self._network.eval()
        images, labels = self._parts[part]
        n_correct = torch.zeros(len(self._seeds), dtype=torch.int64, device=self._device)
        for start in range(0, len(images), _EVALUATION_BATCH):
            batch = images[start : start + _EVALUATION_BATCH]
            truth = labels[start : start + _EVALUATION_BATCH]
            logits = self._forward(batch.expand(len(self._seeds), *batch.shape))
            if not logits.isfinite().all():
                # A loss is of the weights before its step: it does not see what the last one does.
                raise DivergedError(f"Logits are infinite or NaN in epoch {epoch}.")
            n_correct += (logits.argmax(dim=2) == truth).sum(dim=1)
        return [n / len(images) for n in n_correct.tolist()]

    def _measure(self, validation: list[float], epoch: int) -> list[Accuracies]:
        seconds = self._seconds / len(self._seeds)
        return [
            Accuracies(*accuracies, training_time=seconds)
            for accuracies in zip(
                self._accuracies("train", epoch),
                validation,
                self._accuracies("test", epoch),
                strict=True,
            )
        ]

    def _check_finite(self, losses: list[float], epoch: int) -> None:
        for seed, loss in zip(self._seeds, losses, strict=True):
            if not abs(loss) < float("inf"):
                raise DivergedError(f"The loss is {loss} in epoch {epoch} with seed {seed}.")
