"""What Optuna and its users expect of a sampler, and what `DNASSampler` promises beyond."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
import copy
from dataclasses import replace
import gc
import json
import math
import multiprocessing as mp
from multiprocessing.connection import Connection
import os
from pathlib import Path
import pickle
import random
import signal
import subprocess
import sys
from typing import Any
from typing import ClassVar
import warnings

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
from optuna.samplers import BaseSampler
from optuna.samplers import PartialFixedSampler
from optuna.samplers import RandomSampler
from optuna.trial import create_trial
from optuna.trial import FrozenTrial
from optuna.trial import Trial
from optuna.trial import TrialState
import pytest
import torch

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas._optuna_compat import study_key
from optuna_dnas.controller._controller import FrozenController
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.strategies import DenseRegions
from optuna_dnas.strategies import SamplingStrategy
from optuna_dnas.strategies import SearchState


CELLS = NASBench101Space(max_vertices=5)
GRID: dict[str, BaseDistribution] = {
    "op": CategoricalDistribution(("conv", "pool")),
    "depth": IntDistribution(1, 4),
    "width": IntDistribution(8, 32, step=8),
}
N_GRID_POINTS = 2 * 4 * 4
SOURCES = {"startup", "dense", "local", "prior", "gradient", "edge"}
MODEL_SOURCES = SOURCES - {"startup"}

Kind = str  # "flat" or "cell"
BOTH_KINDS = pytest.mark.parametrize("kind", ["flat", "cell"])


def flat_objective(trial: Trial) -> float:
    kind = trial.suggest_categorical("kind", ["conv", "pool"])
    width = trial.suggest_int("width", 1, 64, log=True)
    x = trial.suggest_float("x", -1.0, 1.0)
    if kind == "conv":
        return x**2 + 1 / width + trial.suggest_float("rate", 1e-3, 1.0, log=True)
    return x**2 + 1 / width + 0.1 * trial.suggest_int("stride", 1, 4)


def cell_objective(trial: Trial) -> float:
    """Millions of parameters; a cell that is none is pruned."""
    try:
        cell = CELLS.suggest(trial)
    except OutOfDomainError:
        raise optuna.TrialPruned from None
    return CELLS.cost(cell).params / 1e6


def grid_objective(trial: Trial) -> float:
    op = trial.suggest_categorical("op", ["conv", "pool"])
    depth = trial.suggest_int("depth", 1, 4)
    width = trial.suggest_int("width", 8, 32, step=8)
    return depth + width / 8 + (op == "pool")


OBJECTIVES = {"flat": flat_objective, "cell": cell_objective}


def make_sampler(kind: Kind, config: DNASConfig, seed: int = 0, **kwargs: Any) -> DNASSampler:
    """A sampler that asks its model from trial 8 on, one round being 10 trials."""
    space = CELLS if kind == "cell" else None
    return DNASSampler(seed=seed, space=space, config=config, n_startup_trials=8, **kwargs)


def run(kind: Kind, sampler: BaseSampler, n_trials: int = 22, **kwargs: Any) -> optuna.Study:
    study = optuna.create_study(sampler=sampler, **kwargs)
    study.optimize(OBJECTIVES[kind], n_trials=n_trials)
    return study


def params_of(study: optuna.Study) -> list[dict[str, Any]]:
    return [trial.params for trial in study.trials]


def sources_of(study: optuna.Study) -> list[str | None]:
    return [trial.user_attrs.get("dnas:source") for trial in study.trials]


def n_different(study: optuna.Study) -> int:
    return len({json.dumps(params, sort_keys=True) for params in params_of(study)})


def n_different_cells(study: optuna.Study) -> int:
    return len({CELLS.hash(CELLS.params_to_architecture(p)) for p in params_of(study)})


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """What the package has logged at WARNING or above."""
    optuna.logging.enable_propagation()
    yield lambda: [
        r.getMessage() for r in caplog.records if r.name.startswith("optuna.optuna_dnas")
    ]
    optuna.logging.disable_propagation()


# Seeds.


@BOTH_KINDS
def test_one_seed_gives_the_same_trials(kind: Kind, config: DNASConfig) -> None:
    first, second = (params_of(run(kind, make_sampler(kind, config))) for _ in range(2))
    assert first == second
    assert params_of(run(kind, make_sampler(kind, config, seed=1))) != first


def test_without_a_seed_trials_differ(config: DNASConfig) -> None:
    first, second = (
        params_of(run("flat", make_sampler("flat", config, seed=None), 3)) for _ in range(2)
    )
    assert first != second


def test_one_seed_gives_the_same_trials_in_any_process(
    config: DNASConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashes of strings differ between processes; nothing may depend on them."""
    here = _run_both_kinds(config)
    for hash_seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
        with ProcessPoolExecutor(1, mp.get_context("spawn")) as pool:
            there, hash_of_x = pool.submit(_run_both_kinds_elsewhere, config).result()
        assert hash_of_x != hash("x")
        assert there == here


