"""Servers that tests need: where they are away, a test is skipped, and fails in CI."""

from collections.abc import Iterator
from contextlib import contextmanager
import os
from typing import NoReturn

from optuna.storages import RDBStorage
from optuna.study import StudyDirection
import pytest
import sqlalchemy


_DEFAULTS = {
    "postgresql": "postgresql+psycopg2://postgres@127.0.0.1:5432/test",
    "mysql": "mysql+pymysql://root@127.0.0.1:3306/test",
}

DATABASES = tuple(_DEFAULTS)


def database_url(name: str) -> str:
    """The database ``OPTUNA_DNAS_TEST_POSTGRESQL`` or ``_MYSQL``, or that of this machine."""
    url = os.environ.get(f"OPTUNA_DNAS_TEST_{name.upper()}", _DEFAULTS[name])
    engine = sqlalchemy.create_engine(url)
    try:
        engine.connect().close()
    except sqlalchemy.exc.OperationalError as error:
        is_away(name, error)
    finally:
        engine.dispose()
    return url


def is_away(name: str, error: Exception) -> NoReturn:
    """A service cannot be reached."""
    message = f"{name} cannot be reached: {error}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


class _Tidy(RDBStorage):
    """Remembers which studies it has made."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.made: list[int] = []

    def create_new_study(
        self, directions: list[StudyDirection], study_name: str | None = None
    ) -> int:
        study_id = super().create_new_study(directions, study_name)
        self.made.append(study_id)
        return study_id


@contextmanager
def open_database(name: str) -> Iterator[RDBStorage]:
    """A storage whose studies are deleted in the end."""
    storage = _Tidy(database_url(name))
    try:
        yield storage
    finally:
        known = {study._study_id for study in storage.get_all_studies()}
        for study_id in storage.made:
            if study_id in known:
                storage.delete_study(study_id)
