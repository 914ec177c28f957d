from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
import math
import pickle
import random
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from optuna_dnas._torch_scope import flush_denormal
from optuna_dnas._torch_scope import resolve_device
from optuna_dnas._torch_scope import torch_scope
from optuna_dnas.controller._config import ControllerConfig
from optuna_dnas.controller._config import KLObjective
from optuna_dnas.controller._config import SemiSupervisedConfig
from optuna_dnas.controller._config import TotalCorrelationObjective
from optuna_dnas.controller._disentangled import DisentangledLatent
from optuna_dnas.controller._features import Features
from optuna_dnas.controller._semi_supervised import SemiSupervisedController
from optuna_dnas.controller._training import pretrain
from optuna_dnas.controller.predictors._ensemble import EnsembleConfig

from .toy import DEVICES
from .toy import same_weights
from .toy import sample_tokens
from .toy import SMALL
from .toy import VOCABULARY


def use_everything() -> list[np.ndarray]:
    """Call every public entry and return what it computed."""
    tokens, rng = sample_tokens(40), np.random.default_rng(0)
    latent = DisentangledLatent.pretrained(VOCABULARY, tokens, SMALL, seed=0)
    latent = pickle.loads(pickle.dumps(latent))
    codes = latent.perturb(latent.encode(tokens), rng)
    values = codes[:, :2] ** 2
    ensemble = EnsembleConfig(n_steps=5).fit(
        codes, values, layout=Features(latent).layout, rng=rng
    )
    config = SemiSupervisedConfig(n_steps=3)
    joint = SemiSupervisedController(VOCABULARY, config, latent=latent).fit(
        tokens, values, values, seed=0
    )
    return [
        codes,
        latent.decode(codes),
        *ensemble.predict(codes),
        ensemble.gradient(codes),
        joint.latent.encode(tokens),
        joint.objectives.predict(codes)[0],
        joint.objectives.gradient(codes),
    ]


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def n_threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


