"""One seed, one study: in any process, and only until it is reseeded."""

from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
import multiprocessing as mp
from typing import Any

import optuna
from optuna.samplers import RandomSampler
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler

from .toy import BOTH_KINDS
from .toy import Kind
from .toy import make_sampler
from .toy import OBJECTIVES
from .toy import params_of
from .toy import run


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
    futures = []
    with ExitStack() as stack:
        for hash_seed in ("1", "2"):  # at the same time
            monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
            pool = stack.enter_context(ProcessPoolExecutor(1, mp.get_context("spawn")))
            futures.append(pool.submit(_run_both_kinds_elsewhere, config))
    for there, hash_of_x in (future.result() for future in futures):
        assert hash_of_x != hash("x")
        assert there == here


def _run_both_kinds(config: DNASConfig) -> list[list[dict[str, Any]]]:
    return [params_of(run(kind, make_sampler(kind, config))) for kind in OBJECTIVES]


def _run_both_kinds_elsewhere(config: DNASConfig) -> tuple[list[list[dict[str, Any]]], int]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return _run_both_kinds(config), hash("x")


def entropies_of(study: optuna.Study) -> dict[int, int]:
    """By trial."""
    attrs = {trial.number: trial.system_attrs for trial in study.trials}
    return {k: a["dnas:entropy"] for k, a in attrs.items() if "dnas:entropy" in a}


@BOTH_KINDS
def test_a_study_keeps_its_entropy_once_if_there_is_no_seed(
    kind: Kind, config: DNASConfig
) -> None:
    study = run(kind, make_sampler(kind, config, seed=None), 10)
    assert list(entropies_of(study)) == [0]
    assert entropies_of(run(kind, make_sampler(kind, config), 10)) == {}


@BOTH_KINDS
def test_threads_share_the_entropy_of_the_study(kind: Kind, config: DNASConfig) -> None:
    """Optuna reseeds the sampler before each of their trials."""
    study = optuna.create_study(sampler=make_sampler(kind, config, seed=None))
    study.optimize(OBJECTIVES[kind], n_trials=1)
    study.optimize(OBJECTIVES[kind], n_trials=12, n_jobs=2)
    study.sampler = make_sampler(kind, config)
    study.optimize(OBJECTIVES[kind], n_trials=4, n_jobs=2)
    assert list(entropies_of(study)) == [0]


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
