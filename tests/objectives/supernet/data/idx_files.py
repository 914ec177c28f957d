"""IDX files as Fashion-MNIST has them, small."""

import gzip
from pathlib import Path
import struct
from typing import Any

import numpy as np


def write_idx(path: Path, array: Any, *, kind: int = 8) -> Path:
    header = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    content = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_idx_folder(folder: Path, *, size: int = 10, n: int = 60, suffix: str = "") -> Path:
    """``n`` training and 12 test images, whose class is the row that is bright."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for stem, n_images in (("train", n), ("t10k", 12)):
        labels = np.arange(n_images) % 3
        images = rng.integers(0, 100, (n_images, size, size))
        images[np.arange(n_images), 3 * labels] += 150
        write_idx(folder / f"{stem}-images-idx3-ubyte{suffix}", images)
        write_idx(folder / f"{stem}-labels-idx1-ubyte{suffix}", labels)
    return folder