SETTINGS = {
    "nothing": lambda: torch.enable_grad(),
    "a default device": lambda: torch.device("meta"),
    "a default dtype": lambda: default_dtype(torch.float64),
    "inference mode": lambda: torch.inference_mode(),
    "no gradients": lambda: torch.no_grad(),
    "threads": lambda: n_threads(2),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_the_user_neither_leak_in_nor_change(name: str) -> None:
    expected = use_everything()
    with SETTINGS[name]():
        before = global_settings()
        found = use_everything()
        assert global_settings() == before
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def global_settings() -> tuple[object, ...]:
    return (
        torch.get_default_device(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_num_threads(),
        torch.is_autocast_enabled("cpu"),
    )


def test_generators_of_the_user_do_not_move() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    use_everything()
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_equal(np.random.get_state(), before[1])  # noqa: NPY002
    assert random.getstate() == before[2]


def test_results_do_not_depend_on_generators_of_the_user() -> None:
    torch.manual_seed(3)
    first = use_everything()
    torch.manual_seed(4)
    for one, other in zip(use_everything(), first, strict=True):
        np.testing.assert_array_equal(one, other)


def flushes() -> bool:
    return not bool(torch.tensor([1e-40], dtype=torch.float32).mul(1.0).item())


@pytest.mark.parametrize("before", [False, True])
def test_denormals_are_flushed_within_the_scope_only(before: bool) -> None:
    torch.set_flush_denormal(before)
    try:
        with flush_denormal():
            assert flushes()
        assert flushes() == before
    finally:
        torch.set_flush_denormal(False)


def test_scopes_nest() -> None:
    with n_threads(3):
        with torch_scope(2):
            with torch_scope(1):
                assert torch.get_num_threads() == 1
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 3


def test_overlapping_scopes_of_two_threads_restore_the_number_of_threads() -> None:
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with torch_scope(1):
            entered.set()
            leave.wait(timeout=30)

    with n_threads(3):
        thread = threading.Thread(target=other)
        with torch_scope(1):
            thread.start()
            assert entered.wait(timeout=30)
        leave.set()
        thread.join()
        assert torch.get_num_threads() == 3
        found: list[int] = []
        thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert found == [3]


def test_settings_are_restored_after_an_error() -> None:
    before = global_settings()
    with pytest.raises(ZeroDivisionError), torch_scope(), flush_denormal():
        raise ZeroDivisionError
    assert global_settings() == before
    assert not flushes()


def test_settings_are_made_without_torch() -> None:
    script = """
import sys
from optuna_dnas.controller import ControllerConfig, EnsembleConfig, SemiSupervisedConfig
ControllerConfig(), SemiSupervisedConfig(), EnsembleConfig()
sys.exit("torch" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("device", ["tpu", "cuda:-1", "cuda:x", "cuda:1000", ""])
def test_absent_devices_are_refused(device: str) -> None:
    with pytest.raises(ValueError, match="`device`"):
        resolve_device(device)


@pytest.mark.parametrize("objective", [KLObjective(), TotalCorrelationObjective()])
def test_the_same_seed_gives_the_same_bits(objective) -> None:
    config = ControllerConfig(
        latent_dim=4, hidden_dim=16, step_dim=8, n_steps=20, batch_size=16, objective=objective
    )
    tokens = sample_tokens(50)
    one, other, third = (
        pretrain(VOCABULARY, tokens, config, seed=seed) for seed in (2**63 - 1, 2**63 - 1, 0)
    )
    assert same_weights(one, other)
    assert not same_weights(one, third)


def test_without_weight_every_objective_trains_the_same_plain_autoencoder() -> None:
    tokens = sample_tokens(50)
    trained = [
        pretrain(VOCABULARY, tokens, replace(SMALL, objective=objective), seed=0)
        for objective in (
            KLObjective(weight=0),
            TotalCorrelationObjective(kl_weight=0, tc_weight=0),
            KLObjective(weight=1),
        )
    ]
    assert same_weights(trained[0], trained[1])
    assert not same_weights(trained[0], trained[2])


@pytest.mark.parametrize("device", DEVICES)
def test_overfits_eight_sequences(device: str) -> None:
    config = ControllerConfig(
        latent_dim=8, hidden_dim=32, n_steps=250, learning_rate=1e-2, objective=KLObjective()
    )
    tokens = sample_tokens(8)
    latent = DisentangledLatent.pretrained(VOCABULARY, tokens, config, seed=0, device=device)
    np.testing.assert_array_equal(latent.decode(latent.encode(tokens)), tokens)


def test_every_parameter_learns() -> None:
    config = ControllerConfig(latent_dim=4, hidden_dim=16, step_dim=8, n_steps=2)
    tokens = sample_tokens(64)
    one, two = (
        pretrain(VOCABULARY, tokens, c, seed=0)
        for c in (config, ControllerConfig(latent_dim=4, hidden_dim=16, step_dim=8, n_steps=4))
    )
    for (name, a), b in zip(one.named_parameters(), two.parameters(), strict=True):
        assert not torch.equal(a, b), name


def test_progress_is_reported_and_the_loss_falls() -> None:
    config = ControllerConfig(n_steps=120, learning_rate=1e-2, objective=KLObjective())
    reports: list[tuple[int, float]] = []
    pretrain(
        VOCABULARY, sample_tokens(200), config, seed=0, on_progress=lambda *r: reports.append(r)
    )
    assert [step for step, _ in reports] == [50, 100, 120]
    start = math.log(math.prod(token.n_choices for token in VOCABULARY.tokens))
    assert reports[-1][1] < 0.8 * start


class Diverging(KLObjective):
    def penalty(self, mean, log_variance, z, progress):
        return super().penalty(mean, log_variance, z, progress) * math.nan


def test_divergence_is_an_error_that_says_what_to_do() -> None:
    config = ControllerConfig(n_steps=3, objective=Diverging())
    with pytest.raises(RuntimeError, match=r"loss is nan after 3 steps.*`learning_rate`"):
        pretrain(VOCABULARY, sample_tokens(8), config, seed=0)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (sample_tokens(0), "must not be empty"),
        (sample_tokens(3)[:, 1:], r"must be \(N, 10\)"),
        (sample_tokens(3) + 3, "has no choice"),
        (sample_tokens(3).astype(float), "must be integers"),
    ],
)
def test_illegal_tokens_are_refused(tokens: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pretrain(VOCABULARY, tokens, SMALL, seed=0)
