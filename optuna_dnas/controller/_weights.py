"""Where the weights of an autoencoder come from: the package, the user's cache, or training."""

from collections.abc import Callable
from contextlib import suppress
import hashlib
import os
from pathlib import Path
import threading
from typing import Any
from typing import TYPE_CHECKING

import numpy as np

from optuna_dnas._background import stop_if_process_ends
from optuna_dnas._files import cache_directory
from optuna_dnas.controller._config import ControllerConfig
from optuna_dnas.encoding import Vocabulary
from optuna_dnas.search_space import SearchSpace


if TYPE_CHECKING:
    from optuna_dnas.controller._disentangled import DisentangledLatent


SHIPPED_WEIGHTS = Path(__file__).parent / "weights"
_SEED = 0

_locks: dict[tuple[int, str], threading.Lock] = {}


def fingerprint(vocabulary: Vocabulary, config: ControllerConfig) -> str:
    """A hexadecimal name of everything that weights depend on, apart from data and seed."""
    return hashlib.sha256(repr((vocabulary.tokens, config)).encode()).hexdigest()


def resolve_config(space: SearchSpace[Any], config: ControllerConfig | None) -> ControllerConfig:
    """``config``; if it is `None`, that of the shipped weights, or else the quick one."""
    if config is not None:
        return config
    thorough = ControllerConfig()
    is_shipped = os.path.exists(weights_path(SHIPPED_WEIGHTS, space, thorough))
    if is_shipped:
        return thorough
    assert space.vocabulary is not None
    size, n_steps = space.size, space.vocabulary.n_steps
    if space.search == "joint":
        # Half of its candidates do not come from the latent space.
        return ControllerConfig.quick(size, n_steps, n_lstm_steps=5_000)
    return ControllerConfig.quick(size, n_steps)


def missing_weights(space: SearchSpace[Any], config: ControllerConfig | None) -> Path | None:
    """The file that pre-training will write; `None` if there are weights, or none are needed."""
    if space.vocabulary is None:
        return None
    config = resolve_config(space, config)
    paths = [weights_path(folder, space, config) for folder in (SHIPPED_WEIGHTS, _cache())]
    return None if any(map(os.path.exists, paths)) else paths[-1]


def load_or_pretrain(
    space: SearchSpace[Any],
    config: ControllerConfig | None,
    *,
    device: str,
    directory: Path | None = None,
    on_progress: Callable[[int, float], None] | None = None,
) -> "DisentangledLatent":
    """Shipped weights, or those in the user's cache directory, or new ones, kept there.

    Weights depend on the space's tokens, the settings, and the seed, not on any evaluation. A
    cached file that cannot be read is replaced.

    Args:
        space: A space with a vocabulary.
        config: The latent and its training; `None`: see `resolve_config`.
        device: Where it will run.
        directory: Instead of the shipped weights and the cache.
        on_progress: Called with the finished steps and the loss while training.
    """
    from optuna_dnas.controller._disentangled import DisentangledLatent

    vocabulary = space.vocabulary
    assert vocabulary is not None
    config = resolve_config(space, config)
    folders = (SHIPPED_WEIGHTS, _cache()) if directory is None else (directory,)
    paths = [weights_path(folder, space, config) for folder in folders]
    with _lock(paths[-1]):
        for path in paths:
            try:
                return DisentangledLatent.load(path, vocabulary, config, device=device)
            except (OSError, ValueError):
                continue
        stop_if_process_ends()
        tokens = space.sample_tokens(config.n_cells, np.random.default_rng(_SEED))
        latent = DisentangledLatent.pretrained(
            vocabulary, tokens, config, seed=_SEED, device=device, on_progress=on_progress
        )
        # A cache that cannot be written costs time at the next start, no more.
        with suppress(OSError):
            latent.save(paths[-1])
        return latent


def weights_path(folder: Path, space: SearchSpace[Any], config: ControllerConfig) -> Path:
    """Where a folder has the weights of a space with a vocabulary."""
    assert space.vocabulary is not None
    name = hashlib.sha256(fingerprint(space.vocabulary, config).encode()).hexdigest()[:16]
    return folder / f"{name}.safetensors"


def _cache() -> Path:
    return cache_directory() / "weights"


def _lock(path: Path) -> threading.Lock:
    """Threads of one process train once. A fork does not inherit locks that nobody will free."""
    return _locks.setdefault((os.getpid(), str(path)), threading.Lock())
