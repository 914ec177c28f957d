"""Supernets of few small networks, on few small images."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from optuna_dnas._torch_scope import private_generator
from optuna_dnas.objectives.supernet import retrain
from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.objectives.supernet import RetrainedNetwork
from optuna_dnas.objectives.supernet import Supernet
from optuna_dnas.objectives.supernet import SupernetConfig
from optuna_dnas.objectives.supernet import TensorImages
from optuna_dnas.objectives.supernet import train_supernet
from optuna_dnas.objectives.supernet import TrainedSupernet
from optuna_dnas.objectives.supernet._checkpoint import Checkpoint
from optuna_dnas.objectives.supernet._network import initialise
from optuna_dnas.objectives.supernet.data import Batch
from optuna_dnas.objectives.supernet.data import IndexBatch
from optuna_dnas.objectives.supernet.data._augmentation import Augmentation
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec
from optuna_dnas.search_space import Stage

from .data.toy import toy_data


CPU = torch.device("cpu")

SHAPE = MobileNetShape(
    stages=(Stage(8, 2, 1), Stage(16, 3, 2)),
    kernels=(3, 5),
    expansions=(1, 3),
    stem_channels=8,
    stem_stride=1,
    first_channels=8,
    head_channels=16,
    image_size=8,
    image_channels=2,
    n_classes=3,
)
SPEC = MobileNetSpec.parse("k3e3 k5e1 k5e3 skip k3e1")
OTHER_SPEC = MobileNetSpec.parse("k5e3 skip k3e3 k3e3 skip")
BRIEF = SupernetConfig(
    steps=7, batch_size=8, checkpoint_interval=3, learning_rate=0.05, dropout=0.2, ema_decay=0.5
)
BRIEF_RETRAIN = RetrainConfig(
    epochs=2, batch_size=8, checkpoint_interval=3, learning_rate=0.05, dropout=0.2, ema_decay=0.5
)

MANY_STEPS = replace(BRIEF, checkpoint_interval=2, sampling="sandwich", n_random=1)
MANY_EPOCHS = replace(BRIEF_RETRAIN, checkpoint_interval=1)
"""Of as many steps as a test wants."""


def images_in_memory(**options: Any) -> TensorImages:
    """32 images to train on, 8 for validation, 12 for the test."""
    augmentation = Augmentation(max_shift=1, flip=True)
    return TensorImages(toy_data(**options), augmentation=augmentation)


def supernet(seed: int = 0, shape: MobileNetShape = SHAPE) -> Supernet:
    network = Supernet.build(shape)
    initialise(network, private_generator(seed))
    return network


def sample_specs(n: int, seed: int = 0, shape: MobileNetShape = SHAPE) -> list[MobileNetSpec]:
    return MobileNetSpace(shape).sample(np.random.default_rng(seed), n)


def random_images(n: int, seed: int = 0, shape: MobileNetShape = SHAPE) -> torch.Tensor:
    size = (n, shape.image_channels, shape.image_size, shape.image_size)
    return torch.randn(size, generator=private_generator(seed))


def random_batches(*sizes: int, seed: int = 0) -> list[Batch]:
    return [
        Batch(random_images(n, seed + k), torch.arange(n) % SHAPE.n_classes)
        for k, n in enumerate(sizes)
    ]


class WatchedImages(TensorImages):
    """Calls a function before each batch of training images."""

    def __init__(self, before_batch: Callable[[], None], **options: Any) -> None:
        super().__init__(toy_data(**options), augmentation=Augmentation(max_shift=1, flip=True))
        self._before_batch = before_batch
        self.parts: list[str] = []

    def train_batches(
        self, batches: Iterable[IndexBatch], *, seed: int, device: torch.device
    ) -> Iterator[Batch]:
        for batch in super().train_batches(batches, seed=seed, device=device):
            self._before_batch()
            yield batch

    def batches(self, part: str, **options: Any) -> Iterator[Batch]:
        """As they are; the part is noted."""
        self.parts.append(part)
        return super().batches(part, **options)


def same_content(one: Path, other: Path, kind: str) -> bool:
    """Whether all tensors are equal to the last bit, and all else is too."""
    a, b = Checkpoint.load(one, kind), Checkpoint.load(other, kind)
    return (
        a.state == b.state
        and a.tensors.keys() == b.tensors.keys()
        and all(torch.equal(tensor, b.tensors[name]) for name, tensor in a.tensors.items())
    )


def fit(output: Path, config: SupernetConfig = BRIEF, **options: Any) -> TrainedSupernet:
    arguments = {"shape": SHAPE, "data": images_in_memory(), "progress": False} | options
    return train_supernet(config=config, output=output, **arguments)


def fit_one(output: Path, config: RetrainConfig = BRIEF_RETRAIN, **opts: Any) -> RetrainedNetwork:
    arguments = {"shape": SHAPE, "data": images_in_memory(), "progress": False} | opts
    return retrain(spec=SPEC, config=config, output=output, **arguments)
