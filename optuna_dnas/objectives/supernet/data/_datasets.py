"""Images of any dataset, read when they are needed.

B: images of a batch, N: images of a part, C: channels, H and W: pixels, K: classes.
"""

from collections.abc import Iterable
from collections.abc import Iterator
import hashlib
from typing import Any
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from optuna_dnas._typing import IntArray
from optuna_dnas.objectives.supernet.data._augmentation import image_seeds
from optuna_dnas.objectives.supernet.data._base import Batch
from optuna_dnas.objectives.supernet.data._base import check_part
from optuna_dnas.objectives.supernet.data._base import ImageData
from optuna_dnas.objectives.supernet.data._base import index_batches
from optuna_dnas.objectives.supernet.data._base import IndexBatch
from optuna_dnas.objectives.supernet.data._base import PARTS
from optuna_dnas.objectives.supernet.data._reader import as_tensor
from optuna_dnas.objectives.supernet.data._reader import Examples
from optuna_dnas.objectives.supernet.data._reader import file_names
from optuna_dnas.objectives.supernet.data._reader import Key
from optuna_dnas.objectives.supernet.data._reader import load
from optuna_dnas.objectives.supernet.data._reader import read_labels
from optuna_dnas.objectives.supernet.data._reader import Transform
from optuna_dnas.objectives.training import Standardisation
from optuna_dnas.objectives.training._data import check_labels
from optuna_dnas.objectives.training._data import stratified_parts
from optuna_dnas.objectives.training._data import validation_size


_CPU = torch.device("cpu")
_N_DIGEST_IMAGES = 16


class _Part(NamedTuple):
    dataset: Dataset[Any]
    rows: IntArray  # (N,), of the dataset
    labels: IntArray  # (N,)


