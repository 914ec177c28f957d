"""Latent spaces that are made for people to look at; a search does as well with quicker ones."""

from typing import Any

from optuna_dnas.controller import GuidedConfig
from optuna_dnas.controller import TotalCorrelationObjective
from optuna_dnas.search_space import SearchSpace


def guided_config(space: SearchSpace[Any]) -> GuidedConfig | None:
    """Latents that are told the factors that their space names; `None`: it names none."""
    guidance = space.guidance
    if guidance is None:
        return None
    return GuidedConfig(
        guided_factors=tuple(guidance.shares),
        control_shares=tuple(guidance.shares.values()),
        control_weight=3.0,
        objective=TotalCorrelationObjective(kl_weight=0.05, tc_weight=0.1),
        latent_dim=guidance.latent_dim,
        hidden_dim=guidance.hidden_dim,
        n_cells=guidance.n_cells,
        n_steps=guidance.n_steps,
    )
