"""Images that are held in memory."""

from collections.abc import Iterable
from collections.abc import Iterator
import hashlib

import numpy as np
import torch

from optuna_dnas.objectives.supernet.data._augmentation import Augmentation
from optuna_dnas.objectives.supernet.data._base import Batch
from optuna_dnas.objectives.supernet.data._base import check_part
from optuna_dnas.objectives.supernet.data._base import ImageData
from optuna_dnas.objectives.supernet.data._base import index_batches
from optuna_dnas.objectives.supernet.data._base import IndexBatch
from optuna_dnas.objectives.training import TrainingData


class TensorImages(ImageData):
    """Images in memory, which move to the device of their first use and stay there.

    Args:
        data: The images and labels.
        augmentation: Of training images; `None`: they stay as they are.
        name: Of the images, for messages.

    Raises:
        ValueError: The images are not square, or too small.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        augmentation: Augmentation | None = None,
        name: str = "`data`",
    ) -> None:
        _, channels, height, width = data.train_images.shape
        if height != width:
            raise ValueError(f"{name}: images must be square, but got {height} x {width} pixels.")
        super().__init__(
            n_classes=data.n_classes,
            image_channels=channels,
            image_size=height,
            name=name,
            standardisation=data.standardisation,
        )
        self._data, self._augmentation = data, augmentation
        self._parts: dict[tuple[str, torch.device], Batch] = {}
        self._digest: str | None = None

    def n_images(self, part: str) -> int:
        """N."""
        check_part(part)
        return len(self._data.part(part)[1])

    def train_batches(
        self, batches: Iterable[IndexBatch], *, seed: int, device: torch.device
    ) -> Iterator[Batch]:
        """Training images, augmented on the device."""
        part = self._on_device("train", device)
        for epoch, indices in batches:
            rows = torch.from_numpy(np.array(indices, dtype=np.int64)).to(device)
            images = part.images[rows]
            if self._augmentation is not None:
                images = self._augmentation.apply(images, seed=seed, epoch=epoch, indices=indices)
            yield Batch(images, part.labels[rows])

    def batches(
        self, part: str, *, batch_size: int, device: torch.device, n_images: int | None = None
    ) -> Iterator[Batch]:
        """Images as they are, always in the same order."""
        order = index_batches(part, self.n_images(part), batch_size=batch_size, n_images=n_images)
        images, labels = self._on_device(part, device)
        for indices in order:
            rows = torch.from_numpy(indices).to(device)
            yield Batch(images[rows], labels[rows])

    def digest(self) -> str:
        """16 hexadecimal digits that differ if images, labels, parts or augmentation do."""
        if self._digest is None:
            text = f"{self._data.digest()} {self._augmentation}"
            self._digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self._digest

    def _on_device(self, part: str, device: torch.device) -> Batch:
        key = part, device
        if key not in self._parts:
            images, labels = self._data.part(part)
            self._parts[key] = Batch(images.to(device), labels.to(device))
        return self._parts[key]
