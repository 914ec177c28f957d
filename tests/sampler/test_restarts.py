"""Copies, restarts and kills: the sampler's state is a cache of the study."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
import copy
import gc
import multiprocessing as mp
from multiprocessing.connection import Connection
import os
from pathlib import Path
import pickle
import signal

import optuna
from optuna.trial import Trial
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas._optuna_compat import study_key

from .toy import BOTH_KINDS
from .toy import Kind
from .toy import make_sampler
from .toy import MODEL_SOURCES
from .toy import n_different
from .toy import n_different_cells
from .toy import OBJECTIVES
from .toy import params_of
from .toy import run
from .toy import sources_of


CUTS = pytest.mark.parametrize(
    ("kind", "n_before"),
    [
        ("flat", 3),
        ("flat", 8),
        ("flat", 13),
        ("cell", 3),
        ("cell", 8),
        ("cell", 18),
        ("cell", 13),
    ],
)


@CUTS
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))], ids=["copy", "pickle"]
)
def test_a_copied_sampler_goes_on_identically(
    kind: Kind, n_before: int, duplicate: Callable[[DNASSampler], DNASSampler], config: DNASConfig
) -> None:
    whole = run(kind, make_sampler(kind, config))
    study = run(kind, make_sampler(kind, config), n_before)
    study.sampler = duplicate(study.sampler)
    study.optimize(OBJECTIVES[kind], n_trials=22 - n_before)
    assert params_of(study) == params_of(whole)


@CUTS
def test_without_a_seed_a_new_sampler_goes_on_identically(
    kind: Kind, n_before: int, config: DNASConfig
) -> None:
    """Its seed is that of the study."""
    study = run(kind, make_sampler(kind, config, seed=None), n_before)
    twin = copy.deepcopy(study)
    twin.sampler = make_sampler(kind, config, seed=None)
    for one in (study, twin):
        one.optimize(OBJECTIVES[kind], n_trials=22 - n_before)
    assert params_of(study) == params_of(twin)


def test_copies_are_independent(config: DNASConfig) -> None:
    sampler = make_sampler("flat", config)
    twin = copy.deepcopy(sampler)
    twin.reseed_rng()
    assert params_of(run("flat", sampler, 4)) == params_of(
        run("flat", make_sampler("flat", config), 4)
    )


@pytest.mark.parametrize(("kind", "n_before"), [("flat", 13), ("cell", 13)])
def test_a_study_on_disk_goes_on_identically_in_another_process(
    kind: Kind, n_before: int, config: DNASConfig, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    study = run(kind, make_sampler(kind, config), n_before, storage=url, study_name="s")
    with ProcessPoolExecutor(1, mp.get_context("spawn")) as pool:
        pool.submit(_go_on, kind, url, config, 22 - n_before).result()
    assert params_of(study) == params_of(run(kind, make_sampler(kind, config)))


def _go_on(kind: Kind, url: str, config: DNASConfig, n_trials: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(study_name="s", storage=url, sampler=make_sampler(kind, config))
    study.optimize(OBJECTIVES[kind], n_trials=n_trials)


@BOTH_KINDS
def test_a_killed_worker_costs_its_running_trial_at_most(
    kind: Kind, config: DNASConfig, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    optuna.create_study(storage=url, study_name="s")
    ours, theirs = mp.Pipe()
    worker = mp.get_context("spawn").Process(
        target=_work_until_killed, args=(kind, url, config, theirs)
    )
    worker.start()
    theirs.close()
    assert ours.recv() == 11  # the number of the trial that is running
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    study = optuna.load_study(study_name="s", storage=url, sampler=make_sampler(kind, config))
    study.optimize(OBJECTIVES[kind], n_trials=10)
    states = [t.state for t in study.trials]
    assert states[11] == TrialState.RUNNING
    assert len(states) == 22
    assert states.count(TrialState.COMPLETE) == 21
    assert set(sources_of(study)[12:]) <= MODEL_SOURCES
    # The lost architecture may still be running for all we know: it is not proposed again.
    assert (n_different_cells if kind == "cell" else n_different)(study) == 22


def _work_until_killed(kind: Kind, url: str, config: DNASConfig, pipe: Connection) -> None:
    def objective(trial: Trial) -> float:
        value = OBJECTIVES[kind](trial)
        if trial.number == 11:
            pipe.send(trial.number)
            signal.pause()
        return value

    study = optuna.load_study(study_name="s", storage=url, sampler=make_sampler(kind, config))
    study.optimize(objective, n_trials=20)


def test_one_sampler_serves_study_after_study(config: DNASConfig) -> None:
    """Also studies of one name, whose storages come and go at one address."""
    sampler = make_sampler("flat", config)
    expected = params_of(run("flat", make_sampler("flat", config), 10))
    keys = set()
    for _ in range(20):
        study = optuna.create_study(study_name="s", sampler=sampler)
        keys.add(study_key(study))
        del study
        gc.collect()
    assert len(keys) == 20
    for _ in range(3):
        assert params_of(run("flat", sampler, 10, study_name="s")) == expected