def _run_both_kinds(config: DNASConfig) -> list[list[dict[str, Any]]]:
    return [params_of(run(kind, make_sampler(kind, config))) for kind in OBJECTIVES]


def _run_both_kinds_elsewhere(config: DNASConfig) -> tuple[list[list[dict[str, Any]]], int]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return _run_both_kinds(config), hash("x")


@BOTH_KINDS
def test_reseeding_changes_what_is_sampled(kind: Kind, config: DNASConfig) -> None:
    sampler = make_sampler(kind, config)
    sampler.reseed_rng()
    assert params_of(run(kind, sampler)) != params_of(run(kind, make_sampler(kind, config)))


def test_reseeding_reaches_the_independent_sampler() -> None:
    inner = RandomSampler(seed=0)
    DNASSampler(independent_sampler=inner).reseed_rng()
    fresh = RandomSampler(seed=0)
    draws = [s._rng.rng.random() for s in (inner, fresh)]
    assert draws[0] != draws[1]


# Copies, restarts, kills: the state is a cache of the study.

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


# The model in the study.


@BOTH_KINDS
def test_every_trial_says_where_it_came_from(kind: Kind, config: DNASConfig) -> None:
    study = run(kind, make_sampler(kind, config), 30)
    assert sources_of(study)[:8] == ["startup"] * 8
    assert set(sources_of(study)[8:]) <= MODEL_SOURCES
    assert {"dense", "local"} <= set(sources_of(study))


@BOTH_KINDS
def test_model_trials_predict_in_the_units_of_the_study(kind: Kind, config: DNASConfig) -> None:
    def objective(trial: Trial) -> tuple[float, float, float]:
        value = OBJECTIVES[kind](trial)
        squashed = value / (1 + value)
        return squashed, 100 + squashed, -100 - squashed

    study = optuna.create_study(
        sampler=make_sampler(kind, config), directions=["minimize", "maximize", "maximize"]
    )
    study.optimize(objective, n_trials=20)
    for trial in study.trials:
        prediction = trial.user_attrs.get("dnas:prediction")
        if trial.user_attrs["dnas:source"] == "startup":
            assert prediction is None
            continue
        assert [type(value) for value in prediction] == [float] * 3
        assert 0 <= prediction[0] <= 1
        assert 100 <= prediction[1] <= 101
        assert -101 <= prediction[2] <= -100


def test_predictions_are_finite_where_values_are_not(config: DNASConfig) -> None:
    def objective(trial: Trial) -> float:
        value = flat_objective(trial)
        return (math.inf, -math.inf, value, value)[trial.number % 4]

    study = optuna.create_study(sampler=make_sampler("flat", config))
    study.optimize(objective, n_trials=30)
    for trial in study.trials[8:]:
        assert np.isfinite(trial.user_attrs["dnas:prediction"]).all()


@BOTH_KINDS
def test_maximising_is_minimising_the_negative(kind: Kind, config: DNASConfig) -> None:
    study = optuna.create_study(sampler=make_sampler(kind, config), direction="maximize")
    study.optimize(lambda trial: -OBJECTIVES[kind](trial), n_trials=22)
    assert params_of(study) == params_of(run(kind, make_sampler(kind, config)))


def test_a_flat_study_is_searched_not_sampled(config: DNASConfig) -> None:
    model = [t.value for t in run("flat", make_sampler("flat", config), 40).trials[20:]]
    at_random = [t.value for t in run("flat", RandomSampler(seed=0), 40).trials[20:]]
    assert np.median(model) < np.median(at_random) / 2


def test_nasbench_is_recognised_by_its_parameters(config: DNASConfig) -> None:
    """Random edges make a cell less often than not; the space never fails to."""
    study = run("cell", DNASSampler(seed=0, config=config, n_startup_trials=8), 40)
    assert [t.state for t in study.trials[1:]] == [TrialState.COMPLETE] * 39
    assert set(sources_of(study)[12:]) <= MODEL_SOURCES
    at_random = run("cell", RandomSampler(seed=0), 40)
    assert sum(t.state == TrialState.PRUNED for t in at_random.trials) > 5


