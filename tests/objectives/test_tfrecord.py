from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import re
import struct

from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from optuna_dnas.exceptions import CorruptFileError
from optuna_dnas.objectives._tfrecord import masked_crc32c
from optuna_dnas.objectives._tfrecord import read_records

from .records import frame


DATA = [b"first", b"", bytes(range(40))]


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "three.tfrecord"
    file.write_bytes(b"".join(map(frame, DATA)))
    return file


def test_checksum_is_that_of_tensorflow() -> None:
    # The header of a record that TensorFlow wrote.
    assert masked_crc32c(struct.pack("<Q", 302)) == 0xB0C71BC3


@given(st.lists(st.binary(max_size=300), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(tmp_path: Path, records: list[bytes]) -> None:
    path = tmp_path / "any.tfrecord"
    path.write_bytes(b"".join(map(frame, records)))

    assert list(read_records(path)) == records


def test_every_corrupt_byte_is_detected(path: Path) -> None:
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in range(len(good)):
        for change in (1, 0x80, 0xFF, int(rng.integers(1, 256))):
            bad = bytearray(good)
            bad[position] ^= change
            path.write_bytes(bad)
            with pytest.raises(CorruptFileError, match=re.escape(str(path))):
                list(read_records(path))


def test_every_cut_is_detected_except_between_records(path: Path) -> None:
    good = path.read_bytes()
    ends = np.cumsum([len(frame(data)) for data in DATA]).tolist()
    for size in range(len(good)):
        path.write_bytes(good[:size])
        if size in ends:
            assert list(read_records(path)) == DATA[: ends.index(size) + 1]
        else:
            with pytest.raises(CorruptFileError, match=re.escape(str(path))):
                list(read_records(path))


def test_error_names_file_record_and_byte(path: Path) -> None:
    start = len(frame(DATA[0])) + len(frame(DATA[1]))
    bad = bytearray(path.read_bytes())
    bad[start + 20] ^= 1
    path.write_bytes(bad)
    records = read_records(path)

    assert [next(records), next(records)] == DATA[:2]
    with pytest.raises(CorruptFileError, match=rf"three.tfrecord: record 2 at byte {start} "):
        next(records)


@pytest.mark.parametrize("length", [6, 1 << 20, 1 << 40, (1 << 64) - 1])
def test_length_beyond_the_file_is_no_request_for_memory(tmp_path: Path, length: int) -> None:
    path = tmp_path / "absurd.tfrecord"
    path.write_bytes(frame(b"hello", length=length))

    with pytest.raises(CorruptFileError, match="record 0 at byte 0 is cut"):
        list(read_records(path))


@pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04" * 100, bytes(64), b"text\n" * 9])
def test_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.tfrecord"
    path.write_bytes(content)

    with pytest.raises(CorruptFileError, match=r"foreign\.tfrecord"):
        list(read_records(path))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_records(tmp_path / "missing.tfrecord"))


def test_progress_grows_to_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "large.tfrecord"
    path.write_bytes(frame(bytes(1 << 18)) * 40)
    done: list[int] = []
    n_records = sum(1 for _ in read_records(path, on_progress=done.append))

    assert n_records == 40
    assert done == sorted(set(done))
    assert done[-1] == path.stat().st_size
    assert 1 < len(done) <= 4  # every few megabytes, not every record
