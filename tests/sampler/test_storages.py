"""Two worker processes without a seed on every kind of storage."""

from collections.abc import Callable
from collections.abc import Iterator
from functools import partial
import json
import multiprocessing as mp
from multiprocessing.synchronize import Barrier
import os
from pathlib import Path
import socket
from typing import Any
import uuid

import optuna
from optuna.storages import BaseStorage
from optuna.storages import GrpcStorageProxy
from optuna.storages import JournalStorage
from optuna.storages import RDBStorage
from optuna.storages import run_grpc_proxy_server
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal import JournalRedisBackend
from optuna.trial import FrozenTrial
from optuna.trial import Trial
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas._optuna_compat import published_params
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import SearchSpace
from tests.databases import database_url
from tests.databases import is_away


CELLS = NASBench101Space(max_vertices=4)  # 91 cells
N_WORKERS, N_STARTUP, N_TRIALS = 2, 6, 12

# Opens the storage, in any process.
Opener = Callable[[], BaseStorage]


def open_journal(path: Path) -> BaseStorage:
    return JournalStorage(JournalFileBackend(str(path)))


def open_redis(url: str, prefix: str) -> BaseStorage:
    return JournalStorage(JournalRedisBackend(url, prefix=prefix))


def open_grpc(port: int) -> BaseStorage:
    storage = GrpcStorageProxy(host="127.0.0.1", port=port)
    storage.wait_server_ready(timeout=60)
    return storage


@pytest.fixture
def sqlite(tmp_path: Path) -> Opener:
    return partial(RDBStorage, f"sqlite:///{tmp_path}/study.db")


@pytest.fixture
def journal(tmp_path: Path) -> Opener:
    return partial(open_journal, tmp_path / "journal.log")


