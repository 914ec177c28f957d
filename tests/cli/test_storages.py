"""Storages on the command line: which there are, what goes wrong with them, and their secrets."""

from collections.abc import Callable
from pathlib import Path
import sqlite3
import sys
from types import ModuleType
from typing import Any
import uuid

import optuna
from optuna.storages import JournalStorage
from optuna.storages import RDBStorage
from optuna.storages.journal import JournalFileBackend
import pytest
import sqlalchemy

from optuna_dnas.cli._storages import open_storage
from optuna_dnas.cli._storages import without_secrets
from optuna_dnas.objectives import DigitsCellObjective

from ..databases import database_url
from ..sampler.test_storages import redis as redis
from ..visualization.studies import flat_study
from .command import assert_is_message
from .command import next_commands
from .command import run
from .command import type_in


SECRET = "geh3im"
JOURNAL = "study.journal"


def study_name() -> str:
    return f"optuna-dnas-{uuid.uuid4().hex}"


def journal_of(path: Path) -> Path:
    storage = JournalStorage(JournalFileBackend(str(path)))
    study = optuna.create_study(study_name="mine", storage=storage)
    study.add_trials(flat_study(12).trials)
    return path


def test_a_search_keeps_its_study_in_a_journal(folder: Path) -> None:
    result = run("search", "--trials", 2, "--seed", 0, "--storage", JOURNAL)
    assert result.exit_code == 0, result.output
    go_on, explain, _, dashboard, _ = next_commands(result.output)
    assert dashboard == ["optuna-dnas", "dashboard", JOURNAL]
    assert type_in(explain).exit_code == 0
    assert type_in(go_on).exit_code == 0
    storage = JournalStorage(JournalFileBackend(JOURNAL))
    assert len(optuna.load_study(study_name="digits", storage=storage).trials) == 4


def test_a_search_keeps_its_study_in_redis(folder: Path, redis: Callable[[], Any]) -> None:
    redis()
    name = study_name()
    url = "redis://127.0.0.1:6379/7"
    try:
        words = ["--trials", 2, "--storage", url, "--study-name", name]
        result = run("search", *words)
        assert result.exit_code == 0, result.output
        assert run("explain", url, name).exit_code == 0
        assert run("explain", url, "other").exit_code == 1
    finally:
        optuna.delete_study(study_name=name, storage=open_storage(url))


@pytest.mark.parametrize("database", ["postgresql", "mysql"])
def test_a_url_without_a_driver_takes_one_that_is_installed(folder: Path, database: str) -> None:
    url = sqlalchemy.engine.make_url(database_url(database)).set(drivername=database)
    storage = url.render_as_string(hide_password=False)
    name = study_name()
    try:
        result = run("search", "--trials", 1, "--storage", storage, "--study-name", name)
        assert result.exit_code == 0, result.output
        assert run("explain", storage, name).exit_code == 0
    finally:
        optuna.delete_study(study_name=name, storage=open_storage(storage))


def test_another_driver_serves_where_the_first_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    monkeypatch.setitem(sys.modules, "psycopg", ModuleType("psycopg"))
    monkeypatch.setattr("optuna_dnas.cli._storages.get_storage", opened.append)
    open_storage(f"postgresql://me:{SECRET}@host/db")
    assert opened == [f"postgresql+psycopg://me:{SECRET}@host/db"]


@pytest.mark.parametrize(
    ("url", "modules", "extra"),
    [
        ("postgresql://host/db", ["psycopg", "psycopg2"], "postgresql"),
        ("postgresql+psycopg2://host/db", ["psycopg2"], "postgresql"),
        ("mysql://host/db", ["MySQLdb", "pymysql"], "mysql"),
        ("mariadb+pymysql://host/db", ["pymysql"], "mysql"),
        ("redis://host", ["redis"], "redis"),
    ],
)
def test_a_missing_driver_names_the_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch, url: str, modules: list[str], extra: str
) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    for words in (["search", "--storage", url], ["explain", url, "mine"]):
        assert f'"optuna-dnas[{extra}]"' in assert_is_message(run(*words))


def test_the_storage_may_be_given_in_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPTUNA_DNAS_STORAGE", f"sqlite:///{folder}/from-environment.db")
    assert run("search", "--trials", 1).exit_code == 0
    assert [path.name for path in folder.iterdir()] == ["from-environment.db"]