@pytest.mark.parametrize("n_objectives", [2, 3])
@pytest.mark.parametrize("kind", ["grid", "cell"])
def test_several_objectives_are_searched_without_duplicates(
    kind: Kind, n_objectives: int, config: DNASConfig
) -> None:
    def objective(trial: Trial) -> list[float]:
        value = grid_objective(trial) if kind == "grid" else cell_objective(trial)
        return [value, value % 3, 1 / (1 + value)][:n_objectives]

    directions = ["minimize", "maximize", "minimize"][:n_objectives]
    study = optuna.create_study(directions=directions, sampler=make_sampler(kind, config))
    study.optimize(objective, n_trials=N_GRID_POINTS)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * N_GRID_POINTS
    different = n_different(study) if kind == "grid" else n_different_cells(study)
    assert different == N_GRID_POINTS
    assert set(sources_of(study)[8:]) <= MODEL_SOURCES


@st.composite
def small_grids(draw: st.DrawFn) -> dict[str, BaseDistribution]:
    """Spaces of 4 to 60 points."""
    n_left = draw(st.integers(4, 60))
    space: dict[str, BaseDistribution] = {}
    while n_left > 1:
        n = draw(st.integers(2, n_left)) if n_left >= 4 else n_left
        n_left //= n
        name = f"p{len(space)}"
        space[name] = draw(
            st.sampled_from(
                [
                    CategoricalDistribution(tuple(range(n))),
                    IntDistribution(-1, n - 2),
                    IntDistribution(0, 3 * (n - 1), step=3),
                    IntDistribution(1, n, log=True),
                    FloatDistribution(0.0, round(0.1 * (n - 1), 1), step=0.1),
                ]
            )
        )
    return space


@given(space=small_grids())
@settings(derandomize=True, deadline=None, max_examples=15)
def test_a_discrete_space_is_exhausted_before_anything_is_repeated(
    space: dict[str, BaseDistribution],
) -> None:
    size = int(FlatSpace(space).size)
    assert 2 <= size <= 60
    study = optuna.create_study(sampler=DNASSampler(seed=0))
    for k in range(size + 3):
        trial = study.ask(space)
        study.tell(trial, sum(map(float, trial.params.values())))
        assert n_different(study) == min(k + 1, size)


@pytest.mark.parametrize("seed", range(5))
def test_a_conditional_space_is_exhausted_before_anything_is_repeated(seed: int) -> None:
    def objective(trial: Trial) -> float:
        name = trial.suggest_categorical("op", ["conv", "pool"])
        depth = trial.suggest_int("depth", 1, 3)
        return depth * trial.suggest_int(f"{name}_size", 1, 4)

    study = optuna.create_study(sampler=DNASSampler(seed=seed))
    study.optimize(objective, n_trials=24)
    assert n_different(study) == 24 == 2 * 3 * 4


def test_a_space_of_cells_is_exhausted_before_anything_is_repeated(config: DNASConfig) -> None:
    space = NASBench101Space(max_vertices=4)
    study = optuna.create_study(sampler=DNASSampler(seed=0, space=space, config=config))
    hashes = []
    for k in range(int(space.size) + 3):
        trial = study.ask()
        cell = space.suggest(trial)
        hashes.append(space.hash(cell))
        study.tell(trial, float(k % 7))
    assert len(set(hashes)) == len(set(hashes[:-3])) == space.size


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
    """Not even published proposals are seen: ten trials, one round, no architecture twice."""
    import optuna_dnas.sampler as module

    study = run("cell", make_sampler("cell", config), 8)
    snapshot = study.trials
    monkeypatch.setattr(module, "get_trials", lambda *_, **__: snapshot)
    cells = []
    for _ in range(10):
        study.sampler = make_sampler("cell", config)
        cells.append(CELLS.hash(CELLS.suggest(study.ask())))
    assert len(set(cells)) == 10


# What is fixed, and what fits it.

FIXED = {"edge_0_4": 0, "edge_3_4": 0, "op_1": "maxpool3x3"}
"""Output is reached from vertices 1 and 2 only: a cell that ignores this is hardly ever valid."""


