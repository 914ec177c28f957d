"""The user's random states, settings of torch and processes are left alone."""

from collections.abc import Callable
from dataclasses import replace
import pickle
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from optuna_dnas import DNASConfig

from .toy import BOTH_KINDS
from .toy import Kind
from .toy import make_sampler
from .toy import MODEL_SOURCES
from .toy import params_of
from .toy import run
from .toy import sources_of


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
