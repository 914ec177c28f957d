"""TFRecord files, read without TensorFlow.

A file is a sequence of records, and nothing else::

    8 bytes      little-endian length of the data
    4 bytes      masked CRC32C of those 8 bytes
    length       the data
    4 bytes      masked CRC32C of the data

Source: ``tensorflow/core/lib/io/record_writer.h``.
"""

from collections.abc import Callable
from collections.abc import Iterator
import os
from pathlib import Path
import struct
from typing import BinaryIO

import google_crc32c

from optuna_dnas.exceptions import CorruptFileError


ProgressCallback = Callable[[int], None]
"""Is told how many bytes of the file are done."""

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_BUFFER_BYTES = 1 << 22


def read_records(
    path: str | os.PathLike[str], *, on_progress: ProgressCallback | None = None
) -> Iterator[bytes]:
    """Stream the data of all records, each checked.

    A file that was cut exactly between two records is a shorter valid file: the format does not
    say how many records there are.

    Args:
        path: The file.
        on_progress: Called every few megabytes and at the end.

    Raises:
        CorruptFileError: The file is empty, cut, corrupt or not a TFRecord file. The message names
            the file, the record (counted from 0) and the byte at which the record begins.
    """
    with Path(path).open("rb", buffering=_BUFFER_BYTES) as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise CorruptFileError(f"{path}: the file is empty, record 0 at byte 0 is missing.")
        position, index, next_report = 0, 0, _BUFFER_BYTES
        while position < size:
            try:
                data = _read_record(file, size - position)
            except ValueError as e:
                raise CorruptFileError(f"{path}: record {index} at byte {position} {e}.") from None
            yield data
            position += _HEADER.size + len(data) + _FOOTER.size
            index += 1
            if on_progress is not None and (position >= next_report or position == size):
                on_progress(position)
                next_report = position + _BUFFER_BYTES


def masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecord files: rotated and shifted, since data may contain checksums."""
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _read_record(
    file: BinaryIO,
    n_left: int,  # bytes up to the end of the file
) -> bytes:
    """Raise `ValueError` with the end of a sentence that begins with the record."""
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise ValueError(f"is cut: its header has {len(header)} of {_HEADER.size} bytes")
    length, length_crc = _HEADER.unpack(header)
    # First of all: a length that is not one must not become a request for memory.
    if masked_crc32c(header[:8]) != length_crc:
        raise ValueError("has a wrong checksum of its length: it is corrupt or no TFRecord")
    n_body = length + _FOOTER.size
    if n_body > n_left - _HEADER.size:
        raise ValueError(f"is cut: {n_body} bytes should follow, but {n_left - _HEADER.size} do")
    body = file.read(n_body)
    if len(body) < n_body:
        raise ValueError(f"is cut: {n_body} bytes should follow, but {len(body)} do")
    data = body[:length]
    if masked_crc32c(data) != _FOOTER.unpack_from(body, length)[0]:
        raise ValueError("has a wrong checksum of its data: it is corrupt")
    return data
