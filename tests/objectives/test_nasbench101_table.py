from __future__ import annotations

import base64
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from dataclasses import replace
import json
import math
import multiprocessing
import os
from pathlib import Path
import pickle
import re
import struct
import sys

import numpy as np
import pytest

from optuna_dnas.exceptions import CorruptFileError
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives import _nasbench101_table
from optuna_dnas.objectives import Metrics
from optuna_dnas.objectives._nasbench101_table import NASBench101Table
from optuna_dnas.objectives._tfrecord import read_records
from optuna_dnas.search_space import ModelSpec

from .records import OPS
from .records import random_runs
from .records import random_specs
from .records import reseal
from .records import Run
from .records import write_table


EPOCHS = (4, 12, 36, 108)
NAMES = ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
TAGS = (0x11, 0x19, 0x21, 0x29)
DIAMOND = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
PUBLISHED = ModelSpec.parse(
    f"{OPS[0]},{OPS[1]},{OPS[2]},{OPS[0]},{OPS[0]}"
    "|0111100/0000001/0000001/0000001/0000010/0000001/0000000"
)


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    """30 cells, 4 numbers of epochs, 3 runs."""
    rng = np.random.default_rng(0)
    return random_runs(rng, random_specs(rng, 30), epochs=EPOCHS, n_repeats=3)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, runs: list[Run]) -> Path:
    return write_table(tmp_path_factory.mktemp("table") / "full.tfrecord", runs)


@pytest.fixture(scope="module")
def table(path: Path) -> NASBench101Table:
    return NASBench101Table.open(path)


def expected(runs: list[Run], stop: str) -> Metrics:
    """The mean over some runs of a cell."""
    values = np.mean([getattr(run, stop) for run in runs], axis=0).tolist()
    named = dict(zip(NAMES, values, strict=True))
    return Metrics(**named, trainable_parameters=runs[0].parameters)


@pytest.mark.parametrize("stop", ["halfway", "final"])
@pytest.mark.parametrize("epochs", EPOCHS)
def test_answers_equal_the_file(
    table: NASBench101Table, runs: list[Run], epochs: int, stop: str
) -> None:
    by_spec = defaultdict(list)
    for run in runs:
        if run.epochs == epochs:
            by_spec[run.spec].append(run)
    for spec, mine in by_spec.items():
        for repeat in range(3):
            answer = table.query(spec, epochs=epochs, repeat=repeat, stop=stop)
            assert answer == expected(mine[repeat : repeat + 1], stop)
        assert table.query(spec, epochs=epochs, stop=stop) == expected(mine, stop)


def test_table_describes_itself(table: NASBench101Table, runs: list[Run]) -> None:
    specs = {run.spec for run in runs}

    assert len(table) == 30
    assert table.epochs == EPOCHS
    assert table.n_repeats == 3
    assert {table.cell(i) for i in range(len(table))} == specs
    assert all(spec in table for spec in specs)
    assert "a text" not in table
    assert [bytes(x).hex() for x in table.hashes] == [table.cell(i).hash() for i in range(30)]


def test_isomorphic_specs_have_one_answer(tmp_path: Path) -> None:
    spec = ModelSpec(DIAMOND, ["input", OPS[0], OPS[2], "output"])
    twin = ModelSpec(DIAMOND, ["input", OPS[2], OPS[0], "output"])
    other = ModelSpec(DIAMOND, ["input", OPS[2], OPS[2], "output"])
    run = Run(spec, halfway=(1.0, 0.1, 0.2, 0.3), final=(2.0, 0.4, 0.5, 0.6))
    table = NASBench101Table.open(write_table(tmp_path / "t.tfrecord", [run]))

    assert twin != spec
    assert table.query(twin) == table.query(spec) == expected([run], "final")
    assert other not in table


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stop", ["halfway", "final"])
def test_mean_of_all_cells_is_the_answer_of_each(
    table: NASBench101Table, name: str, stop: str
) -> None:
    means = table.mean(name, epochs=36, stop=stop)

    assert means.tolist() == [
        getattr(table.query(table.cell(i), epochs=36, stop=stop), name) for i in range(len(table))
    ]