@BOTH_KINDS
def test_partial_fixed_sampler_is_honoured(kind: Kind, config: DNASConfig) -> None:
    fixed = FIXED if kind == "cell" else {"kind": "pool", "width": 7}
    study = run(kind, make_sampler(kind, config), 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.sampler = PartialFixedSampler(fixed, study.sampler)
    study.optimize(OBJECTIVES[kind], n_trials=15)
    for trial in study.trials[10:]:
        assert trial.state == TrialState.COMPLETE
        assert fixed.items() <= trial.params.items()
        assert trial.user_attrs["dnas:source"] in MODEL_SOURCES
    if kind == "cell":
        assert n_different_cells(study) == 25


def test_what_a_partial_fixed_sampler_leaves_is_proposed_in_startup_too(
    config: DNASConfig,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = run("cell", PartialFixedSampler(FIXED, make_sampler("cell", config)), 8)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 8
    assert all(FIXED.items() <= params.items() for params in params_of(study))


@pytest.mark.parametrize("n_before", [0, 12])
def test_the_rest_of_a_partly_enqueued_cell_fits_it(n_before: int, config: DNASConfig) -> None:
    study = run("cell", make_sampler("cell", config), n_before)
    for _ in range(8):
        study.enqueue_trial(FIXED)
    study.optimize(cell_objective, n_trials=8)
    for trial in study.trials[n_before:]:
        assert FIXED.items() <= trial.params.items()
        assert trial.state == TrialState.COMPLETE  # the cell is valid
    assert n_different_cells(study) == n_before + 8


@pytest.mark.parametrize("n_before", [0, 12])
def test_a_partly_enqueued_flat_trial_keeps_its_values(n_before: int, config: DNASConfig) -> None:
    fixed = {"kind": "pool", "x": 0.125}
    study = run("flat", make_sampler("flat", config), n_before)
    study.enqueue_trial(fixed)
    study.optimize(flat_objective, n_trials=1)
    assert fixed.items() <= study.trials[-1].params.items()
    assert study.trials[-1].params.keys() == {"kind", "x", "width", "stride"}


def test_a_partly_enqueued_trial_that_nothing_fits_says_so(
    config: DNASConfig, messages: Callable[[], list[str]]
) -> None:
    study = optuna.create_study(sampler=make_sampler("cell", config))
    study.enqueue_trial({f"edge_{v}_4": 0 for v in range(4)})  # the output is cut off
    study.optimize(cell_objective, n_trials=1)
    assert study.trials[0].state == TrialState.PRUNED
    assert study.trials[0].user_attrs["dnas:source"] == "fallback"
    assert "Trial 0 is sampled independently: no valid architecture" in messages()[0]


@BOTH_KINDS
def test_an_enqueued_trial_is_marked_and_never_proposed_again(
    kind: Kind, config: DNASConfig
) -> None:
    wanted = run(kind, make_sampler(kind, config), 12).trials[10].params
    study = run(kind, make_sampler(kind, config), 10)
    study.enqueue_trial(wanted)
    study.optimize(OBJECTIVES[kind], n_trials=5)
    assert study.trials[10].params == wanted
    assert study.trials[10].user_attrs == {"dnas:source": "enqueued"}
    assert wanted not in params_of(study)[11:]


# Trials without ordinary values.


def _raise_error(trial: Trial, value: float) -> float:
    raise ArithmeticError


def _return_nan(trial: Trial, value: float) -> float:
    return math.nan


def _prune_unreported(trial: Trial, value: float) -> float:
    raise optuna.TrialPruned


def _prune_reported(trial: Trial, value: float) -> float:
    trial.report(2 * value, 0)
    trial.report(value, 1)
    raise optuna.TrialPruned


def _prune_nan(trial: Trial, value: float) -> float:
    trial.report(math.nan, 0)
    raise optuna.TrialPruned


def _return_infinity(trial: Trial, value: float) -> float:
    return math.inf


def _return_minus_infinity(trial: Trial, value: float) -> float:
    return -math.inf


OUTCOMES: dict[Callable[[Trial, float], float], TrialState] = {
    _raise_error: TrialState.FAIL,
    _return_nan: TrialState.FAIL,
    _prune_unreported: TrialState.PRUNED,
    _prune_reported: TrialState.PRUNED,
    _prune_nan: TrialState.PRUNED,
    _return_infinity: TrialState.COMPLETE,
    _return_minus_infinity: TrialState.COMPLETE,
}


@BOTH_KINDS
@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("period", [1, 3])
def test_a_study_survives_trials_of_every_outcome(
    kind: Kind,
    outcome: Callable[[Trial, float], float],
    period: int,
    config: DNASConfig,
    messages: Callable[[], list[str]],
) -> None:
    """Every third one, or all of them; a cell that failed is not proposed again."""

    def objective(trial: Trial) -> float:
        value = OBJECTIVES[kind](trial)
        return outcome(trial, value) if trial.number % period == 0 else value

    study = optuna.create_study(sampler=make_sampler(kind, config))
    study.optimize(objective, n_trials=18, catch=(ArithmeticError,))
    states = [t.state for t in study.trials]
    assert states[::period] == [OUTCOMES[outcome]] * len(states[::period])
    assert states.count(OUTCOMES[outcome]) + states.count(TrialState.COMPLETE) >= 18
    assert n_different(study) == 18
    assert messages() == []
    assert set(sources_of(study)) <= SOURCES
    has_values = OUTCOMES[outcome] == TrialState.COMPLETE or outcome is _prune_reported
    model_expected = has_values or period > 1
    assert (sources_of(study)[-1] in MODEL_SOURCES) == model_expected


def test_pruned_trials_teach_the_model_their_last_report(config: DNASConfig) -> None:
    def objective(trial: Trial) -> float:
        value = cell_objective(trial)
        trial.report(-1.0, 0)
        trial.report(value, 1)
        raise optuna.TrialPruned

    study = optuna.create_study(sampler=make_sampler("cell", config))
    study.optimize(objective, n_trials=22)
    assert params_of(study) == params_of(run("cell", make_sampler("cell", config)))


@BOTH_KINDS
def test_hyperband_shows_a_part_of_a_study(
    kind: Kind, config: DNASConfig, messages: Callable[[], list[str]]
) -> None:
    """Its wrapper has no user attributes; nothing fails in silence or with a warning of ours."""

    def objective(trial: Trial) -> float:
        value = OBJECTIVES[kind](trial)
        for step in range(1, 10):
            trial.report(value + 1 / step, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9)
    study = optuna.create_study(sampler=make_sampler(kind, config), pruner=pruner, study_name="s")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study.optimize(objective, n_trials=30)
    assert messages() == []
    assert set(sources_of(study)) <= SOURCES
    assert {"dense", "local"} & set(sources_of(study))
    assert {t.state for t in study.trials} == {TrialState.COMPLETE, TrialState.PRUNED}


# Constraints.


class _Spy(SamplingStrategy):
    """Remembers the best architectures that strategies are shown."""

    source = "spy"
    n_elite = 4
    elites: ClassVar[list[list[float]]] = []

    def propose(self, state: SearchState, n: int, rng: np.random.Generator) -> np.ndarray:
        self.elites.append(state.elite[:, 0].tolist())
        return state.latent.sample_prior(n, rng)


def test_infeasible_trials_rank_behind_all_feasible_ones() -> None:
    """Less violation is better; among the feasible ones the value decides."""
    config = DNASConfig()
    config = replace(config, flat=replace(config.flat, strategies=(_Spy(share=1.0),)))
    study = optuna.create_study(
        direction="maximize", sampler=DNASSampler(seed=0, config=config, n_startup_trials=8)
    )
    _Spy.elites.clear()
    observed: list[float] = []
    for k in range(20):
        trial = study.ask({"x": FloatDistribution(0.0, 1.0)})
        if k >= 8:
            ranked = sorted(observed, key=lambda x: (max(x - 0.5, 0.0), -x))
            np.testing.assert_allclose(_Spy.elites[-1], ranked[:4])
        x = trial.params["x"]
        trial.set_constraint("limit", x - 0.5)
        study.tell(trial, x)
        observed.append(x)
        assert study.trials[k].constraints == {"limit": x - 0.5}
    assert len(_Spy.elites) == 12
    assert max(observed) > 0.5  # or else nothing was infeasible


@pytest.mark.parametrize("name", ["params", "flops"])
def test_a_cost_limit_is_never_broken_once_it_is_known(name: str, config: DNASConfig) -> None:
    costs = [getattr(CELLS.cost(c), name) for c in CELLS.sample(np.random.default_rng(0), 99)]
    limit = float(np.median(costs))  # half of all cells are above

    def objective(trial: Trial) -> float:
        cost = getattr(CELLS.cost(CELLS.suggest(trial)), name)
        trial.set_constraint(f"max_{name}", cost - limit)
        return -cost

    study = optuna.create_study(sampler=make_sampler("cell", config))
    study.optimize(objective, n_trials=30)
    excess = [t.constraints[f"max_{name}"] for t in study.trials]
    assert max(excess[1:]) <= 0
    assert n_different_cells(study) == 30


def test_a_cost_limit_holds_for_partly_enqueued_cells() -> None:
    limit = 1_000_000

    def objective(trial: Trial) -> float:
        cost = CELLS.cost(CELLS.suggest(trial)).params
        trial.set_constraint("max_params", cost - limit)
        return float(cost)

    excess = []
    for seed in range(10):
        study = optuna.create_study(sampler=DNASSampler(seed=seed, space=CELLS))
        study.optimize(objective, n_trials=1)
        for _ in range(10):
            study.enqueue_trial({"edge_0_2": 1, "edge_2_4": 1, "op_2": "conv1x1-bn-relu"})
        study.optimize(objective, n_trials=10)
        excess += [t.constraints["max_params"] for t in study.trials[1:]]
    assert max(excess) <= 0


# What is returned.

_PLAIN = {int, float, str, bool, type(None)}


@BOTH_KINDS
def test_values_are_plain_and_new_at_every_call(kind: Kind, config: DNASConfig) -> None:
    study = run(kind, make_sampler(kind, config), 12)
    trial = study.ask()
    frozen = study.trials[-1]
    sampler = study.sampler
    space = sampler.infer_relative_search_space(study, frozen)
    first = sampler.sample_relative(study, frozen, space)
    assert first.keys() == space.keys()
    assert {type(value) for value in first.values()} <= _PLAIN
    assert json.loads(json.dumps(first)) == first
    expected = dict(first)
    first.clear()  # as `PartialFixedSampler` and users do
    space.clear()
    space = sampler.infer_relative_search_space(study, frozen)
    assert sampler.sample_relative(study, frozen, space) == expected
    for name, distribution in study.trials[-2].distributions.items():
        value = sampler.sample_independent(study, frozen, name, distribution)
        assert type(value) in _PLAIN
    assert trial.number == 12


@pytest.mark.parametrize(
    "names",
    [("kind",), ("rate",), ("stride", "x"), ("x", "kind", "width"), ("width", "stride", "rate")],
    ids="+".join,
)
def test_exactly_the_names_that_are_asked_for_are_returned(
    names: tuple[str, ...], config: DNASConfig
) -> None:
    """In startup and later; inactive parameters are drawn, in case they are active after all."""
    for n_before in (4, 14):
        study = run("flat", make_sampler("flat", config), n_before)
        study.ask()
        frozen = study.trials[-1]
        space = study.sampler.infer_relative_search_space(study, frozen)
        asked = {name: space[name] for name in names}
        params = study.sampler.sample_relative(study, frozen, asked)
        assert list(params) == list(names)
        for name, value in params.items():
            assert asked[name]._contains(asked[name].to_internal_repr(value))


def test_single_values_are_not_searched() -> None:
    space = {"a": IntDistribution(1, 1), "b": CategoricalDistribution(("x",))}
    study = optuna.create_study(sampler=DNASSampler(seed=0))
    for _ in range(3):
        study.tell(study.ask(space), 0.0)
    assert params_of(study) == [{"a": 1, "b": "x"}] * 3
    study.ask()
    assert study.sampler.infer_relative_search_space(study, study.trials[-1]) == {}


@pytest.mark.filterwarnings("ignore:Choices for a categorical")
@pytest.mark.parametrize(
    "choices", [((3, 3), (5, 5)), (int, str), (None, True, 1.5, "x"), (math.nan, 0.0)], ids=repr
)
def test_any_category_can_be_searched(choices: Sequence[Any]) -> None:
    def objective(trial: Trial) -> float:
        chosen = trial.suggest_categorical("c", choices)
        return float(chosen is choices[0]) + trial.suggest_float("x", 0.0, 1.0)

    study = optuna.create_study(sampler=DNASSampler(seed=0, n_startup_trials=4))
    study.optimize(objective, n_trials=12)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 12
    assert set(sources_of(study)[4:]) <= MODEL_SOURCES


# What warns, and what does not.


@BOTH_KINDS
def test_an_ordinary_study_is_silent(
    kind: Kind, config: DNASConfig, caplog: pytest.LogCaptureFixture
) -> None:
    optuna.logging.enable_propagation()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run(kind, make_sampler(kind, config), 60)
    finally:
        optuna.logging.disable_propagation()
    assert [r.getMessage() for r in caplog.records if r.name.startswith("optuna")] == []


@pytest.mark.parametrize(("low", "high"), [(2, 5), (1, 40), (50, 90)])
@pytest.mark.parametrize("warn", [True, False])
def test_ranges_may_change(
    low: int, high: int, warn: bool, messages: Callable[[], list[str]]
) -> None:
    """A proposal made for the old range does not serve the new one: that trial is told so."""

    def objective(trial: Trial, low: int, high: int) -> float:
        x = trial.suggest_float("x", low, high, log=True)
        return x + trial.suggest_int("n", low, high)

    study = optuna.create_study(
        sampler=DNASSampler(seed=0, n_startup_trials=5, warn_independent_sampling=warn)
    )
    study.optimize(lambda trial: objective(trial, 1, 9), n_trials=10)
    assert messages() == []
    study.optimize(lambda trial: objective(trial, low, high), n_trials=10)
    for trial in study.trials[10:]:
        assert trial.state == TrialState.COMPLETE
        assert low <= trial.params["x"] <= high
        assert low <= trial.params["n"] <= high
    assert n_different(study) == 20
    assert set(sources_of(study)[11:]) <= MODEL_SOURCES
    told = [message for message in messages() if "Trial#10" in message]
    assert messages() == told  # from the next trial on the new range is known
    assert bool(told) == (warn and (low, high) != (1, 40))
    assert all("instead of `DNASSampler`" in message for message in told)


def test_what_the_space_does_not_hold_goes_to_the_independent_sampler(
    config: DNASConfig, messages: Callable[[], list[str]]
) -> None:
    def objective(trial: Trial) -> float:
        return cell_objective(trial) + trial.suggest_float("learning_rate", 0.0, 1.0)

    sampler = make_sampler("cell", config, independent_sampler=_ConstantSampler())
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=14)
    assert {params["learning_rate"] for params in params_of(study)} == {0.25}
    assert n_different_cells(study) == 14
    for number, message in zip(range(1, 14), messages(), strict=True):
        assert f"`learning_rate` in Trial#{number} is sampled independently" in message
        assert "using `_ConstantSampler` instead of `DNASSampler`" in message
        assert "it is no parameter of the declared search space" in message


class _ConstantSampler(RandomSampler):
    def sample_independent(self, *args: Any) -> float:
        return 0.25


@BOTH_KINDS
@pytest.mark.parametrize("part", ["make", "fit", "propose"])
def test_a_model_that_fails_says_so_and_the_study_goes_on(
    kind: Kind,
    part: str,
    config: DNASConfig,
    messages: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("out of memory")

    if part == "make":
        monkeypatch.setattr("optuna_dnas.sampler.make_controller", fail)
    elif part == "fit":
        monkeypatch.setattr(FrozenController, "fit", fail)
    else:
        monkeypatch.setattr(DenseRegions, "propose", fail)
    study = run(kind, make_sampler(kind, config), 14)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 14
    assert sources_of(study) == ["startup"] * 8 + ["fallback"] * 6
    for number, message in zip(range(8, 14), messages(), strict=True):
        assert message.startswith(f"Trial {number} is sampled at random")
        assert "RuntimeError: out of memory" in message
    assert (n_different_cells if kind == "cell" else n_different)(study) == 14
    monkeypatch.undo()
    study.optimize(OBJECTIVES[kind], n_trials=1)
    assert sources_of(study)[-1] in MODEL_SOURCES


class _BrokenSampler(RandomSampler):
    def before_trial(self, *args: Any) -> None:
        raise RuntimeError("before")

    def after_trial(self, *args: Any) -> None:
        raise RuntimeError("after")


def test_hooks_never_raise(config: DNASConfig, messages: Callable[[], list[str]]) -> None:
    sampler = make_sampler("flat", config, independent_sampler=_BrokenSampler(seed=0))
    study = run("flat", sampler, 2)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 2
    assert [m.split(" failed: ")[0] for m in messages()] == [
        f"`{hook}` of trial {number}"
        for number in (0, 1)
        for hook in ("before_trial", "after_trial")
    ]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"space": "nasbench101"}, TypeError),
        ({"seed": -1}, ValueError),
        ({"n_startup_trials": -1}, ValueError),
        ({"device": "gpu"}, ValueError),
    ],
    ids=str,
)
def test_a_wrong_argument_is_named_with_its_value(
    arguments: Mapping[str, Any], error: type[Exception]
) -> None:
    ((name, value),) = arguments.items()
    with pytest.raises(error, match=rf"`{name}` .*{value!r}"):
        DNASSampler(**arguments)


