"""Threads and workers that share a study propose nothing twice."""

import json
from typing import Any

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas.search_space import FlatSpace

from .toy import cell_objective
from .toy import CELLS
from .toy import GRID
from .toy import grid_objective
from .toy import make_sampler
from .toy import n_different
from .toy import n_different_cells
from .toy import N_GRID_POINTS
from .toy import params_of
from .toy import run


def test_threads_share_a_sampler_without_duplicates(config: DNASConfig) -> None:
    sampler = DNASSampler(seed=0, space=FlatSpace(GRID), n_startup_trials=8)
    study = optuna.create_study(sampler=sampler)
    study.optimize(grid_objective, n_trials=N_GRID_POINTS, n_jobs=2)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * N_GRID_POINTS
    assert n_different(study) == N_GRID_POINTS

    study = optuna.create_study(sampler=make_sampler("cell", config))
    study.optimize(cell_objective, n_trials=30, n_jobs=2)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 30
    assert n_different_cells(study) == 30


def test_what_is_asked_for_at_once_is_different() -> None:
    """Workers with one seed, each with a sampler of its own, none of which has an answer yet."""
    study = optuna.create_study(storage=optuna.storages.InMemoryStorage(), study_name="s")
    study.sampler = DNASSampler(seed=0, n_startup_trials=4)
    study.optimize(grid_objective, n_trials=8)
    for _ in range(N_GRID_POINTS - 8):
        study.sampler = DNASSampler(seed=0, n_startup_trials=4)
        trial = study.ask()
        trial.suggest_categorical("op", ["conv", "pool"])  # the rest is not suggested, but known
    proposed = [
        study.trials[k].params | _published(study.trials[k]) for k in range(8, N_GRID_POINTS)
    ]
    seen = params_of(study)[:8] + proposed
    assert len({json.dumps(params, sort_keys=True) for params in seen}) == N_GRID_POINTS


def _published(trial: FrozenTrial) -> dict[str, Any]:
    params: dict[str, Any] = json.loads(trial.system_attrs["dnas:relative_params:0"])
    return params


def test_a_proposal_sees_what_was_published_after_its_space_was_inferred() -> None:
    """So it happens between threads, each of which has read the trials before it had the lock."""
    study = optuna.create_study(sampler=DNASSampler(seed=0, n_startup_trials=4))
    study.optimize(grid_objective, n_trials=8)
    numbers = [study.ask().number for _ in range(N_GRID_POINTS - 8)]
    waiting = [study.trials[number] for number in numbers]
    spaces = [study.sampler.infer_relative_search_space(study, trial) for trial in waiting]
    proposed = [
        study.sampler.sample_relative(study, trial, space)
        for trial, space in zip(waiting, spaces, strict=True)
    ]
    seen = params_of(study)[:8] + proposed
    assert len({json.dumps(params, sort_keys=True) for params in seen}) == N_GRID_POINTS


def test_a_running_trial_publishes_only_what_it_will_suggest(config: DNASConfig) -> None:
    """Else a conditional architecture would not be recognised while it is running."""
    study = run("flat", make_sampler("flat", config), 40)
    for trial in study.trials[8:]:
        assert _published(trial) == trial.params


def test_workers_that_ask_at_one_moment_take_different_places_of_the_queue(
    config: DNASConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even published proposals are seen: two rounds' trials, no architecture twice."""
    import optuna_dnas.sampler as module

    study = run("cell", make_sampler("cell", config), 8)
    snapshot = study.trials
    monkeypatch.setattr(module, "get_trials", lambda *_, **__: snapshot)
    cells = []
    n_trials = 2 * config.declared.round_size
    for _ in range(n_trials):
        study.sampler = make_sampler("cell", config)
        cells.append(CELLS.hash(CELLS.suggest(study.ask())))
    assert len(set(cells)) == n_trials
