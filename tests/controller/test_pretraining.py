"""Weights: shipped, cached or trained; in the foreground or, to the same bits, behind trials."""

from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
import math
from pathlib import Path
import random
import threading
import time
from typing import Any

import numpy as np
from optuna.distributions import FloatDistribution
import pytest
from safetensors.numpy import load_file
import torch

from optuna_dnas._background import BackgroundCall
from optuna_dnas.controller import ControllerConfig
from optuna_dnas.controller import KLObjective
from optuna_dnas.controller import missing_weights
from optuna_dnas.controller._disentangled import DisentangledLatent
from optuna_dnas.controller._weights import load_or_pretrain
from optuna_dnas.controller._weights import resolve_config
from optuna_dnas.search_space import ArchitectureSpace
from optuna_dnas.search_space import Choice
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import Repeat


SHIPPED = [NASBench101Space(), NASBench101Space(max_vertices=5)]
TINY = NASBench101Space(max_vertices=3)
FAST = ControllerConfig(latent_dim=4, hidden_dim=16, step_dim=8, n_cells=50, n_steps=20)

pretrained = DisentangledLatent.pretrained


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weights of an own cache directory, which does not exist yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "optuna-dnas" / "weights"


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[ControllerConfig]:
    """The settings of every training, as they happen."""
    configs: list[ControllerConfig] = []

    def train(vocabulary: Any, tokens: Any, config: ControllerConfig, **kwargs: Any) -> Any:
        configs.append(config)
        return pretrained(vocabulary, tokens, config, **kwargs)

    monkeypatch.setattr(DisentangledLatent, "pretrained", train)
    return configs


def load(config: ControllerConfig | None = FAST, space: Any = TINY) -> DisentangledLatent:
    return load_or_pretrain(space, config, device="cpu")


def same(one: DisentangledLatent, other: DisentangledLatent) -> bool:
    tokens = TINY.enumerate_tokens()
    return np.array_equal(one.encode(tokens), other.encode(tokens))


def content_of(path: Path) -> dict[str, bytes]:
    """Every bit of the weights; the rest of a file has no fixed order."""
    return {name: array.tobytes() for name, array in load_file(path).items()}


@pytest.mark.parametrize("space", SHIPPED, ids=repr)
def test_shipped_weights_are_the_thorough_ones(
    space: NASBench101Space, cache: Path, trainings: list[ControllerConfig]
) -> None:
    assert missing_weights(space, None) is None
    assert load(None, space).config == load(ControllerConfig(), space).config
    assert load(None, space).config == ControllerConfig()
    assert not trainings
    assert not cache.exists()


def test_other_spaces_are_trained_quickly_by_their_size(
    cache: Path, trainings: list[ControllerConfig]
) -> None:
    latent = load(None)
    assert trainings == [latent.config] == [ControllerConfig.quick(TINY.size, 2)]
    sizes = [1, 7, 91, 64_544, 423_624, math.inf]
    n_steps = [ControllerConfig.quick(size, 6).n_steps for size in sizes]
    assert n_steps == sorted(n_steps)
    assert n_steps[0] > 100
    assert n_steps[-1] == 1_000
    assert ControllerConfig.quick(math.inf, 20).n_steps == 500
    # NASBench-101; a space of 1e9; one as large as the paper's for ImageNet.
    dims = [ControllerConfig.quick(size, 6).latent_dim for size in (423_624, 1e9, 1e17)]
    assert dims == [16, 26, 48]


@pytest.mark.parametrize("depth", [8, 20, 40])
def test_training_of_long_declared_spaces_is_bounded(depth: int) -> None:
    space = ArchitectureSpace(layers=Repeat(Choice(*range(9)), depth=depth))
    assert space.vocabulary.n_steps == depth
    assert depth * resolve_config(space, None).n_steps == 5_000


@pytest.mark.parametrize("space", [TINY, *SHIPPED], ids=repr)
def test_explicit_settings_are_kept_to(space: NASBench101Space) -> None:
    assert resolve_config(space, FAST) == FAST
    assert resolve_config(space, ControllerConfig()) == ControllerConfig()


def test_what_is_missing_is_where_training_writes_it(cache: Path) -> None:
    path = missing_weights(TINY, FAST)
    assert path is not None
    assert not path.exists()
    load()
    assert list(cache.iterdir()) == [path]
    assert missing_weights(TINY, FAST) is None
    other = missing_weights(TINY, None)
    assert other is not None
    assert other != path


def test_a_flat_space_misses_nothing() -> None:
    space = FlatSpace({"x": FloatDistribution(0.0, 1.0)})
    assert missing_weights(space, None) is None


def test_a_cached_file_is_used(cache: Path, trainings: list[ControllerConfig]) -> None:
    assert same(load(), load())
    assert trainings == [FAST]


