"""Threads and workers that share a study propose nothing twice."""

from collections.abc import Callable
from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
import itertools
import json
import math
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas import sampler as sampler_module
from optuna_dnas._optuna_compat import publish_params
from optuna_dnas._optuna_compat import published_params
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.strategies import LatentSearch
from optuna_dnas.strategies import Proposal
from optuna_dnas.strategies import Query
from optuna_dnas.strategies import token_keys

from .interleaving import all_schedules
from .interleaving import StepwiseStorage
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


POINTS = FlatSpace(GRID).enumerate_tokens()


def propose_next(search: LatentSearch, query: Query) -> Proposal:
    """From one queue of all points; odd seeds have another one at first."""
    keys = token_keys(POINTS)
    order = [1, 0, *range(2, len(keys))] if query.seed % 2 else range(len(keys))
    free = (k for k in order if keys[k] not in query.taken)
    return Proposal(POINTS[next(itertools.islice(free, query.n_skipped, None))], "dense", None)


def places_taken(
    seeds: Sequence[int], choose: Callable[[int], int], *, prefix: str = ""
) -> list[int]:
    """Places in the queue of what workers are given that ask at the same moment."""
    grid = {prefix + name: distribution for name, distribution in GRID.items()}
    space = FlatSpace(grid)
    storage = StepwiseStorage()
    optuna.create_study(storage=storage, study_name="s")
    trials = []
    for seed in seeds:
        sampler = DNASSampler(seed=seed, space=space)
        trials.append(optuna.load_study(study_name="s", storage=storage, sampler=sampler).ask())
    storage.run([lambda t=trial: t.relative_params for trial in trials], choose)
    keys = token_keys(POINTS)
    places = []
    for trial, frozen in zip(trials, storage.get_all_trials(0), strict=True):
        assert published_params(frozen) == trial.relative_params
        tokens, _ = space.canonicalize(space.params_to_tokens([trial.relative_params]))
        places.append(keys.index(token_keys(tokens)[0]))
    return places


@pytest.mark.parametrize("seeds", [(0, 0), (0, 1), (1, 0)])
def test_two_workers_never_end_with_one_architecture_however_their_steps_interleave(
    seeds: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LatentSearch, "propose", propose_next)
    n_schedules = 0
    for choose in all_schedules():
        first, second = places_taken(seeds, choose)
        assert first != second
        # What both have withdrawn may be left to the next trial.
        assert max(first, second) <= 2
        n_schedules += 1
    assert n_schedules >= math.comb(6, 3)  # of three steps each, without a conflict


@pytest.mark.parametrize("seeds", [(0, 0, 0), (0, 1, 0), (0, 1, 0, 1)])
def test_more_workers_never_end_with_one_architecture(
    seeds: Sequence[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LatentSearch, "propose", propose_next)
    for k in range(150):
        rng = np.random.default_rng(k)
        places = places_taken(seeds, lambda n: int(rng.integers(n)))  # noqa: B023
        assert len(set(places)) == len(seeds)


def test_long_proposals_that_are_replaced_in_parts_are_different(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LatentSearch, "propose", propose_next)
    for k in range(150):
        rng = np.random.default_rng(k)
        choose = lambda n: int(rng.integers(n))  # noqa: B023, E731
        first, second = places_taken((0, 1), choose, prefix="x" * 1_500)
        assert first != second


def test_what_another_worker_has_finished_meanwhile_is_withdrawn(
    config: DNASConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no longer running when the proposal is looked at once more."""
    study = run("cell", make_sampler("cell", config), 8)
    proposed: list[str] = []
    publish = sampler_module.publish_params

    def publish_late(study: optuna.Study, trial: FrozenTrial, params: dict[str, Any]) -> None:
        proposed.append(CELLS.hash(CELLS.params_to_architecture(params)))
        if len(proposed) == 1:
            study.add_trial(
                optuna.create_trial(params=params, distributions=CELLS.distributions, value=1.0)
            )
        publish(study, trial, params)

    monkeypatch.setattr(sampler_module, "publish_params", publish_late)
    cell = CELLS.suggest(study.ask())
    assert len(proposed) == 2
    assert CELLS.hash(cell) == proposed[1] != proposed[0]


@pytest.mark.parametrize("kind", ["asking", "enqueued"])
def test_workers_that_were_killed_while_asking_do_not_move_the_queue(
    kind: str, config: DNASConfig
) -> None:
    """Their trials run for ever, and nobody knows what for: the best is proposed all the same."""
    expected = run("cell", make_sampler("cell", config), 9).trials[8].params
    study = run("cell", make_sampler("cell", config), 8)
    for _ in range(5):
        if kind == "enqueued":
            study.enqueue_trial({"op_1": "conv1x1-bn-relu"})
        study.ask()
    study.optimize(cell_objective, n_trials=1)
    assert study.trials[13].params == expected


def test_an_architecture_whose_worker_is_long_gone_is_evaluated_after_all() -> None:
    study = optuna.create_study(sampler=DNASSampler(seed=0, space=FlatSpace(GRID)))
    params = [{"op": "conv", "depth": 2, "width": 8 * k} for k in (1, 2)]
    for k, age in enumerate([timedelta(days=1), timedelta(minutes=1)]):
        trial = optuna.create_trial(state=TrialState.RUNNING)
        trial.datetime_start = datetime.now() - age
        study.add_trial(trial)
        publish_params(study, study.trials[k], params[k])
    study.optimize(grid_objective, n_trials=N_GRID_POINTS - 1)
    evaluated = params_of(study)[2:]
    assert n_different(study) == N_GRID_POINTS  # with {}, of those that run
    assert params[0] in evaluated
    assert params[1] not in evaluated


def test_the_entropy_of_workers_is_that_of_the_first_trial_that_keeps_some() -> None:
    """Both found none: the one that asked second keeps its own for one trial."""
    storage = StepwiseStorage()
    optuna.create_study(storage=storage, study_name="s")
    studies = [
        optuna.load_study(
            study_name="s", storage=storage, sampler=DNASSampler(space=FlatSpace(GRID))
        )
        for _ in range(2)
    ]
    trials = [study.ask() for study in studies]
    # The second one reads and writes while the first one is between the two.
    turns = iter([0, 1, 1])
    storage.run(
        [lambda t=trial: t.relative_params for trial in trials],
        lambda n: min(next(turns, 0), n - 1),
    )
    kept = [trial.system_attrs["dnas:entropy"] for trial in studies[0].trials]
    assert kept[0] != kept[1]
    assert all(isinstance(entropy, int) and 0 <= entropy < 2**53 for entropy in kept)
    for study in studies:
        trial = study.ask()
        assert trial.relative_params
        assert "dnas:entropy" not in study.trials[trial.number].system_attrs
        frozen = study.trials[trial.number]
        assert study.sampler._entropy(study, frozen, study.trials) == kept[0]
