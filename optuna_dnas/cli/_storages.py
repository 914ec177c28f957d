"""Storages, as a command line names them; and their passwords, which nobody is shown."""

from collections.abc import Sequence
import importlib
from pathlib import Path
import re
import shlex
import types
from urllib.parse import quote
from urllib.parse import unquote
import warnings

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage
from optuna.storages import get_storage
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal import JournalRedisBackend
from sqlalchemy.engine import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import DBAPIError


STORAGE_VARIABLE = "OPTUNA_DNAS_STORAGE"
"""The environment variable that may hold the URL of a storage, for one that has a password."""

# By backend: SQLAlchemy's names of drivers, and their modules, the first one that is installed
# serves. Which one SQLAlchemy takes by itself changed with its version 2.1.
_DRIVERS = {
    "postgresql": {"psycopg2": "psycopg2", "psycopg": "psycopg"},
    "mysql": {"mysqldb": "MySQLdb", "pymysql": "pymysql"},
    "mariadb": {"mysqldb": "MySQLdb", "pymysql": "pymysql"},
}
_EXTRAS = {"postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql", "redis": "redis"}
_REDIS = ("redis", "rediss")
_JOURNALS = (".journal", ".log")
_JOURNAL = b'{"op_code":'
_SQLITE_FILE = b"SQLite format 3\0"
_HIDDEN = "***"
_MIN_OPTION = 4


class StorageError(ValueError):
    """What is wrong with a storage, without its name: `clear_errors` puts that before it."""


def open_storage(storage: str, *, create: bool = False) -> BaseStorage:
    """A storage of studies.

    Args:
        storage: The URL of a database or of Redis, or the file of a journal.
        create: Make the file of a database or a journal, if there is none. Otherwise nothing is
            created where nothing was: a mistyped path would become an empty database.

    Raises:
        ImportError: A driver is missing; the message says how to get it.
        StorageError: It is none, or there is none.
    """
    if Path(storage).is_file():
        return _open_journal(Path(storage))
    url = _parse(storage)
    if url is None:
        return _open_journal(_new_journal(storage, create))
    if url.get_backend_name() in _REDIS:
        return _open_redis(storage)
    file = file_of(storage)
    if file is not None and not file.is_file() and not create:
        raise StorageError(f"there is no file {file}.")
    return get_storage(_with_driver(url).render_as_string(hide_password=False))


def load_study(storage: str, study_name: str) -> optuna.Study:
    """A study that is there.

    Raises:
        StorageError: It is not; the message names those that are.
    """
    opened = open_storage(storage)
    names = sorted(study.study_name for study in opened.get_all_studies())
    if study_name not in names:
        hint = f"it has {', '.join(map(repr, names))}" if names else "it has none at all"
        raise StorageError(f"there is no study {study_name!r}; {hint}.")
    return optuna.load_study(study_name=study_name, storage=opened)


def file_of(storage: str) -> Path | None:
    """The journal, or the file of an SQLite database; `None` for what is in no file."""
    if Path(storage).is_file():
        return Path(storage)
    url = _parse(storage)
    if url is None:
        return Path(storage)
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)) if is_file else None


def without_secrets(storage: str) -> str:
    """A storage as one may show it: no user, password or options."""
    url = _parse(storage)
    if url is None:
        start, at, rest = storage.rpartition("@")
        # Meant as a URL that is none, by a slip. The file of a journal may have an "@", too.
        return f"{_HIDDEN}@{rest.partition('?')[0]}" if at and ":" in start else storage
    shown = URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
    return shown.render_as_string()


def has_secrets(storage: str) -> bool:
    """Whether a storage must not be shown as it is."""
    url = _parse(storage)
    if url is None:
        return without_secrets(storage) != storage
    if url.get_backend_name() == "sqlite":
        return False
    # Options may be of any meaning, and a user of Redis may be a token.
    is_token = url.get_backend_name() in _REDIS and url.username is not None
    return url.password is not None or bool(url.query) or is_token


def to_shell(words: Sequence[str], storage: str | None) -> str:
    """Words of a command, quoted for the shell; a variable stands for a storage with secrets."""
    hidden = storage if storage is not None and has_secrets(storage) else None
    return " ".join(
        f'"${STORAGE_VARIABLE}"' if word == hidden else shlex.quote(word) for word in words
    )


