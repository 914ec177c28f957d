"""An autoencoder is trained while the first trials run, and waited for where it is needed."""

from collections.abc import Callable
from collections.abc import Iterator
import copy
import logging
from pathlib import Path
import pickle
import threading
from typing import Any

import optuna
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas.controller._disentangled import DisentangledLatent
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.strategies import LatentSearch

from .toy import cell_objective
from .toy import flat_objective
from .toy import make_sampler
from .toy import MODEL_SOURCES
from .toy import params_of
from .toy import run
from .toy import sources_of


pretrained = DisentangledLatent.pretrained


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "optuna-dnas" / "weights"


@pytest.fixture
def go_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """No training ends before this is set."""
    event = threading.Event()

    def train(*args: Any, **kwargs: Any) -> DisentangledLatent:
        assert event.wait(timeout=60)
        return pretrained(*args, **kwargs)

    monkeypatch.setattr(DisentangledLatent, "pretrained", train)
    yield event
    event.set()


def n_threads() -> int:
    return sum(thread.name == "optuna-dnas" for thread in threading.enumerate())


def test_startup_trials_run_while_it_is_trained(
    config: DNASConfig, go_on: threading.Event, empty_cache: Path
) -> None:
    study = run("cell", make_sampler("cell", config), 8)
    assert n_threads() == 1
    assert not empty_cache.exists()
    go_on.set()
    study.optimize(cell_objective, n_trials=4)
    assert n_threads() == 0
    assert len(list(empty_cache.iterdir())) == 1
    assert sources_of(study)[:8] == ["startup"] * 8
    assert set(sources_of(study)[8:]) <= MODEL_SOURCES


def test_trials_are_the_same_as_with_training_in_the_foreground(
    config: DNASConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    background = run("cell", make_sampler("cell", config), 14)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    monkeypatch.setattr(LatentSearch, "prepare", lambda self: None)
    assert params_of(run("cell", make_sampler("cell", config), 14)) == params_of(background)


def test_without_startup_the_second_trial_waits(config: DNASConfig) -> None:
    sampler = DNASSampler(
        seed=0, space=NASBench101Space(max_vertices=4), config=config, n_startup_trials=0
    )
    study = optuna.create_study(sampler=sampler)
    study.optimize(_params_of_tiny_cell, n_trials=3)
    assert sources_of(study)[0] == "startup"
    assert set(sources_of(study)[1:]) <= MODEL_SOURCES


def _params_of_tiny_cell(trial: optuna.Trial) -> float:
    space = NASBench101Space(max_vertices=4)
    return float(space.cost(space.suggest(trial)).params)


def test_a_training_that_fails_says_so_when_it_is_needed(
    config: DNASConfig, messages: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(DisentangledLatent, "pretrained", fail)
    study = run("cell", make_sampler("cell", config), 8)
    assert messages() == []
    study.optimize(cell_objective, n_trials=1)
    (message,) = messages()
    assert message.startswith("Trial 8 is sampled at random")
    assert "RuntimeError: out of memory" in message
    monkeypatch.setattr(DisentangledLatent, "pretrained", pretrained)
    study.optimize(cell_objective, n_trials=1)
    assert sources_of(study)[8] == "fallback"
    assert sources_of(study)[9] in MODEL_SOURCES


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))], ids=["copy", "pickle"]
)
def test_a_sampler_is_copied_while_it_trains(
    duplicate: Callable[[DNASSampler], DNASSampler], config: DNASConfig, go_on: threading.Event
) -> None:
    study = run("cell", make_sampler("cell", config), 4)
    assert n_threads() == 1
    study.sampler = duplicate(study.sampler)
    study.optimize(cell_objective, n_trials=4)
    go_on.set()
    study.optimize(cell_objective, n_trials=4)
    assert params_of(study) == params_of(run("cell", make_sampler("cell", config), 12))


@pytest.fixture
def announcements(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """What is logged about training, at Optuna's default verbosity."""
    optuna.logging.set_verbosity(optuna.logging.INFO)
    optuna.logging.enable_propagation()
    with caplog.at_level(logging.INFO):
        yield lambda: [m for m in caplog.messages if "is trained" in m]
    optuna.logging.disable_propagation()
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_a_training_is_announced_once(
    config: DNASConfig, announcements: Callable[[], list[str]], empty_cache: Path
) -> None:
    sampler = make_sampler("cell", config)
    run("cell", sampler, 10)
    assert announcements() == [
        "The autoencoder of NASBench101Space is trained once, while the first trials run, and "
        f"kept in {empty_cache}."
    ]
    run("cell", make_sampler("cell", config), 2)
    assert len(announcements()) == 1


def test_without_training_nothing_is_announced_or_started(
    announcements: Callable[[], list[str]],
) -> None:
    """Shipped weights, a space without structure, and the paper's joint training."""
    studies = [
        (make_sampler("cell", DNASConfig()), cell_objective),
        (make_sampler("flat", DNASConfig()), flat_objective),
        (make_sampler("cell", DNASConfig.paper()), cell_objective),
    ]
    for sampler, objective in studies:
        optuna.create_study(sampler=sampler).optimize(objective, n_trials=3)
        assert n_threads() == 0
    assert announcements() == []
