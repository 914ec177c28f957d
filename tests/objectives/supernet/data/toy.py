"""Small images whose pixels say which they are."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from optuna_dnas.objectives.supernet.data import Batch
from optuna_dnas.objectives.supernet.data import ImageData
from optuna_dnas.objectives.supernet.data import IndexBatch
from optuna_dnas.objectives.training import TrainingData


CPU = torch.device("cpu")


def noise(n: int, seed: int, *, size: int = 8, n_classes: int = 3) -> tuple[Any, Any]:
    """(n, 2, size, size) images of all different pixels, and (n,) labels."""
    rng = np.random.default_rng(seed)
    return rng.random((n, 2, size, size), dtype=np.float32), np.arange(n) % n_classes


def toy_data(**options: Any) -> TrainingData:
    return TrainingData.from_arrays(noise(40, 0), noise(12, 1), **options)


def train_batches(
    data: ImageData, batches: Iterable[tuple[int, Any]], *, seed: int = 0
) -> list[Batch]:
    wanted = (IndexBatch(epoch, list(indices)) for epoch, indices in batches)
    return list(data.train_batches(wanted, seed=seed, device=CPU))


def whole(data: ImageData, part: str, **options: Any) -> Batch:
    """All batches of a part in one."""
    batches = list(data.batches(part, **({"batch_size": 7, "device": CPU} | options)))
    images, labels = zip(*batches, strict=True)
    return Batch(torch.cat(images), torch.cat(labels))


class Listed(Dataset[Any]):
    """Images and labels in a list; no label is known before it is read."""

    def __init__(self, images: Any, labels: Any) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Any:
        return self.images[index], self.labels[index]
