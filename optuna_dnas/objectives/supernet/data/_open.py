"""Images by the name of their dataset."""

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
import os
from pathlib import Path
from typing import Any

from torch.nn import functional as F

from optuna_dnas.objectives.supernet.data._augmentation import Augmentation
from optuna_dnas.objectives.supernet.data._base import check_memory
from optuna_dnas.objectives.supernet.data._base import ImageData
from optuna_dnas.objectives.supernet.data._base import PARTS
from optuna_dnas.objectives.supernet.data._idx import read_idx_folder
from optuna_dnas.objectives.supernet.data._tensors import TensorImages
from optuna_dnas.objectives.supernet.data._vision import open_image_folder
from optuna_dnas.objectives.supernet.data._vision import read_cifar
from optuna_dnas.objectives.training import TrainingData
from optuna_dnas.objectives.training._data import Arrays
from optuna_dnas.objectives.training._data import validation_size


_N_TEST_DIGITS = 297
_N_DIGITS = 1797
_IMAGENET_SIZE = 224
_MAX_WORKERS = 8
# Of CIFAR's 32 pixels, the usual 4.
_SIZE_OVER_SHIFT = 8


@dataclass(frozen=True, kw_only=True)
class _Options:
    """Arguments of :func:`open_images`, as they are there."""

    path: Path | None
    image_size: int | None
    validation_fraction: float
    seed: int
    n_workers: int | None
    augment: bool


@dataclass(frozen=True, kw_only=True)
class _Dataset:
    open: Callable[[_Options], ImageData]
    needs_path: bool = True
    validation_fraction: float = 0.1
    augment: bool = True


def open_images(
    name: str,
    path: Path | str | None = None,
    *,
    image_size: int | None = None,
    validation_fraction: float | None = None,
    seed: int = 0,
    n_workers: int | None = None,
    augment: bool | None = None,
) -> ImageData:
    """Images to train and to search with. Nothing is ever downloaded.

    ===========  ==================================================================
    name         path
    ===========  ==================================================================
    digits       none: the 1,797 digits of 8 x 8 pixels that scikit-learn ships
    idx          the folder of MNIST's or Fashion-MNIST's four IDX files
    cifar10      the folder that holds ``cifar-10-batches-py``; needs torchvision
    cifar100     the folder that holds ``cifar-100-python``; needs torchvision
    imagefolder  a folder with ``train/CLASS/*.jpeg`` and ``val/CLASS/*.jpeg``, such
                 as ImageNet's; needs torchvision
    ===========  ==================================================================

    The test part is the official one, ``val`` of a folder of images; of the digits it is 297. The
    validation part is taken from the training images, stratified by class.

    Args:
        name: Of the dataset.
        path: Where it is.
        image_size: Height and width, pixels; `None`: as they are, and 224 of a folder of images.
        validation_fraction: Share of the training images; `None`: 0.2 of the digits, 0.04 of a
            folder of images, 0.1 of others.
        seed: Decides which images become the validation part; of the digits, the test part, too.
        n_workers: Processes that read a folder of images; `None`: one for each core, at most 8.
        augment: Whether training images are changed at random: a folder of images by
            the standard of ImageNet (crop, mirror, colour), CIFAR by shift and mirror, others by
            shift. `None`: all but the digits.

    Raises:
        FileNotFoundError: The data are not there.
        ImportError: A package is missing; the message names it.
        ValueError: An argument, or a file, is not what it should be; the message names it.
    """
    _check_arguments(name, path, image_size)
    dataset = _DATASETS[name]
    fraction = dataset.validation_fraction if validation_fraction is None else validation_fraction
    options = _Options(
        path=None if path is None else Path(path),
        image_size=image_size,
        validation_fraction=fraction,
        seed=seed,
        n_workers=n_workers,
        augment=dataset.augment if augment is None else augment,
    )
    return dataset.open(options)