def test_metrics_that_are_not_asked_for_are_nan(path: Path, runs: list[Run]) -> None:
    table = NASBench101Table.open(path, metrics=["validation_accuracy"])
    answer = table.query(runs[0].spec, repeat=0)

    full = NASBench101Table.open(path).query(runs[0].spec, repeat=0)
    hidden = [name for name, value in asdict(answer).items() if math.isnan(value)]
    assert sorted(hidden) == ["test_accuracy", "train_accuracy", "training_time"]
    assert answer.validation_accuracy == full.validation_accuracy
    assert answer.trainable_parameters == full.trainable_parameters
    with pytest.raises(ValueError, match=r"`metric` must be of .*, but got 'test_accuracy'"):
        table.mean("test_accuracy")


def test_cells_may_have_different_runs_and_epochs(tmp_path: Path) -> None:
    a, b = random_specs(np.random.default_rng(1), 2)
    first = Run(a, halfway=(1.0, 0.1, 0.2, 0.3), final=(2.0, 0.4, 0.5, 0.6))
    second = replace(first, final=(4.0, 0.5, 0.7, 0.9))
    short = Run(b, halfway=(3.0, 0.1, 0.2, 0.3), final=(5.0, 0.4, 0.5, 0.6))
    only_4 = replace(short, epochs=4)
    path = write_table(tmp_path / "t.tfrecord", [only_4, first, short, second])
    table = NASBench101Table.open(path)

    assert (table.n_repeats, table.epochs) == (2, (4, 108))
    assert table.query(a) == expected([first, second], "final")
    assert table.query(b) == table.query(b, repeat=0) == expected([short], "final")
    with pytest.raises(ValueError, match=r"`repeat` must be in 0\.\.0, but got 1"):
        table.query(b, repeat=1)
    with pytest.raises(OutOfDomainError, match="no run of 4 epochs"):
        table.query(a, epochs=4)
    means = table.mean("test_accuracy", epochs=4).tolist()
    for index, mean in enumerate(means):
        assert mean == 0.6 if table.cell(index) == b else math.isnan(mean)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 5}, r"`epochs` must be one of \(4, 12, 36, 108\), but got 5"),
        ({"repeat": 3}, r"`repeat` must be in 0\.\.2, but got 3"),
        ({"repeat": -1}, r"`repeat` must be in 0\.\.2, but got -1"),
        ({"stop": "end"}, r"`stop` must be one of \('halfway', 'final'\), but got 'end'"),
    ],
)
def test_error_names_option_and_value(
    table: NASBench101Table, runs: list[Run], options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        table.query(runs[0].spec, **options)


def test_unknown_cell_is_out_of_domain(table: NASBench101Table) -> None:
    assert PUBLISHED not in table
    with pytest.raises(OutOfDomainError, match=r"does not hold the cell conv3x3-bn-relu,"):
        table.query(PUBLISHED)


def test_open_refuses_what_is_no_table(tmp_path: Path, path: Path) -> None:
    foreign = tmp_path / "notes.txt"
    foreign.write_text("not a table, but long enough for a header")
    with pytest.raises(FileNotFoundError, match=r"missing\.tfrecord"):
        NASBench101Table.open(tmp_path / "missing.tfrecord")
    with pytest.raises(CorruptFileError, match=r"notes\.txt"):
        NASBench101Table.open(foreign)
    with pytest.raises(CorruptFileError, match="neither a TFRecord file nor a store"):
        NASBench101Table.open(tmp_path)
    with pytest.raises(ValueError, match=r"`metrics` must be of .*, but got 'accuracy'"):
        NASBench101Table.open(path, metrics=["accuracy"])


def test_file_is_converted_once(
    tmp_path: Path, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_table(tmp_path / "t.tfrecord", runs)
    answer = NASBench101Table.open(path).query(runs[0].spec)
    store = tmp_path / "t.tfrecord.store"
    monkeypatch.setattr(_nasbench101_table, "convert", lambda *_, **__: pytest.fail("Again."))

    assert NASBench101Table.open(path).query(runs[0].spec) == answer
    assert NASBench101Table.open(str(store)).query(runs[0].spec) == answer


def test_store_is_in_the_cache_if_the_folder_is_not_writable(
    tmp_path: Path, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda _: str(cache / "optuna-dnas"))
    monkeypatch.setattr(os, "access", lambda *_: False)  # The user may be root.
    answers = []
    for folder, mine in (("a", runs), ("b", [replace(run, parameters=7) for run in runs])):
        (tmp_path / folder).mkdir()
        path = write_table(tmp_path / folder / "t.tfrecord", mine)
        answers.append(NASBench101Table.open(path).query(runs[0].spec))

        assert list(path.parent.iterdir()) == [path]
    assert len(list((cache / "optuna-dnas").iterdir())) == 2
    assert answers[0].trainable_parameters != 7 == answers[1].trainable_parameters


def test_progress_is_shown_only_if_asked_for(
    tmp_path: Path, runs: list[Run], capfd: pytest.CaptureFixture[str]
) -> None:
    NASBench101Table.open(write_table(tmp_path / "a.tfrecord", runs))
    assert capfd.readouterr().err == ""

    NASBench101Table.open(write_table(tmp_path / "b.tfrecord", runs), progress=True)
    first, last = capfd.readouterr().err.splitlines()  # It is no terminal.
    assert first.startswith("Converting b.tfrecord: 0.00/")
    assert re.match(r"Converting b.tfrecord: (\S+)/\1 ", last)


def test_unsorted_store_is_refused(tmp_path: Path, runs: list[Run]) -> None:
    NASBench101Table.open(write_table(tmp_path / "t.tfrecord", runs))
    cells = tmp_path / "t.tfrecord.store" / "cells.npy"
    np.save(cells, np.load(cells)[::-1])
    reseal(cells.parent)
    with pytest.raises(CorruptFileError, match="not sorted"):
        NASBench101Table.open(tmp_path / "t.tfrecord")


def test_pickled_table_gives_the_same_answers(path: Path, runs: list[Run]) -> None:
    table = NASBench101Table.open(path, metrics=["test_accuracy"])
    data = pickle.dumps(table)
    copy = pickle.loads(data)

    assert len(data) < 1000
    assert repr(copy) == repr(table)
    for name in ("test_accuracy", "trainable_parameters"):
        assert getattr(copy.query(runs[0].spec), name) == getattr(table.query(runs[0].spec), name)


def test_threads_and_forks_read_the_same(table: NASBench101Table, runs: list[Run]) -> None:
    specs = [run.spec for run in runs]
    answers = [table.query(spec) for spec in specs]

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(table.query, specs)) == answers
    if sys.platform == "win32":
        return
    with multiprocessing.get_context("fork").Pool(2) as processes:
        assert processes.map(table.query, specs) == answers


@pytest.fixture(scope="module")
def real_path() -> Path:
    path = os.environ.get("OPTUNA_DNAS_NASBENCH101")
    if not path:
        pytest.skip("OPTUNA_DNAS_NASBENCH101 names no NASBench-101 TFRecord file or store.")
    return Path(path)


@pytest.mark.slow
def test_real_table(real_path: Path) -> None:
    table = NASBench101Table.open(real_path)
    best = table.mean("test_accuracy")

    assert len(table) == 423_624
    assert table.n_repeats == 3
    assert PUBLISHED.hash() == "28cfc7874f6d200472e1a9dcd8650aa0"
    assert table.query(PUBLISHED).trainable_parameters == 2_694_282
    assert best.max() == pytest.approx(0.943176, abs=5e-7)
    for index in np.random.default_rng(0).choice(len(table), 2000, replace=False).tolist():
        spec = table.cell(index)
        assert spec.hash() == bytes(table.hashes[index]).hex()
        assert table.query(spec).test_accuracy == best[index]


@pytest.mark.slow
def test_real_table_holds_every_double_of_the_file(real_path: Path) -> None:
    if real_path.is_dir():
        pytest.skip("OPTUNA_DNAS_NASBENCH101 is a store: there is no file to compare with.")
    table = NASBench101Table.open(real_path)
    places = {bytes(digest): i for i, digest in enumerate(table.hashes)}
    seen: dict[tuple[int, int], int] = defaultdict(int)
    for data in read_records(real_path):
        hash_, epochs, _, _, metrics = json.loads(data)
        message = base64.b64decode(metrics)
        place = places[bytes.fromhex(hash_)]
        stored = table._runs[epochs][place, seen[place, epochs]]  # (2, 4)
        halfway, final = (
            b"".join(bytes([tag]) + struct.pack("<d", x) for tag, x in zip(TAGS, row, strict=True))
            for row in stored.tolist()
        )
        assert 0 < message.find(halfway) <= message.rfind(final)
        seen[place, epochs] += 1
    n_runs = sum(np.isfinite(runs[:, :, 0, 0]).sum() for runs in table._runs.values())
    assert sum(seen.values()) == n_runs
