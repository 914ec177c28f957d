"""Training supernets and single networks, with checkpoints.

S: steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from optuna_dnas.objectives.supernet._checkpoint import Checkpoint
from optuna_dnas.objectives.supernet._checkpoint import values_read
from optuna_dnas.objectives.supernet._config import RetrainConfig
from optuna_dnas.objectives.supernet._config import SupernetConfig
from optuna_dnas.objectives.supernet._engine import Arguments
from optuna_dnas.objectives.supernet._evaluation import Accuracy
from optuna_dnas.objectives.supernet._job import Job
from optuna_dnas.objectives.supernet._network import MobileNetwork
from optuna_dnas.objectives.supernet._network import Supernet
from optuna_dnas.objectives.supernet._paths import paths_of_step
from optuna_dnas.objectives.supernet.data import ImageData
from optuna_dnas.objectives.training import check_standardisation
from optuna_dnas.objectives.training import Standardisation
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpec


_SUPERNET, _NETWORK = "supernet", "network"


@dataclass(frozen=True, eq=False, kw_only=True)
class _Trained:
    """What has come of a training."""

    shape: MobileNetShape
    network: nn.Module
    losses: torch.Tensor
    data_digest: str
    images_per_second: float = 0.0

    def digest(self) -> str:
        """16 hexadecimal digits that differ if any weight does."""
        digest = hashlib.sha256()
        for name, tensor in self.network.state_dict().items():
            digest.update(name.encode() + tensor.numpy().tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedSupernet(_Trained):
    """A supernet, and what it was trained on.

    Args:
        shape: Of its networks.
        config: How it was trained.
        network: On the CPU, in evaluation mode; the moving average, if there is one.
        step: Steps that were done.
        losses: (S,) mean loss of each step, NaN of those not done.
        data_digest: Of the images.
        images_per_second: Of the run that ended it, in training; 0 if it was loaded.
    """

    config: SupernetConfig
    network: Supernet
    step: int

    @classmethod
    def load(cls, path: str | Path) -> "TrainedSupernet":
        """Read a checkpoint.

        Raises:
            CorruptFileError: It is no checkpoint of a supernet.
            OSError: It cannot be read.
        """
        checkpoint = Checkpoint.load(Path(path), _SUPERNET)
        state = checkpoint.state
        with values_read(Path(path)):
            shape = MobileNetShape.from_dict(state["shape"])
            network = Supernet.build(shape)
            _load_weights(network, checkpoint)
            return cls(
                shape=shape,
                config=SupernetConfig.from_dict(state["config"]),
                network=network,
                step=int(state["step"]),
                losses=checkpoint.tensors["losses"],
                data_digest=str(state["data"]),
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class RetrainedNetwork(_Trained):
    """A network that was trained from scratch.

    Args:
        shape: Of the space.
        spec: The architecture.
        config: How it was trained.
        network: On the CPU, in evaluation mode; the moving average, if there is one.
        epoch: Epochs that were done.
        accuracies: At the end, of "validation" and "test".
        validations: By epoch, counted from 1.
        losses: (S,) mean loss of each step, NaN of those not done.
        data_digest: Of the images.
        standardisation: How the images were made of pixels; `None`: nobody knows. Who does can
            tell it by `dataclasses.replace`.
        images_per_second: Of the run that ended it, in training; 0 if it was loaded.

    Raises:
        ValueError: The standardisation is for other channels.
    """

    spec: MobileNetSpec
    config: RetrainConfig
    network: MobileNetwork
    epoch: int
    accuracies: dict[str, Accuracy]
    validations: dict[int, Accuracy]
    standardisation: Standardisation | None

    def __post_init__(self) -> None:
        check_standardisation(self.standardisation, self.shape.image_channels)

    @classmethod
    def load(cls, path: str | Path) -> "RetrainedNetwork":
        """Read a checkpoint; without its accuracies, the training has not ended.

        Raises:
            CorruptFileError: It is no checkpoint of a network.
            OSError: It cannot be read.
        """
        checkpoint = Checkpoint.load(Path(path), _NETWORK)
        state = checkpoint.state
        with values_read(Path(path)):
            shape = MobileNetShape.from_dict(state["shape"])
            spec = MobileNetSpec.parse(state["spec"])
            network = MobileNetwork.build(shape, spec)
            _load_weights(network, checkpoint)
            return cls(
                shape=shape,
                spec=spec,
                config=RetrainConfig.from_dict(state["config"]),
                network=network,
                epoch=int(state["epoch"]),
                accuracies={part: Accuracy(*v) for part, v in state["accuracies"].items()},
                validations={int(n): Accuracy(*v) for n, v in state["validations"].items()},
                losses=checkpoint.tensors["losses"],
                data_digest=str(state["data"]),
                standardisation=_standardisation(state["standardisation"]),
            )


def train_supernet(
    shape: MobileNetShape,
    data: ImageData,
    config: SupernetConfig,
    output: str | Path,
    *,
    device: str = "cpu",
    n_threads: int = 1,
    progress: bool = True,
) -> TrainedSupernet:
    """Train the supernet of a shape, or go on with what ``output`` holds.

    What is interrupted and started again gives the same weights as what was not, to the last bit
    on a CPU. Several processes share each step: those of ``accelerate launch`` have a GPU each; on
    CPUs they are started by ``torchrun``.

    Args:
        shape: Of the networks.
        data: What to train on.
        config: How to train.
        output: The checkpoint.
        device: ``"cpu"``, ``"mps"``, or ``"cuda"``.
        n_threads: CPU threads of a process.
        progress: Whether to show a bar; where there is no terminal, lines.

    Raises:
        CorruptFileError: ``output`` is something else.
        DivergedError: The loss became infinite or NaN.
        ImportError: accelerate is not installed.
        InsufficientMemoryError: The device has not enough memory.
        OSError: The checkpoint cannot be written; the one before it is kept.
        ValueError: An argument is not what it should be, or ``output`` is of another training;
            the message names it.
    """

    def arguments_of(step: int) -> Arguments:
        paths = paths_of_step(
            shape,
            sampling=config.sampling,
            n_random=config.n_random,
            seed=config.seed,
            step=step,
        )
        return [(path,) for path in paths]

    job = Job(
        kind=_SUPERNET,
        shape=shape,
        build=lambda: Supernet.build(shape, dropout=config.dropout),
        data=data,
        config=config,
        n_steps=config.steps,
        arguments_of=arguments_of,
        path=Path(output),
    )
    rate = job.run(device=device, n_threads=n_threads, progress=progress)
    return replace(TrainedSupernet.load(output), images_per_second=rate)


def retrain(
    shape: MobileNetShape,
    spec: MobileNetSpec,
    data: ImageData,
    config: RetrainConfig,
    output: str | Path,
    *,
    device: str = "cpu",
    n_threads: int = 1,
    progress: bool = True,
) -> RetrainedNetwork:
    """Train one architecture from scratch, or go on with what ``output`` holds.

    The test part is used once, at the end. Resuming, several processes and errors are as of
    :func:`train_supernet`.

    Args:
        shape: Of the space.
        spec: The architecture.
        data: What to train on.
        config: How to train.
        output: The checkpoint.
        device: ``"cpu"``, ``"mps"``, or ``"cuda"``.
        n_threads: CPU threads of a process.
        progress: Whether to show a bar; where there is no terminal, lines.
    """
    epoch_steps = max(1, data.n_images("train") // config.batch_size)
    job = Job(
        kind=_NETWORK,
        shape=shape,
        spec=spec,
        build=lambda: MobileNetwork.build(shape, spec, dropout=config.dropout),
        data=data,
        config=config,
        n_steps=config.epochs * epoch_steps,
        arguments_of=lambda step: [()],
        path=Path(output),
        epoch_steps=epoch_steps,
        validation_interval=config.validation_interval,
    )
    rate = job.run(device=device, n_threads=n_threads, progress=progress)
    return replace(RetrainedNetwork.load(output), images_per_second=rate)


def _standardisation(values: Mapping[str, Any] | None) -> Standardisation | None:
    return None if values is None else Standardisation.from_dict(values)


def _load_weights(network: nn.Module, checkpoint: Checkpoint) -> None:
    """The moving average, if there is one."""
    weights = checkpoint.part("average.module") or checkpoint.part("network")
    network.load_state_dict(weights, assign=True)
    network.eval().requires_grad_(False)
