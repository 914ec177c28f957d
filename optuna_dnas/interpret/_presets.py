"""Latent spaces that are made for people to look at; a search does as well with quicker ones."""

from optuna_dnas.controller import ControllerConfig
from optuna_dnas.controller import GuidedConfig
from optuna_dnas.controller import TotalCorrelationObjective


def unguided_nasbench101() -> ControllerConfig:
    """The best disentanglement of NASBench-101 that was found without telling any factor.

    A small KL weight leaves room for a strong total correlation, which is what makes latents
    independent. There is not much room: with a weight of 1 hardly any cell is reconstructed.
    """
    return ControllerConfig(
        objective=TotalCorrelationObjective(kl_weight=0.02, tc_weight=0.5),
        hidden_dim=128,
        n_cells=60_000,
        n_steps=8_000,
        learning_rate=4e-3,
    )


def guided_nasbench101(max_vertices: int = 7) -> GuidedConfig:
    """Guided latents of NASBench-101, whose weights ship for 5 and for 7 vertices.

    Told are the operations, depth, edges, the input-output skip and, where cells of fewer
    vertices are common enough to be learned from, the number of vertices. The rest of the
    latents are free. What takes several tokens at once is controlled more often.

    Args:
        max_vertices: Of the space.
    """
    shares = {f"operation of vertex {v}": 1.0 for v in range(1, max_vertices - 1)}
    shares |= {"depth": 5.0, "number of edges": 2.0, "input-output skip": 3.0}
    if max_vertices < 7:
        return _guided(shares, latent_dim=10, hidden_dim=96, n_cells=2_500, n_steps=6_000)
    shares["number of vertices"] = 2.0
    return _guided(shares, latent_dim=24, hidden_dim=128, n_cells=60_000, n_steps=12_000)


def _guided(shares: dict[str, float], **settings: int) -> GuidedConfig:
    return GuidedConfig(
        guided_factors=tuple(shares),
        control_shares=tuple(shares.values()),
        control_weight=3.0,
        objective=TotalCorrelationObjective(kl_weight=0.05, tc_weight=0.1),
        **settings,
    )
