"""The file of the table of digits: a compressed ``.npz`` archive.

N: cells, R: runs of a cell::

    cells           (N,) of `CELL_DTYPE`, sorted by hash
    flops           (N,) multiply-adds
    n_correct       (N, R, 2, 3) images classified correctly: cell, run, stop, part of the data
    training_time   (N, R, 2) CPU seconds
    settings        the bytes of `DigitsSettings` as JSON

An accuracy is a count over a known number of images: kept as the count, it loses nothing.
"""

from dataclasses import asdict
from dataclasses import dataclass
from importlib.resources.abc import Traversable
import json
from typing import Any
from typing import BinaryIO
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from optuna_dnas._typing import IntArray
from optuna_dnas.exceptions import CorruptFileError
from optuna_dnas.objectives._cell_table import STOPS
from optuna_dnas.objectives._stored_cell import CELL_DTYPE
from optuna_dnas.search_space import NetworkShape


PARTS = ("train", "validation", "test")
DTYPES: dict[str, np.dtype[Any]] = {
    "cells": CELL_DTYPE,
    "flops": np.dtype("<i8"),
    "n_correct": np.dtype("<u2"),
    "training_time": np.dtype("<f4"),
}


@dataclass(frozen=True, kw_only=True)
class DigitsSettings:
    """How the cells of the table were trained.

    Args:
        config: Of ``TrainingConfig``.
        data: Options of ``TrainingData.digits``.
        seeds: Trained in one pass for every cell.
        network: The network around the cells.
        n_images: Of each part of the data.
        torch: The version of PyTorch.
        cpu: The kind of CPU.
    """

    config: dict[str, Any]
    data: dict[str, int]
    seeds: tuple[int, ...]
    network: NetworkShape
    n_images: dict[str, int]
    torch: str
    cpu: str

    def image_counts(self) -> IntArray:
        """(3,) images, in the order of `PARTS`."""
        return np.array([self.n_images[part] for part in PARTS])

    def encode(self) -> bytes:
        """JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, text: bytes) -> "DigitsSettings":
        """The inverse of :meth:`encode`; any exception says that it is none."""
        fields = json.loads(text)
        network, seeds = NetworkShape(**fields.pop("network")), tuple(fields.pop("seeds"))
        settings = cls(network=network, seeds=seeds, **fields)
        settings.image_counts()
        return settings


class DigitsArchive(NamedTuple):
    """What the file holds."""

    settings: DigitsSettings
    cells: npt.NDArray[np.void]  # (N,)
    flops: npt.NDArray[np.int64]  # (N,)
    n_correct: npt.NDArray[np.uint16]  # (N, R, 2, 3)
    training_time: npt.NDArray[np.float32]  # (N, R, 2)


def write_archive(file: BinaryIO, archive: DigitsArchive) -> None:
    """Equal archives give equal bytes."""
    arrays = archive._asdict() | {"settings": np.frombuffer(archive.settings.encode(), np.uint8)}
    np.savez_compressed(file, **arrays)


def read_archive(path: Traversable) -> DigitsArchive:
    """Read and check a file.

    Raises:
        FileNotFoundError: It does not exist.
        CorruptFileError: It is not such a file, or damaged.
    """
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                settings = DigitsSettings.decode(arrays["settings"].tobytes())
                archive = DigitsArchive(settings, **{name: arrays[name] for name in DTYPES})
        except Exception as e:  # Zip files, arrays and JSON fail in many ways.
            raise CorruptFileError(
                f"{path}: cannot be read as a table of digits: {e!r}. Install the package again."
            ) from None
    _check_arrays(path, archive)
    return archive


def _check_arrays(path: Traversable, archive: DigitsArchive) -> None:
    n_cells, n_runs = archive.cells.size, len(archive.settings.seeds)
    shapes = {
        "cells": (n_cells,),
        "flops": (n_cells,),
        "n_correct": (n_cells, n_runs, len(STOPS), len(PARTS)),
        "training_time": (n_cells, n_runs, len(STOPS)),
    }
    for name, shape in shapes.items():
        array = getattr(archive, name)
        if array.dtype != DTYPES[name] or array.shape != shape:
            raise CorruptFileError(
                f"{path}: `{name}` should be {shape} of {DTYPES[name]}, "
                f"but is {array.shape} of {array.dtype}."
            )
    if (archive.n_correct > archive.settings.image_counts()).any():
        raise CorruptFileError(f"{path}: more images are correct than there are.")
