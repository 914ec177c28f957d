from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import optuna
from optuna.storages import BaseStorage
from optuna.storages import InMemoryStorage
from optuna.storages import JournalStorage
from optuna.storages import RDBStorage
from optuna.storages.journal import JournalFileBackend
import pytest

from tests.databases import DATABASES
from tests.databases import open_database


pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")

STORAGES: dict[str, Callable[[Path], BaseStorage]] = {
    "memory": lambda folder: InMemoryStorage(),
    "sqlite": lambda folder: RDBStorage(f"sqlite:///{folder}/study.db"),
    "journal": lambda folder: JournalStorage(JournalFileBackend(f"{folder}/journal.log")),
}


@pytest.fixture(params=[*STORAGES, *DATABASES])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseStorage]:
    if request.param in STORAGES:
        yield STORAGES[request.param](tmp_path)
        return
    with open_database(request.param) as opened:
        yield opened


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "artifacts"


def copied(study: optuna.Study, storage: BaseStorage) -> optuna.Study:
    """The same study, elsewhere."""
    copy = optuna.create_study(storage=storage, directions=study.directions)
    copy.set_metric_names(study.metric_names or ["value"])
    copy.add_trials(study.get_trials(deepcopy=False))
    return copy
