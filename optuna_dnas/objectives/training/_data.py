"""Images and labels in three parts: training, validation, test.

N: examples of a part, C: channels, H and W: pixels, K: classes.
"""

from collections.abc import Sequence
from collections.abc import Sized
from dataclasses import dataclass
import hashlib
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from optuna_dnas._typing import IntArray
from optuna_dnas.objectives.training._standardisation import check_standardisation
from optuna_dnas.objectives.training._standardisation import Standardisation


Arrays = tuple[Any, Any]
"""Images (N, H, W) or (N, C, H, W) and labels (N,), of NumPy or PyTorch."""

_PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingData:
    """What a network is trained on, and judged by. All tensors are on the CPU.

    Args:
        train_images: (N, C, H, W) float32, at least two.
        train_labels: (N,) int64, from 0 to ``n_classes`` - 1.
        validation_images: (N', C, H, W).
        validation_labels: (N',).
        test_images: (N'', C, H, W).
        test_labels: (N'',).
        n_classes: K.
        standardisation: How the images were made of pixels; `None`: nobody knows.

    Raises:
        ValueError: The parts do not fit together; the message names the argument.
    """

    train_images: torch.Tensor
    train_labels: torch.Tensor
    validation_images: torch.Tensor
    validation_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor
    n_classes: int
    standardisation: Standardisation | None = None

    def __post_init__(self) -> None:
        if self.n_classes < 2:
            raise ValueError(f"`n_classes` must be at least 2, but got {self.n_classes}.")
        for part in _PARTS:
            images, labels = self.part(part)
            _check_images(f"{part}_images", images)
            check_labels(f"{part}_labels", labels, len(images), self.n_classes)
            if images.shape[1:] != self.train_images.shape[1:]:
                raise ValueError(
                    f"`{part}_images` must be of the size of `train_images`, "
                    f"{tuple(self.train_images.shape[1:])}, but got {tuple(images.shape[1:])}."
                )
        if len(self.train_images) < 2:
            raise ValueError("`train_images` must be at least 2 images, but got 1.")
        check_standardisation(self.standardisation, self.train_images.shape[1])

    @classmethod
    def from_arrays(
        cls,
        train: Arrays,
        test: Arrays,
        *,
        validation: Arrays | None = None,
        validation_fraction: float = 0.2,
        n_classes: int | None = None,
        seed: int = 0,
    ) -> "TrainingData":
        """Images and labels, standardised by mean and sd of each channel of the training part.

        Args:
            train: Images (N, H, W) or (N, C, H, W) and labels (N,).
            test: Likewise.
            validation: Likewise; `None` takes them from ``train``, stratified by class.
            validation_fraction: Their share of ``train``, if ``validation`` is `None`.
            n_classes: K; `None` is one more than the largest label of ``train``.
            seed: Decides which examples of ``train`` become the validation part.

        Raises:
            ValueError: An argument is not what it should be; the message names it.
        """
        parts = {"train": _to_tensors("train", train), "test": _to_tensors("test", test)}
        images, labels = parts["train"]
        if n_classes is None:
            n_classes = int(labels.max()) + 1
        check_labels("train_labels", labels, len(images), n_classes)
        if validation is not None:
            parts["validation"] = _to_tensors("validation", validation)
        else:
            n_validation = validation_size(len(labels), validation_fraction)
            sizes = [n_validation, len(labels) - n_validation]
            held_out, kept = map(torch.from_numpy, stratified_parts(labels.numpy(), sizes, seed))
            parts["validation"] = images[held_out], labels[held_out]
            parts["train"] = images[kept], labels[kept]
        standardisation = Standardisation.of(parts["train"][0])
        tensors: dict[str, Any] = {}
        for part, (images, labels) in parts.items():
            tensors |= {
                f"{part}_images": standardisation.apply(images),
                f"{part}_labels": labels,
            }
        return cls(**tensors, n_classes=n_classes, standardisation=standardisation)

    @classmethod
    def from_datasets(
        cls,
        train: Dataset[Any],
        test: Dataset[Any],
        *,
        validation: Dataset[Any] | None = None,
        validation_fraction: float = 0.2,
        n_classes: int | None = None,
        seed: int = 0,
    ) -> "TrainingData":
        """Datasets of (image, label), read once and held in memory; see :meth:`from_arrays`.

        An image is (H, W) or (C, H, W): the transform of a torchvision dataset should make it so.
        """
        return cls.from_arrays(
            _read("train", train),
            _read("test", test),
            validation=None if validation is None else _read("validation", validation),
            validation_fraction=validation_fraction,
            n_classes=n_classes,
            seed=seed,
        )

    @classmethod
    def digits(
        cls, seed: int = 0, *, n_train: int = 300, n_validation: int = 900
    ) -> "TrainingData":
        """The 1,797 digits of 8 x 8 pixels that scikit-learn ships, stratified by class.

        Args:
            seed: Decides which digits are in which part.
            n_train: Digits to train on.
            n_validation: Digits to validate on; what is left over is the test part.

        Raises:
            ImportError: scikit-learn is not installed.
        """
        try:
            from sklearn.datasets import load_digits
        except ImportError:
            raise ImportError(
                "The digits come with scikit-learn: pip install 'optuna-dnas[digits]'."
            ) from None
        images, labels = load_digits().images, load_digits().target
        sizes = {"n_train": n_train, "n_validation": n_validation}
        for name, size in sizes.items():
            if size < 1 or n_train + n_validation >= len(labels):
                raise ValueError(
                    f"`n_train` and `n_validation` must be positive and less than {len(labels)} "
                    f"in all, but got `{name}` = {size}."
                )
        sizes["n_test"] = len(labels) - n_train - n_validation
        train, validation, test = (
            (images[rows], labels[rows])
            for rows in stratified_parts(labels, list(sizes.values()), seed)
        )
        return cls.from_arrays(train, test, validation=validation, n_classes=10)

    def part(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, C, H, W) images and (N,) labels of "train", "validation" or "test"."""
        return getattr(self, f"{name}_images"), getattr(self, f"{name}_labels")

    def digest(self) -> str:
        """16 hexadecimal digits that differ if a part or the number of classes does."""
        digest = hashlib.sha256(str(self.n_classes).encode())
        for part in _PARTS:
            for tensor in self.part(part):
                digest.update(str(tuple(tensor.shape)).encode() + tensor.numpy().tobytes())
        return digest.hexdigest()[:16]


def stratified_parts(
    labels: IntArray,  # (N,)
    sizes: Sequence[int],  # sum N
    seed: int,
) -> list[IntArray]:
    """Disjoint parts of 0..N - 1, each with the classes in their proportions, ascending."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    quantiles = np.empty(len(labels))
    for label in np.unique(labels):
        rows = shuffled[labels[shuffled] == label]
        # One draw a class staggers the classes: otherwise all would be rounded alike.
        quantiles[rows] = (np.arange(len(rows)) + rng.random()) / len(rows)
    # Every interval of quantiles holds the same share of every class.
    order = np.argsort(quantiles, kind="stable")
    return [np.sort(part) for part in np.split(order, np.cumsum(sizes)[:-1])]