class DatasetImages(ImageData):
    """Images of datasets, which are read and augmented by worker processes while a network trains.

    A dataset has a length and gives (image, label). Its labels are those of its attribute
    ``targets``, as torchvision's have it; without one, it is read once to learn them.

    Transforms may draw from the global generators of PyTorch, NumPy and ``random``: these are
    seeded for each image, and left as they were.

    Args:
        train: To train on.
        test: To judge what has been chosen.
        validation: To choose by; `None` takes it from ``train``, stratified by class.
        validation_fraction: Its share of ``train``, if ``validation`` is `None`.
        transform: Makes a float32 tensor (C, H, W) of an image, square and the same size for all.
            The default takes tensors and arrays of (H, W) or (C, H, W) as they are.
        train_transform: Likewise, with augmentation; `None`: ``transform``.
        standardisation: What ``train`` and ``transform`` do to pixels, for those who use the
            network: it is not done here. `None`: nobody knows.
        n_classes: K; `None` is one more than the largest label of ``train``.
        seed: Decides which images of ``train`` become the validation part.
        n_workers: Processes that read; 0: the calling one does. It has no influence on what comes.
        name: Of the images, for messages.

    Raises:
        ValueError: An argument is not what it should be, or an image cannot be read, of the few
            that are looked at for :meth:`digest`.
    """

    def __init__(
        self,
        train: Dataset[Any],
        test: Dataset[Any],
        *,
        validation: Dataset[Any] | None = None,
        validation_fraction: float = 0.1,
        transform: Transform = as_tensor,
        train_transform: Transform | None = None,
        standardisation: Standardisation | None = None,
        n_classes: int | None = None,
        seed: int = 0,
        n_workers: int = 0,
        name: str = "`train`",
    ) -> None:
        if n_workers < 0:
            raise ValueError(f"`n_workers` must not be negative, but got {n_workers}.")
        given = {"train": train, "test": test}
        if validation is not None:
            given["validation"] = validation
        parts = {part: _whole(part, dataset) for part, dataset in given.items()}
        if n_classes is None:
            n_classes = int(parts["train"].labels.max()) + 1
        if n_classes < 2:
            raise ValueError(f"`n_classes` must be at least 2, but got {n_classes}.")
        for part, (_, _, labels) in parts.items():
            check_labels(f"{part}_labels", torch.from_numpy(labels), len(labels), n_classes)
        if validation is None:
            parts |= _split(parts["train"], validation_fraction, seed)
        self._parts, self._n_workers = parts, n_workers
        self._transform = transform
        self._train_transform = transform if train_transform is None else train_transform
        channels, size = _first_shape(parts["train"], transform, name)
        super().__init__(
            n_classes=n_classes,
            image_channels=channels,
            image_size=size,
            name=name,
            standardisation=standardisation,
        )
        # Not later: an image that cannot be read should be known before a training, not after.
        self._digest = self._compute_digest()

    def n_images(self, part: str) -> int:
        """N."""
        check_part(part)
        return len(self._parts[part].rows)

    def train_batches(
        self, batches: Iterable[IndexBatch], *, seed: int, device: torch.device
    ) -> Iterator[Batch]:
        """Training images, augmented by the workers."""
        keys = (
            self._keys("train", np.asarray(indices, dtype=np.int64), seed=seed, epoch=epoch)
            for epoch, indices in batches
        )
        return self._load("train", self._train_transform, keys, device)

    def batches(
        self, part: str, *, batch_size: int, device: torch.device, n_images: int | None = None
    ) -> Iterator[Batch]:
        """Images as they are, always in the same order."""
        order = index_batches(part, self.n_images(part), batch_size=batch_size, n_images=n_images)
        keys = [self._keys(part, indices) for indices in order]
        return self._load(part, self._transform, keys, device)

    def digest(self) -> str:
        """16 hexadecimal digits that differ if labels, parts, names of files or pixels do.

        Of pixels, those of a few images of each part count, as they are and augmented.
        """
        return self._digest

    def _compute_digest(self) -> str:
        digest = hashlib.sha256(str(self.n_classes).encode())
        for part in PARTS:
            dataset, rows, labels = self._parts[part]
            digest.update(rows.astype("<i8").tobytes() + labels.astype("<i8").tobytes())
            digest.update("\n".join(file_names(dataset)).encode())
            spread = np.unique(np.linspace(0, len(rows) - 1, _N_DIGEST_IMAGES).astype(np.int64))
            for transform in (self._transform, self._train_transform):
                keys = self._keys(part, spread)
                (batch,) = self._load(part, transform, [keys], _CPU, n_workers=0)
                digest.update(batch.images.numpy().tobytes())
        return digest.hexdigest()[:16]

    def _keys(self, part: str, indices: IntArray, *, seed: int = 0, epoch: int = 0) -> list[Key]:
        rows = self._parts[part].rows[indices]
        words = image_seeds(seed, epoch, indices)
        return [Key(int(row), int(word)) for row, word in zip(rows, words, strict=True)]

    def _load(
        self,
        part: str,
        transform: Transform,
        batches: Iterable[list[Key]],
        device: torch.device,
        *,
        n_workers: int | None = None,
    ) -> Iterator[Batch]:
        shape = (self.image_channels, self.image_size, self.image_size)
        examples = Examples(self._parts[part].dataset, transform, shape, part)
        n_workers = self._n_workers if n_workers is None else n_workers
        return load(examples, batches, n_workers=n_workers, device=device)


def _whole(part: str, dataset: Dataset[Any]) -> _Part:
    labels = read_labels(part, dataset)
    return _Part(dataset, np.arange(len(labels)), labels)


def _split(train: _Part, fraction: float, seed: int) -> dict[str, _Part]:
    n = len(train.labels)
    n_validation = validation_size(n, fraction)
    held_out, kept = stratified_parts(train.labels, [n_validation, n - n_validation], seed)
    return {
        "train": _Part(train.dataset, kept, train.labels[kept]),
        "validation": _Part(train.dataset, held_out, train.labels[held_out]),
    }


def _first_shape(train: _Part, transform: Transform, name: str) -> tuple[int, int]:
    """C, and H = W, of the first image."""
    examples = Examples(train.dataset, transform, None, "train")
    (batch,) = load(examples, [[Key(int(train.rows[0]), 0)]], n_workers=0, device=_CPU)
    _, channels, height, width = batch.images.shape
    if height != width:
        raise ValueError(
            f"{name}: images must be square, (C, H, W) with H = W, but got {channels} channels of "
            f"{height} x {width} pixels."
        )
    return channels, height
