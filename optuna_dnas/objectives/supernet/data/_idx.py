"""Files in the IDX format, in which MNIST and Fashion-MNIST are distributed.

Big-endian: two zero bytes, the type (8: unsigned byte), the number of dimensions, 4 bytes for the
length of each, the values (LeCun, Cortes and Burges, *The MNIST database*).
"""

import gzip
import math
from pathlib import Path
import struct
from typing import Any
import zlib

import numpy as np
from numpy.typing import NDArray


_UNSIGNED_BYTE = 8
_STEMS = {"train": "train", "test": "t10k"}


def read_idx_folder(folder: Path) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Images (N, H, W) and labels (N,), both uint8, of "train" and "test".

    Args:
        folder: With the four files ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
            ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, each as it is or as
            ``.gz``.

    Raises:
        FileNotFoundError: The folder, or a file of it, is missing.
        ValueError: A file is not what it should be; the message names it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    parts = {}
    for part, stem in _STEMS.items():
        images_path = _find(folder, f"{stem}-images-idx3-ubyte")
        labels_path = _find(folder, f"{stem}-labels-idx1-ubyte")
        images, labels = read_idx(images_path, n_axes=3), read_idx(labels_path, n_axes=1)
        if len(images) != len(labels):
            raise ValueError(
                f"{images_path} has {len(images)} images, but {labels_path} has {len(labels)} "
                "labels."
            )
        parts[part] = images, labels
    return parts


def read_idx(path: Path, *, n_axes: int) -> NDArray[np.uint8]:
    """The array of unsigned bytes that a file holds.

    Raises:
        ValueError: It is no such file, or of another number of axes, or incomplete.
    """
    content = _read(path)
    magic = struct.pack(">HBB", 0, _UNSIGNED_BYTE, n_axes)
    if content[:4] != magic:
        raise ValueError(
            f"{path} is not an IDX file of unsigned bytes with {n_axes} axes: it must begin with "
            f"{magic.hex(' ')}, but begins with {content[:4].hex(' ') or 'nothing'}."
        )
    start = 4 + 4 * n_axes
    if len(content) < start:
        raise ValueError(f"{path} is truncated: it ends within its header.")
    shape = struct.unpack(f">{n_axes}I", content[4:start])
    if len(content) - start != math.prod(shape):
        is_short = len(content) - start < math.prod(shape)
        raise ValueError(
            f"{path} is {'truncated' if is_short else 'too long'}: its header tells of "
            f"{' x '.join(map(str, shape))} values, but {len(content) - start} follow."
        )
    if math.prod(shape) == 0:
        raise ValueError(f"{path} is empty: its header tells of {' x '.join(map(str, shape))}.")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"There is neither {name} nor {name}.gz in {folder}.")


def _read(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} cannot be decompressed: {error}") from error
