"""Storages, as a command line names them."""

from pathlib import Path

import optuna
from optuna.storages import BaseStorage
from optuna.storages import get_storage
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError


def open_storage(storage: str) -> BaseStorage:
    """Nothing is created where nothing was: a mistyped path would become an empty database."""
    if Path(storage).is_file():
        return JournalStorage(JournalFileBackend(storage))
    try:
        make_url(storage)
    except ArgumentError:
        raise ValueError(
            f"STORAGE must be the URL of a database, such as sqlite:///optuna-dnas.db, or the "
            f"file of a journal, but got {storage!r}."
        ) from None
    file = file_of(storage)
    if file is not None and not file.is_file():
        raise ValueError(f"There is no file {file}.")
    return get_storage(storage)


def load_study(storage: str, study_name: str) -> optuna.Study:
    """A study that is there.

    Raises:
        ValueError: It is not; the message names those that are.
    """
    opened = open_storage(storage)
    names = sorted(study.study_name for study in opened.get_all_studies())
    if study_name not in names:
        hint = f"it has {', '.join(map(repr, names))}" if names else "it has none at all"
        raise ValueError(
            f"There is no study {study_name!r} in {without_secrets(storage)}; {hint}."
        )
    return optuna.load_study(study_name=study_name, storage=opened)


def without_secrets(storage: str) -> str:
    """A storage as one may show it: no user, password or options."""
    try:
        url = make_url(storage)
    except ArgumentError:  # A file.
        return storage
    shown = URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
    return shown.render_as_string()


def file_of(storage: str) -> Path | None:
    """The journal, or the file of an SQLite database; `None` for what is in no file."""
    if Path(storage).is_file():
        return Path(storage)
    try:
        url = make_url(storage)
    except ArgumentError:
        return None
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)) if is_file else None
