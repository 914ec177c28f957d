"""Files of records survive kills, and files of others survive us."""

from collections.abc import Iterator
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from optuna_dnas.benchmarking import append_records
from optuna_dnas.benchmarking import read_records
from optuna_dnas.exceptions import CorruptFileError


def record(seed: int) -> dict[str, Any]:
    return {"problem": "toy", "sampler": "TPE", "seed": seed, "queries": 3}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "searches.jsonl"


def append(path: Path, *seeds: int) -> None:
    for _ in append_records(path, map(record, seeds)):
        pass


def test_records_are_added(path: Path) -> None:
    assert read_records(path) == []
    append(path, 0, 1)
    append(path, 2)
    assert read_records(path) == [record(0), record(1), record(2)]


def test_a_full_disk_keeps_the_records_before(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    append(path, 0)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"No space left .* are kept: '.*searches.jsonl'"):
        append(path, 1)
    assert read_records(path)[0] == record(0)


def test_record_is_in_the_file_before_it_is_passed_on(path: Path) -> None:
    for n, _ in enumerate(append_records(path, map(record, range(3))), start=1):
        assert len(read_records(path)) == n


def test_interrupted_records_are_kept(path: Path) -> None:
    def interrupted() -> Iterator[dict[str, Any]]:
        yield record(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(append_records(path, interrupted()))
    assert read_records(path) == [record(0)]


@pytest.mark.parametrize("n_left", [1, 5, 20, 40])
def test_cut_line_is_written_over(path: Path, n_left: int) -> None:
    append(path, 0, 1)
    whole = path.read_text()
    path.write_text(whole + json.dumps(record(2))[:n_left])
    assert len(read_records(path)) == 2
    append(path, 2)
    assert path.read_text() == whole + json.dumps(record(2)) + "\n"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"my notes", "the last line"),
        (b"my notes\n", "line 1"),
        (b'{"problem": 3}\n', "line 1"),
        (b"3\n", "line 1"),
        (b"\xff\xfe\n", "line 1"),
        (json.dumps(record(0)).encode() + b"\n\n", "line 2"),
    ],
)
def test_file_of_something_else_is_left_alone(tmp_path: Path, content: bytes, place: str) -> None:
    path = tmp_path / "notes"
    path.write_bytes(content)
    for action in (read_records, append):
        with pytest.raises(CorruptFileError, match=place) as error:
            action(path)
        assert str(path) in str(error.value)
    assert path.read_bytes() == content