def test_options_are_keywords() -> None:
    with pytest.raises(TypeError):
        DNASSampler(CELLS)  # type: ignore[misc]


# Isolation.


def _global_states() -> list[Any]:
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return [
        random.getstate(),
        (name, keys.tolist(), rest),
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
    ]


@BOTH_KINDS
def test_global_random_states_are_left_alone(kind: Kind, config: DNASConfig) -> None:
    controller = replace(
        config.controller, n_cells=100, n_steps=4, warmup=0.25
    )  # not in the cache
    before = _global_states()  # of the user's generators
    study = run(kind, make_sampler(kind, replace(config, controller=controller)), 12)
    assert set(sources_of(study)[8:]) <= MODEL_SOURCES
    assert _global_states() == before


def test_global_random_states_do_not_matter(config: DNASConfig) -> None:
    expected = params_of(run("cell", make_sampler("cell", config), 12))
    state = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        torch.manual_seed(1)
        assert params_of(run("cell", make_sampler("cell", config), 12)) == expected
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])  # noqa: NPY002
        torch.set_rng_state(state[2])


@pytest.mark.parametrize(
    "context",
    [torch.inference_mode, torch.no_grad, lambda: torch.device("meta")],
    ids=["inference_mode", "no_grad", "default device"],
)
def test_what_the_user_has_set_in_torch_does_not_matter(
    context: Callable[[], Any], config: DNASConfig
) -> None:
    """A default device without data stands for the GPU that a user may have set."""
    expected = run("cell", make_sampler("cell", config), 14)
    with context():
        study = run("cell", make_sampler("cell", config), 14)
    assert params_of(study) == params_of(expected)
    assert sources_of(study) == sources_of(expected)