def validation_size(n: int, fraction: float) -> int:
    """How many of ``n`` examples are a fraction; raise `ValueError` if that is none or all."""
    if not 0 < fraction < 1:
        raise ValueError(f"`validation_fraction` must be between 0 and 1, but got {fraction}.")
    n_validation = round(fraction * n)
    if not 0 < n_validation < n:
        raise ValueError(
            f"`validation_fraction` of {fraction} leaves {n_validation} of {n} examples to "
            f"validate on and {n - n_validation} to train on."
        )
    return n_validation


def _to_tensors(part: str, arrays: Arrays) -> tuple[torch.Tensor, torch.Tensor]:
    try:
        images, labels = map(_copy, arrays)
    except (TypeError, ValueError):
        raise ValueError(f"`{part}` must be two arrays, images and labels.") from None
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"`{part}_labels` must be integers, but got {labels.dtype}.")
    images = images.to(torch.float32)
    if images.ndim == 3:
        images = images[:, None]
    _check_images(f"{part}_images", images)
    if labels.shape != (len(images),):
        raise ValueError(
            f"`{part}_labels` must have shape ({len(images)},), one for each image, "
            f"but got {tuple(labels.shape)}."
        )
    return images, labels.to(torch.int64)


def _copy(array: Any) -> torch.Tensor:
    """On the CPU; later changes of the original do not count."""
    if isinstance(array, torch.Tensor):
        return array.detach().cpu().clone()
    return torch.from_numpy(np.array(array))


def _read(part: str, dataset: Dataset[Any]) -> Arrays:
    if not isinstance(dataset, Sized):
        raise ValueError(f"`{part}` must have a length, but got {type(dataset).__name__}.")
    n = len(dataset)
    if n == 0:
        raise ValueError(f"`{part}` is empty.")
    images, labels = [], []
    for index in range(n):
        try:
            image, label = dataset[index]
            images.append(torch.from_numpy(np.asarray(image, dtype=np.float32)))
            labels.append(int(label))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`{part}` must give an image and a label, but example {index} does not: {error}"
            ) from None
        if images[index].shape != images[0].shape:
            raise ValueError(
                f"`{part}` must give images of one size, but example {index} is "
                f"{tuple(images[index].shape)} and example 0 {tuple(images[0].shape)}."
            )
    return torch.stack(images), np.array(labels, dtype=np.int64)


def _check_images(name: str, images: torch.Tensor) -> None:
    if images.ndim != 4 or images.dtype != torch.float32:
        raise ValueError(
            f"`{name}` must be float32 of shape (N, C, H, W), "
            f"but got {images.dtype} of shape {tuple(images.shape)}."
        )
    if images.numel() == 0:
        raise ValueError(f"`{name}` is empty: its shape is {tuple(images.shape)}.")
    if not images.isfinite().all():
        raise ValueError(f"`{name}` must be finite, but has NaN or infinite values.")


def check_labels(name: str, labels: torch.Tensor, n: int, n_classes: int) -> None:
    """Raise `ValueError` unless labels are (n,) integers from 0 to ``n_classes`` - 1."""
    if labels.shape != (n,) or labels.dtype != torch.int64:
        raise ValueError(
            f"`{name}` must be int64 of shape ({n},), "
            f"but got {labels.dtype} of shape {tuple(labels.shape)}."
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= n_classes:
        raise ValueError(
            f"`{name}` must be from 0 to {n_classes - 1}, but got {low if low < 0 else high}."
        )
