"""``optuna-dnas explain``."""

import errno
import os
from pathlib import Path
import sys
import uuid

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
import pytest

from optuna_dnas.cli._storages import without_secrets
from tests.cli.command import assert_is_message
from tests.cli.command import next_commands
from tests.cli.command import run
from tests.cli.command import type_in
from tests.databases import DATABASES
from tests.databases import open_database
from tests.visualization.studies import flat_study


def keep(storage: str | optuna.storages.BaseStorage, name: str = "mine") -> None:
    optuna.copy_study(
        from_study_name=name,
        from_storage=_in_memory(name),
        to_storage=storage,
    )


def _in_memory(name: str) -> optuna.storages.BaseStorage:
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(study_name=name, storage=storage)
    study.add_trials(flat_study(12).trials)
    return storage


def test_the_step_after_a_search_is_a_report(folder: Path) -> None:
    searched = run("search", "--trials", 12, "--seed", 0)
    (words,) = [w for w in next_commands(searched.output) if w[1] == "explain"]
    result = type_in(words)
    assert result.exit_code == 0, result.output
    assert "evaluated 12 different ones in 12 trials" in result.output
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "sqlite:///optuna-dnas.db" in text
    best = optuna.load_study(study_name="digits", storage="sqlite:///optuna-dnas.db").best_trial
    assert f"trial {best.number}" in result.output


def test_database_of_another_sampler(folder: Path) -> None:
    keep("sqlite:///mine.db")
    result = run("explain", "sqlite:///mine.db", "mine", "--output", "why.html")
    assert result.exit_code == 0, result.output
    assert "</html>" in (folder / "why.html").read_text(encoding="utf-8")


def test_journal(folder: Path) -> None:
    keep(JournalStorage(JournalFileBackend(str(folder / "my.journal"))))
    result = run("explain", "my.journal", "mine")
    assert result.exit_code == 0, result.output
    assert (folder / "report.html").is_file()


@pytest.mark.parametrize("database", DATABASES)
def test_database_server(folder: Path, database: str) -> None:
    name = f"optuna-dnas-{uuid.uuid4().hex}"
    with open_database(database) as storage:
        keep(storage, name)
        result = run("explain", storage.url, name)
    assert result.exit_code == 0, result.output
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert name in text
    assert f"{without_secrets(storage.url)}" in text
    assert storage.url not in text


def test_unknown_study_is_told_with_those_there_are(folder: Path) -> None:
    keep("sqlite:///mine.db")
    message = assert_is_message(run("explain", "sqlite:///mine.db", "yours"))
    assert "'yours'" in message
    assert "'mine'" in message


def test_database_that_is_not_there_is_not_made(folder: Path) -> None:
    message = assert_is_message(run("explain", "sqlite:///none.db", "mine"))
    assert "none.db" in message
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("storage", ["no.journal", "nothing://at.all/x"])
def test_what_is_no_storage_is_told(folder: Path, storage: str) -> None:
    assert storage.split(":")[0] in assert_is_message(run("explain", storage, "mine"))


def test_study_without_a_trial_is_told(folder: Path) -> None:
    optuna.create_study(storage="sqlite:///mine.db", study_name="mine")
    message = assert_is_message(run("explain", "sqlite:///mine.db", "mine"))
    assert "no completed trial" in message


def test_without_plotly_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep("sqlite:///mine.db")
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    monkeypatch.setitem(sys.modules, "plotly.subplots", None)
    message = assert_is_message(run("explain", "sqlite:///mine.db", "mine"))
    assert "optuna-dnas[visualization]" in message
    assert not (folder / "report.html").exists()


def test_a_full_disk_leaves_the_report_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    keep("sqlite:///mine.db")
    Path("report.html").write_text("the one before")
    monkeypatch.setattr("os.fsync", full)
    message = assert_is_message(run("explain", "sqlite:///mine.db", "mine"))
    assert "No space left on device" in message
    assert "report.html" in message
    assert Path("report.html").read_text() == "the one before"
    assert sorted(path.name for path in folder.iterdir()) == ["mine.db", "report.html"]


def test_a_report_to_a_full_device_is_told(folder: Path) -> None:
    keep("sqlite:///mine.db")
    result = run("explain", "sqlite:///mine.db", "mine", "--output", "/dev/full")
    assert "'/dev/full'" in assert_is_message(result)
    assert Path("/dev/full").is_char_device()
