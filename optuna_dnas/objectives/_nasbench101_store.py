"""A compact store of the NASBench-101 table, made from the official TFRecord file.

A store is a directory, memory-mapped when it is opened. N: cells, R: runs of a cell at most::

    meta.json          format, version, size of the source, N, R of every number of epochs, the
                       CRC32C of the other files, and a checksum of itself
    cells.npy          (N,) of `CELL_DTYPE`, sorted by hash
    metrics_108.npy    (N, R, 2, 4) float64: cell, run, stop, metric; NaN where there was no run

There is one file of metrics for every number of epochs. The doubles are those of the TFRecord
file, bit by bit. Runs keep their order in that file.

Checksums are compared when a store is opened. A CRC32C reads 10 GB a second, SHA-256 1 (80 MB of
random bytes on an AMD64 CPU: 0.010 s and 0.057 s), so that a store still opens in a moment.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
import json
import os
from pathlib import Path
import shutil
import sys
from typing import Any
from typing import NamedTuple

import google_crc32c
import numpy as np
import numpy.typing as npt

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.exceptions import CorruptFileError
from optuna_dnas.objectives._cell_table import METRIC_NAMES
from optuna_dnas.objectives._cell_table import STOPS
from optuna_dnas.objectives._checksum import CHECKSUM
from optuna_dnas.objectives._checksum import is_intact
from optuna_dnas.objectives._checksum import seal
from optuna_dnas.objectives._checksum import UNSEALED
from optuna_dnas.objectives._nasbench101_record import parse_record
from optuna_dnas.objectives._nasbench101_record import Record
from optuna_dnas.objectives._stored_cell import CELL_DTYPE
from optuna_dnas.objectives._tfrecord import ProgressCallback
from optuna_dnas.objectives._tfrecord import read_records


if sys.platform != "win32":
    import fcntl


# Version 1 had no checksums.
_FORMAT, _VERSION = "optuna-dnas NASBench-101 store", 2
_META, _CELLS = "meta.json", "cells.npy"
_DAMAGED = "damaged, or edited: its checksum is another one. Delete the store to make it again."


class Store(NamedTuple):
    """The arrays of a store, as memory maps."""

    cells: npt.NDArray[np.void]  # (N,) of `CELL_DTYPE`
    metrics: dict[int, FloatArray]  # epochs -> (N, R, 2, 4)


def open_store(path: Path) -> Store:
    """Map the arrays of a store.

    Raises:
        CorruptFileError: It is not a store, or a file of it is missing, damaged or of another
            shape.
    """
    meta = _read_meta(path)
    if meta is None:
        raise CorruptFileError(f"{path}: neither a TFRecord file nor a store made from one.")
    if meta.get("version") != _VERSION:
        raise CorruptFileError(
            f"{path}: a store of version {meta.get('version')}, but this release reads version "
            f"{_VERSION}. Convert the TFRecord file again."
        )
    if not is_intact((path / _META).read_bytes()):
        raise CorruptFileError(f"{path / _META}: {_DAMAGED}")
    try:
        n_cells = int(meta["n_cells"])
        n_repeats = {int(epochs): int(n) for epochs, n in meta["n_repeats"].items()}
        crc32c = {str(name): int(crc) for name, crc in meta["crc32c"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise CorruptFileError(f"{path / _META}: does not describe a store.") from None
    metrics = {
        epochs: _open_array(
            path / _metrics_name(epochs),
            np.dtype("<f8"),
            (n_cells, n, len(STOPS), len(METRIC_NAMES)),
        )
        for epochs, n in n_repeats.items()
    }
    cells = _open_array(path / _CELLS, CELL_DTYPE, (n_cells,))
    for name in (_CELLS, *map(_metrics_name, n_repeats)):
        if _crc32c(path / name) != crc32c.get(name):
            raise CorruptFileError(f"{path / name}: {_DAMAGED}")
    return Store(cells, metrics)


def is_current(store: Path, source: Path) -> bool:
    """Whether this release made ``store`` from ``source`` as it is now."""
    meta = _read_meta(store)
    if meta is None or meta.get("version") != _VERSION:
        return False
    file = source.stat()
    try:
        made_at = (store / _META).stat().st_mtime_ns
    except OSError:  # Another process replaces it right now.
        return False
    return bool(meta.get("source_size") == file.st_size and made_at >= file.st_mtime_ns)


def convert(
    source: Path, destination: Path, *, on_progress: ProgressCallback | None = None
) -> None:
    """Make the store ``destination``, unless it is current.

    Several processes may call this at the same time: one works, the others wait for it. The store
    appears at once when it is finished; what a killed process leaves is removed by the next.

    Raises:
        CorruptFileError: ``source`` is not what the format promises; the message says where.
        FileExistsError: ``destination`` is something else.
    """
    if destination.exists() and _read_meta(destination) is None:
        raise FileExistsError(f"{destination} is in the way: it is not a store. Move it.")
    with _lock(destination.parent):
        if is_current(destination, source):
            return
        _remove_leftovers(destination)
        temporary = _temporary(destination, "new")
        temporary.mkdir()
        try:
            _write_store(source, temporary, on_progress)
            _replace(temporary, destination)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _metrics_name(epochs: int) -> str:
    return f"metrics_{epochs}.npy"


def _read_meta(path: Path) -> dict[str, Any] | None:
    try:
        meta = json.loads((path / _META).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return meta if isinstance(meta, dict) and meta.get("format") == _FORMAT else None


def _crc32c(path: Path) -> int:
    crc: int = google_crc32c.value(np.memmap(path, dtype=np.uint8, mode="r"))
    return crc


def _open_array(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    try:
        mapped = np.lib.format.open_memmap(path, mode="r")
    except Exception as e:  # The parser of the header fails in many ways.
        raise CorruptFileError(
            f"{path}: cannot be read as a part of a store: {e}. Delete the store to make it again."
        ) from None
    if mapped.dtype != dtype or mapped.shape != shape:
        raise CorruptFileError(
            f"{path}: should be {shape} of {dtype}, but is {mapped.shape} of {mapped.dtype}."
        )
    return mapped.view(np.ndarray)  # Still mapped, but indexed faster than `np.memmap`.


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One conversion at a time in a folder; the system unlocks when the process dies."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:  # A network file system without locks.
            yield
            return
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _temporary(destination: Path, role: str) -> Path:
    return destination.with_name(f".{destination.name}.{role}-{os.getpid()}.tmp")


def _remove_leftovers(destination: Path) -> None:
    for path in destination.parent.iterdir():
        if path.name.startswith(f".{destination.name}.") and path.suffix == ".tmp":
            shutil.rmtree(path, ignore_errors=True)


def _replace(temporary: Path, destination: Path) -> None:
    old = _temporary(destination, "old")
    if destination.exists():
        destination.rename(old)
    temporary.rename(destination)
    shutil.rmtree(old, ignore_errors=True)


def _write_store(source: Path, folder: Path, on_progress: ProgressCallback | None) -> None:
    file = source.stat()
    table = _Accumulator()
    for index, data in enumerate(read_records(source, on_progress=on_progress)):
        try:
            table.add(parse_record(data))
        except (ValueError, RecursionError) as e:
            raise CorruptFileError(
                f"{source}: record {index} is not a NASBench-101 record: {e}"
            ) from None
    places = table.write_cells(folder)
    meta = {
        "format": _FORMAT,
        "version": _VERSION,
        "source_size": file.st_size,
        "n_cells": len(places),
        "n_repeats": table.write_metrics(folder, places),
        "crc32c": {part.name: _crc32c(part) for part in sorted(folder.iterdir())},
        CHECKSUM: UNSEALED,
    }
    path = folder / _META
    path.write_bytes(seal(json.dumps(meta, indent=2).encode()))
    # A file from the future, by another machine's clock, must not be converted at every opening.
    made_at = max(path.stat().st_mtime_ns, file.st_mtime_ns)
    os.utime(path, ns=(made_at, made_at))


class _Runs(NamedTuple):
    cells: "array[int]"  # (n,) which cell
    values: "array[float]"  # (n * 8,)


class _Accumulator:
    """The table so far, in flat arrays: two million Python objects would not be compact."""

    def __init__(self) -> None:
        self._indices: dict[bytes, int] = {}  # hash -> place in `_cells`
        self._cells = bytearray()
        self._runs: defaultdict[int, _Runs] = defaultdict(lambda: _Runs(array("I"), array("d")))

    def add(self, record: Record) -> None:
        """Raise `ValueError` if an earlier record says another thing about the same cell."""
        digest = record.cell[:16]
        index = self._indices.setdefault(digest, len(self._indices))
        start = index * CELL_DTYPE.itemsize
        if start == len(self._cells):
            self._cells += record.cell
        elif self._cells[start : start + CELL_DTYPE.itemsize] != record.cell:
            raise ValueError(f"An earlier record has another cell with the hash {digest.hex()}.")
        runs = self._runs[record.epochs]
        runs.cells.append(index)
        runs.values.extend(record.values)

    def write_cells(self, folder: Path) -> IntArray:
        """Return where each cell now is, (N,)."""
        cells = np.frombuffer(self._cells, dtype=CELL_DTYPE)
        high, low = np.ascontiguousarray(cells["hash"]).view(">u8").T
        order = np.lexsort((low, high))
        np.save(folder / _CELLS, cells[order])
        places = np.empty(len(order), dtype=np.int64)
        places[order] = np.arange(len(order))
        return places

    def write_metrics(self, folder: Path, places: IntArray) -> dict[int, int]:
        """Return the number of runs of each number of epochs, and forget them."""
        n_repeats = {}
        for epochs in sorted(self._runs):
            runs = self._runs.pop(epochs)
            cells = places[np.frombuffer(runs.cells, dtype=np.uintc)]
            repeats = _occurrence(cells)
            n_repeats[epochs] = int(repeats.max()) + 1
            shape = (len(places), n_repeats[epochs], len(STOPS), len(METRIC_NAMES))
            metrics = np.full(shape, np.nan, dtype="<f8")
            metrics[cells, repeats] = np.frombuffer(runs.values).reshape(-1, *shape[2:])
            np.save(folder / _metrics_name(epochs), metrics)
        return n_repeats


def _occurrence(cells: IntArray) -> IntArray:
    """(n,) cells -> (n,) how often the same cell came before."""
    order = np.argsort(cells, kind="stable")
    ordered = cells[order]
    before = np.empty_like(cells)
    before[order] = np.arange(len(cells)) - np.searchsorted(ordered, ordered)
    return before