def damaged(path: Path) -> Path:
    lines = journal_of(path).read_bytes().splitlines(keepends=True)
    lines[3] = b'{"op_code":4}\n'
    path.write_bytes(b"".join(lines))
    return path


def torn(path: Path) -> Path:
    text = journal_of(path).read_bytes()
    path.write_bytes(text[:500] + text[600:])
    return path


def written(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (damaged, "the journal is damaged (KeyError"),
        (torn, "the journal is damaged (JSONDecodeError"),
        (written(b"root:x:0:0:root:/root:/bin/bash\n"), "not the journal of an Optuna study"),
        (written(b"one line"), "not the journal of an Optuna study"),
        (written(b"[1]\n"), "not the journal of an Optuna study"),
        (written(b"\xff\xfe\x00"), "not the journal of an Optuna study"),
        (written(b"SQLite format 3\0..."), "whose URL is sqlite:///any"),
        (Path.mkdir, "a folder, but the file of a journal is needed"),
    ],
)
@pytest.mark.parametrize("words", [["search", "--storage"], ["explain"]])
def test_what_is_no_journal_is_told_and_left_alone(
    folder: Path, words: list[str], make: Callable[[Path], object], message: str
) -> None:
    make(Path("any"))
    before = Path("any").read_bytes() if Path("any").is_file() else b""
    result = run(*words, "any", *(["mine"] if words == ["explain"] else []))
    text = assert_is_message(result).strip()
    name = "--storage" if words[0] == "search" else "STORAGE"
    assert text.startswith(f"{name} 'any': ")
    assert message in text
    assert len(text.splitlines()) == 1
    assert not before or Path("any").read_bytes() == before


def test_an_empty_journal_has_no_study(folder: Path) -> None:
    Path("empty").touch()
    assert "there is no study 'mine'" in assert_is_message(run("explain", "empty", "mine"))
    assert Path("empty").read_bytes() == b""


@pytest.mark.parametrize("storage", ["postgresql", "mysql"])
def test_a_name_that_a_database_cannot_keep(folder: Path, storage: str) -> None:
    url = database_url(storage)
    result = run("search", "--trials", 1, "--storage", url, "--study-name", "x" * 600)
    assert "--study-name must have at most 512 characters, but got 600" in assert_is_message(
        result
    )


def after_the_first_trial(monkeypatch: pytest.MonkeyPatch, harm: Callable[[], object]) -> None:
    original, calls = DigitsCellObjective.__call__, []

    def call(self: DigitsCellObjective, trial: optuna.Trial) -> Any:
        calls.append(trial)
        if len(calls) == 2:
            harm()
        return original(self, trial)

    monkeypatch.setattr(DigitsCellObjective, "__call__", call)


def test_a_server_that_is_lost_during_a_search(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = study_name()
    url = sqlalchemy.engine.make_url(database_url("postgresql"))
    own = url.update_query_dict({"application_name": name}).render_as_string(hide_password=False)
    engine = sqlalchemy.create_engine(url)
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name"

    def disconnect() -> None:
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(kill), {"name": name})

    after_the_first_trial(monkeypatch, disconnect)
    try:
        result = run("search", "--trials", 3, "--storage", own, "--study-name", name)
        text = assert_is_message(result).strip()
        assert text.startswith(f"--storage '{without_secrets(own)}': ")
        assert len(text.splitlines()) == 1
    finally:
        optuna.delete_study(study_name=name, storage=RDBStorage(url.render_as_string(False)))
        engine.dispose()


