"""What all images have in common.

B: images of a batch, N: images of a part, C: channels, H and W: pixels, K: classes.
"""

import abc
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from functools import lru_cache
import os
from typing import NamedTuple

import numpy as np
import torch

from optuna_dnas._typing import IntArray
from optuna_dnas.objectives.training import check_standardisation
from optuna_dnas.objectives.training import InsufficientMemoryError
from optuna_dnas.objectives.training import Standardisation


PARTS = ("train", "validation", "test")

_MIN_IMAGE_SIZE = 8


class IndexBatch(NamedTuple):
    """Which images a step of training sees."""

    epoch: int  # decides how they are augmented
    indices: Sequence[int]  # (B,), of the training part


class Batch(NamedTuple):
    """Images and their classes, on one device."""

    images: torch.Tensor  # (B, C, H, W) float32
    labels: torch.Tensor  # (B,) int64


class ImageData(abc.ABC):
    """Labelled square images in three parts: "train", "validation" and "test".

    Args:
        n_classes: K.
        image_channels: C.
        image_size: H and W.
        name: Of the images, for messages.
        standardisation: How images are made of pixels; `None`: nobody knows.

    Raises:
        ValueError: Images of this size are too small for a mobile network, or the standardisation
            is for other channels.
    """

    def __init__(
        self,
        *,
        n_classes: int,
        image_channels: int,
        image_size: int,
        name: str,
        standardisation: Standardisation | None = None,
    ) -> None:
        if image_size < _MIN_IMAGE_SIZE:
            raise ValueError(
                f"{name}: images must be of at least {_MIN_IMAGE_SIZE} x {_MIN_IMAGE_SIZE} "
                f"pixels, but got {image_size} x {image_size}."
            )
        check_standardisation(standardisation, image_channels)
        self.n_classes = n_classes
        self.image_channels = image_channels
        self.image_size = image_size
        self.standardisation = standardisation

    @abc.abstractmethod
    def n_images(self, part: str) -> int:
        """N."""

    @abc.abstractmethod
    def train_batches(
        self, batches: Iterable[IndexBatch], *, seed: int, device: torch.device
    ) -> Iterator[Batch]:
        """Training images, augmented.

        Args:
            batches: Which, in this order; they are asked for a little ahead of their use.
            seed: How an image is augmented is a function of it, the epoch and the index: the same
                whatever else was asked for before.
            device: Where the tensors are to be.

        Raises:
            ValueError: An image cannot be read; the message says which.
        """

    @abc.abstractmethod
    def batches(
        self, part: str, *, batch_size: int, device: torch.device, n_images: int | None = None
    ) -> Iterator[Batch]:
        """Images as they are, always in the same order.

        That of the training part, and of less than all of a part, is random: classes mix.

        Args:
            part: "train", "validation" or "test".
            batch_size: The last batch may be smaller.
            device: Where the tensors are to be.
            n_images: At most so many; `None`: all.

        Raises:
            ValueError: An image cannot be read; the message says which.
        """

    @abc.abstractmethod
    def digest(self) -> str:
        """16 hexadecimal digits that differ if images, labels, parts or augmentation do."""


def check_part(part: str) -> None:
    """Raise `ValueError` if there is no such part."""
    if part not in PARTS:
        raise ValueError(f"`part` must be of {PARTS}, but got {part!r}.")


def check_memory(n_images: int, n_channels: int, size: int) -> None:
    """Raise `InsufficientMemoryError` if the machine cannot hold so many images in float32.

    Systems grant memory that they do not have, and end the process that uses it.
    """
    if not hasattr(os, "sysconf"):
        return
    needed = 4 * n_images * n_channels * size**2
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise InsufficientMemoryError(
            f"{n_images:,} image{'s' * (n_images > 1)} of {size:,} x {size:,} pixels need "
            f"{needed / 1e9:,.0f} GB of memory, but the machine has {memory / 1e9:,.0f}."
        )


def index_batches(part: str, n: int, *, batch_size: int, n_images: int | None) -> list[IntArray]:
    """The indices of each batch of :meth:`ImageData.batches`; ``n`` is N."""
    for name, value in {"batch_size": batch_size, "n_images": n_images}.items():
        if value is not None and value < 1:
            raise ValueError(f"`{name}` must be positive, but got {value}.")
    n_taken = n if n_images is None else min(n, n_images)
    is_mixed = part == "train" or n_taken < n
    order = _permutation(n)[:n_taken] if is_mixed else np.arange(n)
    return [order[start : start + batch_size] for start in range(0, n_taken, batch_size)]


@lru_cache(maxsize=4)
def _permutation(n: int) -> IntArray:
    return np.random.default_rng(0).permutation(n)