def _run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_and_flat_studies_do_not_import_torch() -> None:
    printed = _run_python(
        """
import sys
import optuna
import optuna_dnas
print("torch" in sys.modules)
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.create_study(sampler=optuna_dnas.DNASSampler(seed=0))
study.optimize(lambda t: t.suggest_float("x", 0, 1) + t.suggest_int("n", 0, 9), n_trials=30)
print("torch" in sys.modules, study.trials[-1].user_attrs["dnas:source"])
"""
    )
    first, second = printed.splitlines()
    assert first == "False"
    in_study, source = second.split()
    assert in_study == "False"
    assert source in MODEL_SOURCES


def test_a_process_may_fork_after_sampling(config: DNASConfig) -> None:
    """Torch on several threads would hang the child, as in a data loader."""
    printed = _run_python(
        f"""
import os
import pickle
import optuna
from optuna_dnas import DNASSampler
from optuna_dnas.search_space import NASBench101Space
import torch
torch.set_num_threads(4)
optuna.logging.set_verbosity(optuna.logging.ERROR)
config = pickle.loads({pickle.dumps(config)!r})
space = NASBench101Space(max_vertices=5)
study = optuna.create_study(sampler=DNASSampler(seed=0, space=space, config=config))
study.optimize(lambda t: float(space.cost(space.suggest(t)).params), n_trials=20)
child = os.fork()
if not child:
    torch.ones(500, 500) @ torch.ones(500, 500)
    os._exit(0)
print(os.waitpid(child, 0)[1], study.trials[-1].user_attrs["dnas:source"])
"""
    )
    status, source = printed.split()
    assert status == "0"
    assert source in MODEL_SOURCES


