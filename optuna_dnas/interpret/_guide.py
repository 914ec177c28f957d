"""Latents that are told which factor they shall be: see `GuidedConfig`.

N: architectures, T: tokens, G: guided factors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import TYPE_CHECKING

import numpy as np

from optuna_dnas._typing import TokenArray
from optuna_dnas.controller import GuidanceData
from optuna_dnas.controller import GuidedConfig
from optuna_dnas.controller import GuidedFactor
from optuna_dnas.interpret._pairs import match_partners
from optuna_dnas.search_space import FactorModel
from optuna_dnas.search_space import SearchSpace


if TYPE_CHECKING:
    from optuna_dnas.controller import DisentangledLatent


_CHUNK = 20_000


def pretrain_guided(
    space: SearchSpace[Any],
    config: GuidedConfig,
    *,
    seed: int,
    device: str = "cpu",
    on_progress: Callable[[int, float], None] | None = None,
) -> DisentangledLatent:
    """Train on architectures of a space, their factors known, without labels.

    Args:
        space: A space with a vocabulary and generative factors.
        config: Which factors, and the training.
        seed: Of the drawn architectures and the training.
        device: Where to train.
        on_progress: Called with the finished steps and the loss.

    Raises:
        ValueError: The space has no such factors.
    """
    from optuna_dnas.controller import DisentangledLatent

    assert space.vocabulary is not None
    pool = draw_pool(space, config.n_pool, np.random.default_rng(seed))
    guidance = make_guidance(pool, space.factor_model, config)
    return DisentangledLatent.pretrained(
        space.vocabulary,
        pool[: config.n_cells].astype(np.int64),
        config,
        seed=seed,
        device=device,
        guidance=guidance,
        on_progress=on_progress,
    )


def draw_pool(space: SearchSpace[Any], n: int, rng: np.random.Generator) -> TokenArray:
    """(N, T) the different ones of ``n`` random architectures, in random order."""
    drawn = []
    for start in range(0, n, _CHUNK):
        drawn.append(space.sample_tokens(min(_CHUNK, n - start), rng).astype(np.int8))
    return rng.permutation(np.unique(np.concatenate(drawn), axis=0))


def make_guidance(
    pool: TokenArray,  # (N, T) canonical, no two alike; the first are trained on
    model: FactorModel,
    config: GuidedConfig,
) -> GuidanceData:
    """The values of the guided factors, and the partners of each architecture.

    Raises:
        ValueError: The model has no such factors.
    """
    basic, n_matched = model.basic, min(config.n_cells, len(pool))
    columns = [_column(model, name) for name in config.guided_factors]
    chunks = np.array_split(pool, 1 + len(pool) // _CHUNK)
    values = np.concatenate([model.measure(c.astype(np.int64))[:, basic] for c in chunks])
    factors = []
    for column in columns:
        partners = match_partners(
            pool, values, column, n_matched=n_matched, n_partners=config.n_partners
        )
        factors.append(
            GuidedFactor(
                values[:n_matched, column], partners.values, partners.indices, partners.exist
            )
        )
    return GuidanceData(factors, pool)


def _column(model: FactorModel, name: str) -> int:
    """The number of a factor among the basic ones."""
    names = [model.factors[f].name for f in model.basic]
    if name not in names:
        raise ValueError(f"`guided_factors` must be of {names}, but got {name!r}.")
    return names.index(name)