def _check_arguments(name: str, path: Path | str | None, image_size: int | None) -> None:
    if name not in _DATASETS:
        raise ValueError(f"`name` must be of {DATASETS}, but got {name!r}.")
    needs_path = _DATASETS[name].needs_path
    if needs_path != (path is not None):
        needs = "needs the folder it is in" if needs_path else "takes none"
        raise ValueError(f"`path`: the dataset {name!r} {needs}, but got {path}.")
    if image_size is not None and image_size < 1:
        raise ValueError(f"`image_size` must be positive, but got {image_size}.")


def _open_digits(options: _Options) -> ImageData:
    n_validation = validation_size(_N_DIGITS - _N_TEST_DIGITS, options.validation_fraction)
    data = TrainingData.digits(
        options.seed,
        n_train=_N_DIGITS - _N_TEST_DIGITS - n_validation,
        n_validation=n_validation,
    )
    return _in_memory(data, options, name="digits")


def _open_idx(options: _Options) -> ImageData:
    assert options.path is not None
    parts = read_idx_folder(options.path)
    return _in_memory(_split(parts, options), options, name=str(options.path))


def _open_cifar(n_classes: int) -> Callable[[_Options], ImageData]:
    def open_cifar(options: _Options) -> ImageData:
        assert options.path is not None
        data = _split(read_cifar(options.path, n_classes), options, n_classes=n_classes)
        return _in_memory(data, options, name=str(options.path), flip=True)

    return open_cifar


def _open_image_folder(options: _Options) -> ImageData:
    assert options.path is not None
    n_workers, image_size = options.n_workers, options.image_size or _IMAGENET_SIZE
    check_memory(1, 3, image_size)
    return open_image_folder(
        options.path,
        image_size=image_size,
        validation_fraction=options.validation_fraction,
        seed=options.seed,
        n_workers=min(_MAX_WORKERS, (os.cpu_count() or 1)) if n_workers is None else n_workers,
        augment=options.augment,
    )


_DATASETS = {
    "digits": _Dataset(
        open=_open_digits, needs_path=False, validation_fraction=0.2, augment=False
    ),
    "idx": _Dataset(open=_open_idx),
    "cifar10": _Dataset(open=_open_cifar(10)),
    "cifar100": _Dataset(open=_open_cifar(100)),
    "imagefolder": _Dataset(open=_open_image_folder, validation_fraction=0.04),
}
DATASETS = tuple(_DATASETS)


def _split(
    parts: Mapping[str, Arrays], options: _Options, *, n_classes: int | None = None
) -> TrainingData:
    return TrainingData.from_arrays(
        parts["train"],
        parts["test"],
        validation_fraction=options.validation_fraction,
        n_classes=n_classes,
        seed=options.seed,
    )


def _in_memory(
    data: TrainingData, options: _Options, *, name: str, flip: bool = False
) -> TensorImages:
    if options.image_size is not None:
        data = _resized(data, options.image_size)
    size = data.train_images.shape[-1]
    augmentation = Augmentation(max_shift=size // _SIZE_OVER_SHIFT, flip=flip)
    return TensorImages(data, augmentation=augmentation if options.augment else None, name=name)


def _resized(data: TrainingData, size: int) -> TrainingData:
    """All images at another size, bilinear."""
    height, width = data.train_images.shape[-2:]
    if (height, width) == (size, size):
        return data
    check_memory(sum(len(data.part(part)[1]) for part in PARTS), data.train_images.shape[1], size)
    assert data.standardisation is not None  # What is opened by name is known.
    # Weights of a mean sum to 1: it is the same whether pixels are standardised before or after.
    sizing = f"resized from {height} x {width} pixels, bilinearly with antialiasing"
    images: dict[str, Any] = {
        f"{part}_images": F.interpolate(
            data.part(part)[0], size=(size, size), mode="bilinear", antialias=True
        )
        for part in PARTS
    }
    standardisation = replace(data.standardisation, sizing=sizing)
    return replace(data, **images, standardisation=standardisation)