# Trials of others.


@BOTH_KINDS
def test_added_trials_are_as_good_as_own_ones(kind: Kind, config: DNASConfig) -> None:
    whole = run(kind, make_sampler(kind, config), 18)
    study = optuna.create_study(sampler=make_sampler(kind, config))
    study.add_trials(
        create_trial(params=t.params, distributions=t.distributions, value=t.value)
        for t in whole.trials[:13]
    )
    study.optimize(OBJECTIVES[kind], n_trials=5)
    assert set(sources_of(study)[13:]) <= MODEL_SOURCES
    if kind == "flat":
        assert params_of(study) == params_of(whole)


@BOTH_KINDS
def test_trials_of_another_sampler_are_learned_from(kind: Kind, config: DNASConfig) -> None:
    study = run(kind, RandomSampler(seed=0), 60)
    study.sampler = make_sampler(kind, config)
    study.optimize(OBJECTIVES[kind], n_trials=10)
    assert sources_of(study)[:60] == [None] * 60
    assert set(sources_of(study)[60:]) <= MODEL_SOURCES
    assert [t.state for t in study.trials[60:]] == [TrialState.COMPLETE] * 10


def test_a_declared_space_searches_in_a_study_of_other_parameters(config: DNASConfig) -> None:
    study = run("flat", RandomSampler(seed=0), 10)
    study.sampler = make_sampler("cell", config)
    study.optimize(cell_objective, n_trials=12)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 22
    assert sources_of(study)[10:18] == ["startup"] * 8
    assert set(sources_of(study)[18:]) <= MODEL_SOURCES