def test_a_table_that_is_lost_during_a_search(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drop() -> None:
        with sqlite3.connect("study.db") as connection:
            connection.execute("DROP TABLE trial_values")

    after_the_first_trial(monkeypatch, drop)
    result = run("search", "--trials", 3, "--storage", "sqlite:///study.db")
    message = "--storage 'sqlite:///study.db': no such table: trial_values"
    assert assert_is_message(result).strip() == message


def test_a_journal_that_is_damaged_during_a_search(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damage() -> None:
        with Path(JOURNAL).open("ab") as file:
            file.write(b'{"op_code":99}\n')

    after_the_first_trial(monkeypatch, damage)
    result = run("search", "--trials", 3, "--storage", JOURNAL)
    text = assert_is_message(result).strip()
    assert text.startswith(f"--storage '{JOURNAL}': the journal is damaged")
    assert len(text.splitlines()) == 1


def test_errors_of_the_package_are_not_taken_for_those_of_a_storage(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise KeyError("a fault of ours")

    after_the_first_trial(monkeypatch, fail)
    assert isinstance(run("search", "--trials", 3).exception, KeyError)


def with_secret(url: str) -> str:
    """A server that asks this user for no password takes any."""
    made = sqlalchemy.engine.make_url(url).set(password=SECRET)
    return made.render_as_string(hide_password=False)


def test_a_search_shows_and_keeps_no_password(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, name = with_secret(database_url("postgresql")), study_name()
    try:
        words = ["--trials", 2, "--seed", 0, "--storage", url, "--study-name", name]
        result = run("search", *words)
        assert result.exit_code == 0, result.output
        assert SECRET not in result.output
        study = optuna.load_study(study_name=name, storage=url)
        assert SECRET not in repr((study.user_attrs, study.trials))
        set_it, go_on, explain, _, dashboard, pareto = next_commands(result.output)
        assert set_it == ["read", "-rs", "OPTUNA_DNAS_STORAGE;", "export", "OPTUNA_DNAS_STORAGE"]
        # What the shell makes of them.
        monkeypatch.setenv("OPTUNA_DNAS_STORAGE", url)
        for command in (go_on, explain, dashboard, pareto):
            assert command.count("$OPTUNA_DNAS_STORAGE") == 1
        result = type_in([word.replace("$OPTUNA_DNAS_STORAGE", url) for word in explain])
        assert result.exit_code == 0, result.output
        assert SECRET not in result.output + Path("report.html").read_text(encoding="utf-8")
        result = run("search", "--trials", 1, "--study-name", name)
        assert result.exit_code == 0, result.output
        assert SECRET not in result.output
        go_on, explain, *_ = next_commands(result.output)
        assert go_on == ["optuna-dnas", "search", "--trials", "1", "--study-name", name]
        assert explain == ["optuna-dnas", "explain", "$OPTUNA_DNAS_STORAGE", name]
    finally:
        optuna.delete_study(study_name=name, storage=url)


@pytest.mark.parametrize(
    "storage",
    [
        f"postgresql://me:{SECRET}@127.0.0.1:1/db",
        f"postgresql://me@127.0.0.1:1/db?password={SECRET}",
        f"postgresql://postgres@127.0.0.1:5432/test?{SECRET}=1&password={SECRET}",
        f"postgresql+psycopg2://me:{SECRET}@127.0.0.1:port/db",
        f"postgresql://me:pass/{SECRET}@127.0.0.1:1/db",
        f"mysql+pymysql://me:{SECRET}@127.0.0.1:1/db",
        f"mysql+pymysql://me@127.0.0.1:1/db?passwd={SECRET}",
        f"mysql:/me:{SECRET}@127.0.0.1:1/db",
        f"mysql+nosuch://me:{SECRET}@127.0.0.1:1/db",
        f"redis://:{SECRET}@127.0.0.1:1",
        f"redis://{SECRET}@127.0.0.1:1",
        f"redis://127.0.0.1:1?password={SECRET}",
        f"nosuch://me:{SECRET}@127.0.0.1:1/db",
    ],
)
@pytest.mark.parametrize("words", [["search", "--storage"], ["explain"], ["dashboard"]])
def test_no_error_shows_a_secret(folder: Path, words: list[str], storage: str) -> None:
    result = run(*words, storage, *(["mine"] if words == ["explain"] else []))
    text = assert_is_message(result).strip()
    assert SECRET not in result.output
    assert "127.0.0.1" in text
    assert len(text.splitlines()) == 1


def test_a_driver_that_repeats_a_secret_is_not_quoted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("me:p%40ss and p@ss at postgresql://me:p%40ss@host/db")

    monkeypatch.setattr("optuna_dnas.cli._storages.get_storage", fail)
    result = run("explain", "postgresql://me:p%40ss@host/db", "mine")
    assert assert_is_message(result).strip() == "me:*** and *** at postgresql://host/db"


@pytest.mark.parametrize(
    ("storage", "shown"),
    [
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("postgresql://me:secret@host:5432/db?password=secret", "postgresql://host:5432/db"),
        ("redis://:secret@host:6379/0", "redis://host:6379/0"),
        ("postgresql://me:secret@host:port/db?password=secret", "***@host:port/db"),
        ("my.journal", "my.journal"),
        ("me@home.journal", "me@home.journal"),
    ],
)
def test_a_storage_is_shown_without_secrets(storage: str, shown: str) -> None:
    assert without_secrets(storage) == shown