@pytest.fixture
def grpc(sqlite: Opener) -> Iterator[Opener]:
    pytest.importorskip("grpc", reason="grpcio is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = mp.get_context("spawn").Process(target=_serve, args=(sqlite, port), daemon=True)
    server.start()
    yield partial(open_grpc, port)
    server.terminate()
    server.join()


def _serve(opener: Opener, port: int) -> None:
    run_grpc_proxy_server(opener(), host="127.0.0.1", port=port)


@pytest.fixture
def postgresql() -> Opener:
    return partial(RDBStorage, database_url("postgresql"))


@pytest.fixture
def mysql() -> Opener:
    return partial(RDBStorage, database_url("mysql"))


@pytest.fixture
def redis() -> Iterator[Opener]:
    client_library = pytest.importorskip("redis")
    url = os.environ.get("OPTUNA_DNAS_TEST_REDIS", "redis://127.0.0.1:6379")
    client = client_library.Redis.from_url(url)
    try:
        client.ping()
    except client_library.exceptions.ConnectionError as error:
        is_away("redis", error)
    prefix = f"optuna-dnas-test-{uuid.uuid4().hex}"
    yield partial(open_redis, url, prefix)
    for key in client.scan_iter(f"{prefix}*"):
        client.delete(key)


def cell_objective(trial: Trial) -> tuple[float, float]:
    cost = CELLS.cost(CELLS.suggest(trial))
    trial.set_constraint("max_params", cost.params - 5_000_000.0)
    return cost.params / 1e6, cost.flops / 1e9


def flat_objective(trial: Trial) -> tuple[float, float]:
    op = trial.suggest_categorical("op", ["conv", "pool", None])
    width = trial.suggest_int("width", 8, 512, log=True)
    if op == "conv":
        return 1 / width, trial.suggest_float("rate", 1e-4, 1.0, log=True)
    return 1 / width, float(trial.suggest_int("stride", 1, 4))


SPACES: dict[str, tuple[Callable[[Trial], tuple[float, float]], SearchSpace[Any] | None]] = {
    "cell": (cell_objective, CELLS),
    "flat": (flat_objective, None),
}


def architecture_of(kind: str, trial: FrozenTrial) -> str:
    if kind == "cell":
        return CELLS.hash(CELLS.params_to_architecture(trial.params))
    # As it was proposed: that one of its parameters is inactive, workers only learn by and by.
    return json.dumps(trial.params | published_params(trial), sort_keys=True)


def work(opener: Opener, study_names: dict[str, str], config: DNASConfig, start: Barrier) -> None:
    """One worker: a sampler of its own, in one study after the other."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = opener()
    for kind, study_name in study_names.items():
        objective, space = SPACES[kind]
        sampler = DNASSampler(space=space, config=config, n_startup_trials=N_STARTUP)
        study = optuna.load_study(study_name=study_name, storage=storage, sampler=sampler)
        start.wait(timeout=120)
        study.optimize(objective, n_trials=N_TRIALS)


@pytest.fixture
def opener(request: pytest.FixtureRequest) -> Opener:
    fixture: Opener = request.getfixturevalue(request.param)
    return fixture


STORAGES = pytest.mark.parametrize(
    "opener", ["sqlite", "journal", "grpc", "postgresql", "mysql", "redis"], indirect=True
)


@STORAGES
def test_a_proposal_is_known_to_other_workers_before_it_is_suggested(
    opener: Opener, config: DNASConfig
) -> None:
    """One after the other, nobody finishing: in startup and from the queue of one round."""
    name = f"optuna-dnas-{uuid.uuid4().hex}"
    storages = [opener() for _ in range(N_WORKERS)]
    directions = ["minimize", "maximize"]
    optuna.create_study(storage=storages[0], study_name=name, directions=directions)
    studies = [
        optuna.load_study(
            study_name=name,
            storage=storage,
            sampler=DNASSampler(space=CELLS, config=config, n_startup_trials=6),
        )
        for storage in storages
    ]
    try:
        studies[0].optimize(cell_objective, n_trials=3)
        started = _ask_in_turn(studies, 10)
        for trial in started[:3]:
            studies[0].tell(trial, cell_objective(trial))
        queued = _ask_in_turn(studies, 10)
        trials = optuna.load_study(study_name=name, storage=opener()).trials
        sources = [trial.user_attrs["dnas:source"] for trial in trials]
        assert sources[:13] == ["startup"] * 13
        assert "startup" not in sources[13:]
        assert len(queued) == 10
        cells = [CELLS.params_to_architecture(published_params(trial)) for trial in trials]
        assert len({CELLS.hash(cell) for cell in cells}) == len(trials) == 23
    finally:
        optuna.delete_study(study_name=name, storage=storages[0])


def _ask_in_turn(studies: list[optuna.Study], n: int) -> list[Trial]:
    """Trials that have suggested one parameter, so that the others are only published."""
    trials = [studies[k % len(studies)].ask() for k in range(n)]
    for trial in trials:
        trial.suggest_categorical("edge_0_1", [0, 1])
    return trials


@pytest.mark.slow
@STORAGES
def test_workers_share_a_study(opener: Opener, config: DNASConfig) -> None:
    storage = opener()
    study_names = {kind: f"optuna-dnas-{kind}-{uuid.uuid4().hex}" for kind in SPACES}
    for study_name in study_names.values():
        optuna.create_study(
            storage=storage, study_name=study_name, directions=["minimize", "maximize"]
        )
    try:
        _run_workers(opener, study_names, config)
        for kind, study_name in study_names.items():
            # A storage that has nothing in memory: what it knows was written down.
            study = optuna.load_study(study_name=study_name, storage=opener())
            _check_study(kind, study)
    finally:
        for study_name in study_names.values():
            optuna.delete_study(study_name=study_name, storage=storage)


def _run_workers(opener: Opener, study_names: dict[str, str], config: DNASConfig) -> None:
    context = mp.get_context("spawn")
    start = context.Barrier(N_WORKERS)
    workers = [
        context.Process(target=work, args=(opener, study_names, config, start))
        for _ in range(N_WORKERS)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * N_WORKERS


def _check_study(kind: str, study: optuna.Study) -> None:
    trials = study.trials
    assert [t.state for t in trials] == [TrialState.COMPLETE] * N_WORKERS * N_TRIALS
    for trial in trials:
        _check_attrs(trial)
    assert any("dnas:prediction" in t.user_attrs for t in trials)
    if kind == "cell":
        assert all("max_params" in t.constraints for t in trials)
    assert len({architecture_of(kind, trial) for trial in trials}) == len(trials)
    # Who asked before there was any entropy keeps some, whichever of the workers that was.
    keepers = [trial.number for trial in trials if "dnas:entropy" in trial.system_attrs]
    assert 1 <= len(keepers) <= N_WORKERS
    assert max(keepers) <= N_WORKERS


def _check_attrs(trial: FrozenTrial) -> None:
    attrs = trial.user_attrs
    assert json.loads(json.dumps(attrs, allow_nan=False)) == attrs
    assert isinstance(attrs["dnas:source"], str)
    if attrs["dnas:source"] != "startup":
        assert len(attrs["dnas:prediction"]) == 2
        # What a trial suggested it had published as running; what is inactive has to be learned.
        assert published_params(trial).items() >= trial.params.items()