def scrub(text: str, storage: str) -> str:
    """A text, such as a driver's message, without the secrets of a storage."""
    if not has_secrets(storage):
        return text
    text = text.replace(storage, without_secrets(storage))
    for secret in _secrets_of(storage):
        for form in {secret, quote(secret, safe=""), unquote(secret)}:
            # As a whole word: a password may be as short as "a".
            text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", _HIDDEN, text)
    return text


def reason_of(error: BaseException, storage: str) -> str:
    """What a storage, its driver or its file says about an error, in one line."""
    for cause in chain_of(error):
        if isinstance(cause, DBAPIError) and cause.orig is not None:
            # Some drivers give a number and a text, others a text.
            return _first_line(cause.orig.args[-1] if cause.orig.args else cause.orig)
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    if Path(storage).is_file() and not isinstance(error, StorageError):
        return f"the journal is damaged ({_named(error)})."
    return _first_line(error) or type(error).__name__


def chain_of(error: BaseException | None) -> list[BaseException]:
    """An error, and those that it came from or followed."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _parse(storage: str) -> URL | None:
    try:
        return make_url(storage)
    except (ArgumentError, ValueError):  # No URL, or a port that is no number.
        return None


def _open_journal(path: Path) -> BaseStorage:
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(len(_SQLITE_FILE))
        if start == _SQLITE_FILE:
            raise StorageError(f"an SQLite database, whose URL is sqlite:///{path}.")
        # Optuna takes a single line of anything for one that is being written, and would append.
        if not start.startswith(_JOURNAL[: len(start)]):
            raise StorageError("not the journal of an Optuna study.")
    return JournalStorage(JournalFileBackend(str(path)))


def _new_journal(storage: str, create: bool) -> Path:
    path = Path(storage)
    if storage and path.is_dir():
        raise StorageError("a folder, but the file of a journal is needed, or a URL.")
    if not create or path.suffix not in _JOURNALS:
        new = f"; the name of a new one ends in {' or '.join(_JOURNALS)}" if create else ""
        raise StorageError(
            "neither the URL of a database, such as sqlite:///optuna-dnas.db, nor the file of a "
            f"journal{new}."
        )
    return path


def _open_redis(storage: str) -> BaseStorage:
    _import_driver("redis", ["redis"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return JournalStorage(JournalRedisBackend(storage))


def _with_driver(url: URL) -> URL:
    """The URL with a driver that is installed, unless it names one."""
    backend, _, driver = url.drivername.partition("+")
    modules = _DRIVERS.get(backend, {})
    if driver:
        if driver in modules:
            _import_driver(backend, [modules[driver]])
        return url
    if not modules:
        return url
    module = _import_driver(backend, list(modules.values()))
    (name,) = [name for name, other in modules.items() if other == module.__name__]
    return url.set(drivername=f"{backend}+{name}")


def _import_driver(backend: str, modules: Sequence[str]) -> types.ModuleType:
    """The first of some modules that can be imported."""
    for module in modules:
        try:
            return importlib.import_module(module)
        except ImportError:
            continue
    raise ImportError(
        f"{backend} needs {' or '.join(modules)}, which cannot be imported: "
        f'`pip install "optuna-dnas[{_EXTRAS[backend]}]"`.'
    )


def _secrets_of(storage: str) -> list[str]:
    """Longest first, as one may be a part of another."""
    url = _parse(storage)
    if url is None:
        start = storage.rpartition("@")[0]
        secrets = [start, *re.split(r"[:/]+", start)[1:]]
    else:
        options = url.query.values()
        values = [v for value in options for v in ([value] if isinstance(value, str) else value)]
        # Shorter ones are numbers and switches, which a message may have for other reasons.
        secrets = [str(url.password or ""), *(v for v in values if len(v) >= _MIN_OPTION)]
        if url.get_backend_name() in _REDIS:
            secrets.append(url.username or "")
    return sorted(filter(None, secrets), key=len, reverse=True)


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {_first_line(error)}"


def _first_line(message: object) -> str:
    lines = str(message).strip().splitlines()
    return lines[0].strip() if lines else ""
