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


def guided_nasbench101() -> GuidedConfig:
    """Guided latents of NASBench-101: the operations, depth, edges and the input-output skip.

    The rest of the latents are free. Depth, edges and skip are controlled more often: to change
    them alone takes several tokens at once.
    """
    operations = tuple(f"operation of vertex {v}" for v in range(1, 6))
    return GuidedConfig(
        guided_factors=(*operations, "depth", "number of edges", "input-output skip"),
        control_weight=2.0,
        control_shares=(1.0, 1.0, 1.0, 1.0, 1.0, 5.0, 2.0, 3.0),
        objective=TotalCorrelationObjective(kl_weight=0.05, tc_weight=0.1),
        latent_dim=24,
        hidden_dim=160,
        n_cells=60_000,
        n_steps=14_000,
    )
