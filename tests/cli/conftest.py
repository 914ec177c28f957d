from pathlib import Path

import numpy as np
import optuna
import pytest

from optuna_dnas import DNASSampler
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space
from tests.objectives.records import Run
from tests.objectives.records import write_table


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that holds the 16 cells that a search of seed 0 starts with."""
    return _write_start(tmp_path_factory.mktemp("cli"), ["maximize"])


@pytest.fixture(scope="session")
def pareto_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of a search with two objectives."""
    return _write_start(tmp_path_factory.mktemp("pareto"), ["maximize", "minimize"])


def _write_start(folder: Path, directions: list[str]) -> Path:
    rng = np.random.default_rng(1)
    specs = {spec.hash(): spec for spec in _start_of_a_search(directions)}
    runs = [Run(spec, (1.0, *rng.random(3)), (2.0, *rng.random(3))) for spec in specs.values()]
    return write_table(folder / "cells.tfrecord", runs)


def _start_of_a_search(directions: list[str]) -> list[ModelSpec]:
    space = NASBench101Space()
    sampler = DNASSampler(space=space, seed=0)
    study = optuna.create_study(directions=directions, sampler=sampler)
    return [space.suggest(study.ask()) for _ in range(16)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one, which the shell is in."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPTUNA_DNAS_NASBENCH101", "OPTUNA_DNAS_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path
