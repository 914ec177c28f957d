"""Which controller serves a search space, and where its weights come from."""

from collections.abc import Callable
import hashlib
from pathlib import Path
from typing import Any
from typing import TYPE_CHECKING

import numpy as np
import platformdirs

from optuna_dnas.controller._config import ControllerConfig
from optuna_dnas.controller._config import SemiSupervisedConfig
from optuna_dnas.controller._controller import Controller
from optuna_dnas.controller._controller import FrozenController
from optuna_dnas.controller._identity import IdentityLatent
from optuna_dnas.controller.predictors import PredictorConfig
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import SearchSpace


if TYPE_CHECKING:
    from optuna_dnas.controller._disentangled import DisentangledLatent


SHIPPED_WEIGHTS = Path(__file__).parent / "weights"
_SEED = 0


def make_controller(
    space: SearchSpace[Any],
    *,
    predictor: PredictorConfig,
    with_costs: bool,
    config: ControllerConfig,
    semi_supervised: SemiSupervisedConfig | None,
    device: str,
) -> Controller:
    """A space with structure gets the disentangled latent, a flat one the identity.

    Only the former imports torch.

    Args:
        space: The search space.
        predictor: How predictors on a frozen latent are fitted.
        with_costs: Whether strategies look at predicted costs.
        config: The disentangled latent.
        semi_supervised: Train everything jointly, as the paper does; `None`: do not.
        device: ``"cpu"``, ``"cuda"``, ``"mps"``.
    """
    if space.vocabulary is None:
        assert isinstance(space, FlatSpace)
        return FrozenController(IdentityLatent(space), predictor, with_costs=with_costs)
    if semi_supervised is not None:
        from optuna_dnas.controller._joint import JointController

        return JointController(space.vocabulary, config, semi_supervised, device=device)
    latent = load_or_pretrain(space, config, device=device)
    return FrozenController(latent, predictor, with_costs=with_costs)


def load_or_pretrain(
    space: SearchSpace[Any],
    config: ControllerConfig,
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
        config: The latent and its training.
        device: Where it will run.
        directory: Instead of the shipped weights and the cache.
        on_progress: Called with the finished steps and the loss while training.
    """
    from optuna_dnas.controller._disentangled import DisentangledLatent
    from optuna_dnas.controller._disentangled import fingerprint

    vocabulary = space.vocabulary
    assert vocabulary is not None
    name = hashlib.sha256(fingerprint(vocabulary, config).encode()).hexdigest()[:16]
    cache = directory or Path(platformdirs.user_cache_dir("optuna-dnas")) / "weights"
    for folder in (cache,) if directory else (SHIPPED_WEIGHTS, cache):
        path = folder / f"{name}.safetensors"
        try:
            return DisentangledLatent.load(path, vocabulary, config, device=device)
        except (OSError, ValueError):
            continue
    rng = np.random.default_rng(_SEED)
    tokens = space.sample_tokens(config.n_cells, rng)
    latent = DisentangledLatent.pretrained(
        vocabulary, tokens, config, seed=_SEED, device=device, on_progress=on_progress
    )
    try:
        cache.mkdir(parents=True, exist_ok=True)
        latent.save(path)
    except OSError:  # A cache that cannot be written costs time at the next start, no more.
        pass
    return latent
