"""Files of searches, one JSON line each. A kill may have cut the last line."""

from collections.abc import Iterable
from collections.abc import Iterator
from io import FileIO
import json
import os
from pathlib import Path
from typing import Any

from optuna_dnas.benchmarking._run import Search
from optuna_dnas.exceptions import CorruptFileError


_START = b'{"problem": "'


def read_records(path: Path) -> list[dict[str, Any]]:
    """The finished searches of a file; none if there is no file.

    Raises:
        CorruptFileError: A line is of something else.
    """
    lines = _whole_lines(path).splitlines()
    return [_parse(line, f"{path}, line {k}") for k, line in enumerate(lines, start=1)]


def append_records(path: Path, records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Write records as they come, each before it is passed on; the folder is made.

    Raises:
        CorruptFileError: The file holds something else, which is left as it is.
        OSError: A record cannot be written; those before it are kept.
    """
    read_records(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Unbuffered: a record that does not fit on the disk is not tried again when the file closes.
    with path.open("ab", buffering=0) as file:
        file.truncate(len(_whole_lines(path)))
        for record in records:
            _append(file, path, f"{json.dumps(record)}\n".encode())
            yield record


def _append(file: FileIO, path: Path, line: bytes) -> None:
    try:
        while line:
            line = line[file.write(line) :]
        os.fsync(file.fileno())  # It took longer to make than this takes.
    except OSError as error:
        reason = f"{error.strerror}: the record cannot be written; those before it are kept"
        raise OSError(error.errno, reason, str(path)) from error


def _whole_lines(path: Path) -> bytes:
    """The text without a last line that a kill has cut, or that is being written."""
    text = path.read_bytes() if path.exists() else b""
    n_whole = text.rfind(b"\n") + 1
    if not text.startswith(_START[: len(text) - n_whole], n_whole):
        raise CorruptFileError(f"{path}: the last line is not the beginning of a record.")
    return text[:n_whole]


def _parse(line: bytes, place: str) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(line)
        Search.of(record)
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptFileError(f"{place}: this is not the record of a search.") from error
    return record
