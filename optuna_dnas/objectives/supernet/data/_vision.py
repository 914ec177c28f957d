"""Images that torchvision reads.

N: images of a part, C: channels, H and W: pixels, K: classes.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from optuna_dnas.objectives.supernet.data._datasets import DatasetImages
from optuna_dnas.objectives.supernet.data._reader import Transform
from optuna_dnas.objectives.training import Standardisation
from optuna_dnas.objectives.training._data import Arrays


# Of ImageNet's colours, as all networks for it expect them.
_MEAN, _SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# The part of a resized image that is looked at: 224 of 256 pixels.
_CROP_SHARE = 224 / 256
# As Cai et al. (ProxylessNAS, 2019) change colours.
_BRIGHTNESS, _SATURATION = 32 / 255, 0.5
_MAX_NAMED = 3


def read_cifar(path: Path, n_classes: int) -> dict[str, Arrays]:
    """Images (N, 3, 32, 32) and labels (N,) of "train" and "test".

    Args:
        path: The folder that holds ``cifar-10-batches-py`` or ``cifar-100-python``.
        n_classes: 10 or 100.

    Raises:
        FileNotFoundError: The files are not there, or not those that are distributed.
        ImportError: torchvision is not installed.
    """
    datasets = _torchvision().datasets
    dataset = {10: datasets.CIFAR10, 100: datasets.CIFAR100}[n_classes]
    _check_folder(path / dataset.base_folder)
    parts = {}
    for part in ("train", "test"):
        # torchvision compares the files' checksums with those published before it reads them:
        # no other pickle is ever loaded.
        try:
            read = dataset(root=str(path), train=part == "train", download=False)
        except RuntimeError as error:
            raise FileNotFoundError(
                f"{path / dataset.base_folder} lacks files of {dataset.__name__}, or has others "
                "than those that are distributed."
            ) from error
        images = np.ascontiguousarray(read.data.transpose(0, 3, 1, 2))
        parts[part] = images, np.array(read.targets, dtype=np.int64)
    return parts


def open_image_folder(
    path: Path,
    *,
    image_size: int,
    validation_fraction: float,
    seed: int,
    n_workers: int,
    augment: bool,
) -> DatasetImages:
    """Images of folders ``train/CLASS`` and ``val/CLASS``; ``val`` is the test part.

    Raises:
        FileNotFoundError: A folder is missing, or has no images.
        ImportError: torchvision is not installed.
        ValueError: The classes differ, or an argument is not what it should be.
    """
    datasets = _torchvision().datasets
    folders = {"train": path / "train", "test": path / "val"}
    for folder in (path, *folders.values()):
        _check_folder(folder)
    opened = {part: _open_folder(datasets, folder) for part, folder in folders.items()}
    _check_classes(folders["train"], opened["train"], folders["test"], opened["test"])
    return DatasetImages(
        opened["train"],
        opened["test"],
        validation_fraction=validation_fraction,
        transform=_plain(image_size),
        train_transform=_augmented(image_size) if augment else None,
        standardisation=_standardisation(image_size),
        n_classes=len(opened["train"].classes),
        seed=seed,
        n_workers=n_workers,
        name=str(path),
    )


def _torchvision() -> Any:
    try:
        return importlib.import_module("torchvision")
    except (ImportError, RuntimeError) as error:  # Beside another PyTorch it raises either.
        raise ImportError(
            "Reading these images needs torchvision, in the version that goes with PyTorch: "
            f"pip install 'optuna-dnas[vision]'. ({error})"
        ) from error


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")


def _open_folder(datasets: Any, folder: Path) -> Any:
    if not any(child.is_dir() for child in folder.iterdir()):
        raise FileNotFoundError(f"{folder} has no folders, one for each class.")
    try:
        return datasets.ImageFolder(str(folder))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{folder} has classes without images: {error}") from error


def _check_classes(train_folder: Path, train: Any, test_folder: Path, test: Any) -> None:
    for (folder, dataset), (other_folder, other) in (
        ((train_folder, train), (test_folder, test)),
        ((test_folder, test), (train_folder, train)),
    ):
        missing = sorted({*dataset.classes} - {*other.classes})
        if missing:
            rest = ", ..." if len(missing) > _MAX_NAMED else ""
            names = ", ".join(map(repr, missing[:_MAX_NAMED])) + rest
            raise ValueError(
                f"{folder} has {len(dataset.classes)} classes and {other_folder} "
                f"{len(other.classes)}; the latter lacks {names}."
            )


def _standardisation(size: int) -> Standardisation:
    """What :func:`_plain` does, in words and numbers."""
    sizing = (
        f"resized to {_resized(size)} pixels on the shorter side, bilinearly with antialiasing, "
        f"and cut to the {size} x {size} in the centre"
    )
    return Standardisation(mean=_MEAN, deviation=_SD, pixel_range=(0.0, 1.0), sizing=sizing)


def _resized(size: int) -> int:
    """The shorter side, of which ``size`` are looked at."""
    return round(size / _CROP_SHARE)


def _plain(size: int) -> Transform:
    transforms = _torchvision().transforms
    compose: Transform = transforms.Compose(
        [
            transforms.Resize(_resized(size)),
            transforms.CenterCrop(size),
            *_normalised(transforms),
        ]
    )
    return compose


def _augmented(size: int) -> Transform:
    """The standard of ImageNet."""
    transforms = _torchvision().transforms
    compose: Transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(size),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(brightness=_BRIGHTNESS, saturation=_SATURATION),
            *_normalised(transforms),
        ]
    )
    return compose


def _normalised(transforms: Any) -> list[Any]:
    return [transforms.ToTensor(), transforms.Normalize(_MEAN, _SD)]