@pytest.mark.parametrize("damage", [lambda c: b"", lambda c: c[:-1], lambda c: c[:-9] + b"9" * 9])
def test_a_damaged_file_is_replaced(
    damage: Callable[[bytes], bytes], cache: Path, trainings: list[ControllerConfig]
) -> None:
    first = load()
    (path,) = cache.iterdir()
    content = content_of(path)
    path.write_bytes(damage(path.read_bytes()))
    assert same(load(), first)
    assert len(trainings) == 2
    assert list(cache.iterdir()) == [path]
    assert content_of(path) == content


def test_a_cache_that_cannot_be_written_is_done_without(
    cache: Path, trainings: list[ControllerConfig]
) -> None:
    cache.parent.write_text("a file where the directory should be")
    assert same(load(), load())
    assert len(trainings) == 2
    assert missing_weights(TINY, FAST) is not None


def test_threads_train_once(cache: Path, trainings: list[ControllerConfig]) -> None:
    calls = [BackgroundCall(load) for _ in range(3)]
    latents = [load(), *(call.result() for call in calls)]
    assert all(same(latents[0], latent) for latent in latents)
    assert trainings == [FAST]


def test_a_training_that_fails_is_tried_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(DisentangledLatent, "pretrained", fail)
    calls = [BackgroundCall(load) for _ in range(2)]
    for call in calls:
        with pytest.raises(RuntimeError, match="out of memory"):
            call.result()
    monkeypatch.setattr(DisentangledLatent, "pretrained", pretrained)
    load()


class UserSettings:
    """What a user has set in torch and elsewhere; most of it belongs to a thread."""

    def __enter__(self) -> "UserSettings":
        self._n_threads, self._dtype = torch.get_num_threads(), torch.get_default_dtype()
        torch.set_num_threads(3)
        torch.set_default_dtype(torch.float64)
        return self

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._n_threads)
        torch.set_default_dtype(self._dtype)

    @staticmethod
    def read() -> list[Any]:
        with ThreadPoolExecutor(1) as new_thread:
            n_threads = new_thread.submit(torch.get_num_threads).result()
        name, keys, *rest = np.random.get_state()  # noqa: NPY002
        denormal = torch.tensor([1e-40], dtype=torch.float32).mul(1.0).item()
        return [
            ("of new threads", n_threads),
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.get_default_device(),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.is_autocast_enabled("cpu"),
            torch.get_rng_state().tolist(),
            (name, keys.tolist(), rest),
            random.getstate(),
            denormal,
        ]


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Training pauses in its middle after setting the first event, until the second is set."""
    middle, go_on = threading.Event(), threading.Event()
    penalty = KLObjective.penalty

    def pause(self: KLObjective, *args: Any) -> Any:
        if args[-1] > 0.5 and not middle.is_set():
            middle.set()
            assert go_on.wait(timeout=60)
        return penalty(self, *args)

    monkeypatch.setattr(KLObjective, "penalty", pause)
    yield middle, go_on
    go_on.set()


def test_in_the_background_it_neither_sees_nor_changes_what_the_user_has_set(
    tmp_path: Path, paused: tuple[threading.Event, threading.Event]
) -> None:
    config = ControllerConfig(
        latent_dim=4, hidden_dim=16, n_cells=50, n_steps=20, objective=KLObjective()
    )
    middle, go_on = paused

    def work() -> DisentangledLatent:
        return load_or_pretrain(TINY, config, device="cpu", directory=tmp_path / "background")

    with UserSettings() as settings, torch.inference_mode(), torch.device("meta"):
        with torch.device("cpu"):
            before = settings.read()
        call = BackgroundCall(work)
        assert middle.wait(timeout=60)
        with torch.device("cpu"):
            assert settings.read() == before
        go_on.set()
        call.result()
        with torch.device("cpu"):
            assert settings.read() == before
    load_or_pretrain(TINY, config, device="cpu", directory=tmp_path / "foreground")
    (one,), (other,) = ((tmp_path / d).iterdir() for d in ("background", "foreground"))
    assert one.name == other.name
    assert content_of(one) == content_of(other)


def test_what_autocast_has_converted_for_other_threads_is_kept(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise AssertionError

    monkeypatch.setattr(torch, "clear_autocast_cache", fail)
    BackgroundCall(load).result()


@pytest.mark.slow
@pytest.mark.parametrize(("max_vertices", "least"), [(3, 1.0), (4, 1.0), (6, 0.99), (7, 0.9)])
def test_quick_weights_reconstruct_within_30_cpu_seconds(max_vertices: int, least: float) -> None:
    space = NASBench101Space(max_vertices=max_vertices)
    config = ControllerConfig.quick(space.size, space.vocabulary.n_steps)
    start = time.thread_time()
    tokens = space.sample_tokens(config.n_cells, np.random.default_rng(0))
    latent = pretrained(space.vocabulary, tokens, config, seed=0)
    assert time.thread_time() - start < 30
    unseen = space.sample_tokens(5_000, np.random.default_rng(1))
    assert latent.reconstruction_accuracy(unseen) >= least
