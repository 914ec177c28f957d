from __future__ import annotations

import json
import os
from pathlib import Path
import signal
import subprocess
import sys

import numpy as np
import pytest

from optuna_dnas.exceptions import CorruptFileError
from optuna_dnas.objectives._checksum import seal
from optuna_dnas.objectives._checksum import UNSEALED
from optuna_dnas.objectives._nasbench101_store import convert
from optuna_dnas.objectives._nasbench101_store import is_current
from optuna_dnas.objectives._nasbench101_store import open_store

from .records import frame
from .records import random_runs
from .records import random_specs
from .records import Run
from .records import write_table


# Converts, but stops in the middle until it reads a line.
CONVERTER = """
import sys
from pathlib import Path
from optuna_dnas.objectives._checksum import seal
from optuna_dnas.objectives._checksum import UNSEALED
from optuna_dnas.objectives._nasbench101_store import convert

def on_progress(done):
    print("reading", flush=True)
    sys.stdin.readline()

convert(Path(sys.argv[1]), Path(sys.argv[2]), on_progress=on_progress)
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    runs = random_runs(rng, random_specs(rng, 5), epochs=[108], n_repeats=3)
    return write_table(tmp_path / "table.tfrecord", runs)


@pytest.fixture
def store(source: Path) -> Path:
    path = source.with_name("table.store")
    convert(source, path)
    return path


def start_converter(source: Path, store: Path) -> subprocess.Popen[str]:
    """Return when it is in the middle of the conversion."""
    process = subprocess.Popen(
        [sys.executable, "-c", CONVERTER, source, store],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"
    return process


def test_killed_conversion_leaves_no_store_and_the_next_works(source: Path) -> None:
    store = source.with_name("table.store")
    with start_converter(source, store) as process:
        process.send_signal(signal.SIGKILL)

    assert not store.exists()
    assert len(list(source.parent.iterdir())) == 2  # the source, and what was left over
    convert(source, store)
    assert len(open_store(store).cells) == 5
    assert sorted(source.parent.iterdir()) == [store, source]


def test_failed_conversion_leaves_nothing(source: Path) -> None:
    source.write_bytes(source.read_bytes()[:-1])
    with pytest.raises(CorruptFileError, match="record 14 at byte"):
        convert(source, source.with_name("table.store"))

    assert list(source.parent.iterdir()) == [source]


def test_two_processes_convert_once(source: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    store = source.with_name("table.store")
    folder = os.open(source.parent, os.O_RDONLY)
    with start_converter(source, store) as process:
        with pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process.communicate("go on\n")
    os.close(folder)

    convert(source, store, on_progress=lambda _: pytest.fail("The store was made again."))
    assert process.returncode == 0
    assert len(open_store(store).cells) == 5


def test_store_is_current_until_the_file_changes(source: Path, store: Path) -> None:
    assert is_current(store, source)
    later = source.stat().st_mtime_ns + 10**10
    os.utime(source, ns=(later, later))
    assert not is_current(store, source)

    convert(source, store)
    os.utime(store / "meta.json", ns=(later, later))
    assert is_current(store, source)
    source.write_bytes(source.read_bytes() * 2)
    os.utime(source, ns=(later - 1, later - 1))
    assert not is_current(store, source)


def test_file_from_the_future_is_converted_once(source: Path) -> None:
    future = source.stat().st_mtime_ns + 10**15
    os.utime(source, ns=(future, future))
    store = source.with_name("table.store")
    convert(source, store)

    assert is_current(store, source)


def test_changed_file_replaces_the_store(source: Path, store: Path) -> None:
    source.write_bytes(source.read_bytes() * 2)
    convert(source, store)

    assert open_store(store).metrics[108].shape == (5, 6, 2, 4)
    assert sorted(source.parent.iterdir()) == [store, source]


def test_store_of_another_version_is_refused_and_made_again(source: Path, store: Path) -> None:
    meta = store / "meta.json"
    meta.write_text(meta.read_text().replace('"version": 2', '"version": 99'))
    with pytest.raises(CorruptFileError, match="version 99"):
        open_store(store)

    convert(source, store)
    assert len(open_store(store).cells) == 5


def test_conversion_does_not_replace_what_is_no_store(source: Path) -> None:
    precious = source.with_name("table.store")
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"table\.store"):
        convert(source, precious)

    assert (precious / "thesis.txt").read_text() == "years of work"


def test_cells_are_sorted_and_runs_keep_their_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    specs = random_specs(rng, 20)
    runs = random_runs(rng, specs, epochs=[4, 108], n_repeats=3)
    convert(write_table(tmp_path / "t.tfrecord", runs), tmp_path / "t.store")
    cells, metrics = open_store(tmp_path / "t.store")
    hashes = [cell["hash"].tobytes().hex() for cell in cells]

    assert hashes == sorted(spec.hash() for spec in specs)
    for epochs in (4, 108):
        for i, hash_ in enumerate(hashes):
            mine = [r for r in runs if r.spec.hash() == hash_ and r.epochs == epochs]
            assert metrics[epochs][i].tolist() == [[list(r.halfway), list(r.final)] for r in mine]


@pytest.mark.parametrize("bad", [b"hello", b"[]"])
def test_error_names_the_record(source: Path, bad: bytes) -> None:
    source.write_bytes(source.read_bytes() + frame(bad))
    with pytest.raises(CorruptFileError, match=r"table\.tfrecord: record 15 is not"):
        convert(source, source.with_name("table.store"))


def test_one_hash_is_one_cell(tmp_path: Path) -> None:
    a, b = random_specs(np.random.default_rng(2), 2)
    stops = (1.0, 0.5, 0.5, 0.5)
    records = [Run(spec, stops, stops).encode() for spec in (a, b)]
    records[1] = records[1].replace(b.hash().encode(), a.hash().encode())
    path = tmp_path / "t.tfrecord"
    path.write_bytes(b"".join(map(frame, records)))
    with pytest.raises(CorruptFileError, match=f"record 1 .* {a.hash()}"):
        convert(path, tmp_path / "t.store")


@pytest.mark.parametrize("name", ["meta.json", "cells.npy", "metrics_108.npy"])
@pytest.mark.parametrize("content", [None, b"", b"foreign", b"PK\x03\x04" * 30])
def test_missing_or_foreign_part_is_refused(store: Path, name: str, content: bytes | None) -> None:
    if content is None:
        (store / name).unlink()
    else:
        (store / name).write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"table\.store"):
        open_store(store)


@pytest.mark.parametrize("name", ["cells.npy", "metrics_108.npy"])
def test_part_of_another_shape_or_size_is_refused(store: Path, name: str) -> None:
    original = (store / name).read_bytes()
    np.save(store / name, np.zeros(3))
    with pytest.raises(CorruptFileError, match=name):
        open_store(store)

    (store / name).write_bytes(original[:-1])
    with pytest.raises(CorruptFileError, match=name):
        open_store(store)


@pytest.mark.parametrize("name", ["meta.json", "cells.npy", "metrics_108.npy"])
def test_store_is_refused_with_any_byte_changed(store: Path, name: str) -> None:
    """Padding of headers and white space of JSON included."""
    good = (store / name).read_bytes()
    rng = np.random.default_rng(0)
    for position, mask in enumerate(rng.integers(1, 256, size=len(good))):
        bad = bytearray(good)
        bad[position] ^= int(mask)
        (store / name).write_bytes(bad)
        with pytest.raises(CorruptFileError, match=r"table\.store"):
            open_store(store)
    (store / name).write_bytes(good)
    assert len(open_store(store).cells) == 5


def test_white_space_of_a_store_is_part_of_it(store: Path) -> None:
    meta = store / "meta.json"
    meta.write_bytes(meta.read_bytes().replace(b" ", b"\t", 1))
    with pytest.raises(CorruptFileError, match=r"meta\.json: damaged, or edited"):
        open_store(store)


def test_store_of_the_version_without_checksums_is_made_again(source: Path, store: Path) -> None:
    meta = json.loads((store / "meta.json").read_text()) | {"version": 1}
    del meta["crc32c"], meta["checksum"]
    (store / "meta.json").write_text(json.dumps(meta, indent=2))
    message = "a store of version 1, .* reads version 2. Convert the TFRecord file again"
    with pytest.raises(CorruptFileError, match=message):
        open_store(store)
    assert not is_current(store, source)
    convert(source, store)
    assert len(open_store(store).cells) == 5


@pytest.mark.parametrize("n_repeats", ["3", '{"a": 3}', '{"108": null}'])
def test_meta_that_describes_nothing_is_refused(store: Path, n_repeats: str) -> None:
    meta = '{"format": "optuna-dnas NASBench-101 store", "version": 2, "n_cells": 5'
    text = f'{meta}, "n_repeats": {n_repeats}, "crc32c": {{}}, "checksum": "{UNSEALED}"}}'
    (store / "meta.json").write_bytes(seal(text.encode()))
    with pytest.raises(CorruptFileError, match=r"meta\.json: does not describe a store"):
        open_store(store)
