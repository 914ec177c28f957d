"""The samplers that are compared, each as its authors ship it."""

from dataclasses import replace

from benchmarks.peers import BananasSampler
from benchmarks.peers import CellSampler
from benchmarks.peers import LocalSearchSampler
from benchmarks.peers import NASBowlSampler
from benchmarks.peers import RegularizedEvolutionSampler
from benchmarks.peers import SMACSampler
from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas.benchmarking import SamplerFactory
from optuna_dnas.benchmarking import SAMPLERS
from optuna_dnas.controller import SemiSupervisedConfig
from optuna_dnas.strategies import LatentGradient


def ablated(*, dense: bool, disentangled: bool) -> DNASConfig:
    """The paper's ablation, its Table 3. With neither, it is SemiNAS (Luo et al., 2020).

    Without dense sampling, the unlabelled architectures are random ones. Without
    disentanglement, our controller becomes the plain autoencoder of SemiNAS: the loss is 0.8 of
    the squared error and 0.2 of the cross-entropy, which is a mean over 27 tokens there, and no
    cost is predicted.
    """
    config = DNASConfig.paper()
    if not dense:
        declared = replace(config.declared, pool_strategies=())
        config = replace(config, declared=declared)
    if not disentangled:
        training = SemiSupervisedConfig(
            accuracy_weight=0.8, cost_weight=0.0, reconstruction_weight=0.2 / 27, kl_weight=0.0
        )
        declared = replace(config.declared, strategies=(LatentGradient(share=1.0, top_k=100),))
        config = replace(config, declared=declared, semi_supervised=training)
    return config


def _dnas(config: DNASConfig) -> SamplerFactory:
    return lambda seed, space: DNASSampler(seed=seed, space=space, config=config)


CONTENDERS: dict[str, SamplerFactory] = SAMPLERS | {
    "SMAC": lambda seed, _: SMACSampler(seed),
    "DNAS (paper)": _dnas(DNASConfig.paper()),
    "DNAS (paper), not dense": _dnas(ablated(dense=False, disentangled=True)),
    "DNAS (paper), not disentangled": _dnas(ablated(dense=True, disentangled=False)),
    "SemiNAS": _dnas(ablated(dense=False, disentangled=False)),
    "NAS-BOWL": lambda seed, space: NASBowlSampler(space, seed),
    "BANANAS": lambda seed, space: BananasSampler(space, seed),
    "Local search": lambda seed, space: LocalSearchSampler(space, seed),
    "Evolution (20)": lambda seed, space: RegularizedEvolutionSampler(
        space, seed, population_size=20, tournament_size=20
    ),
    "Evolution (50)": lambda seed, space: RegularizedEvolutionSampler(space, seed),
    "Random cells": lambda seed, space: CellSampler(space, seed),
}
"""The peers from NAS-BOWL to random cells need a space of cells, and SMAC needs ``smac``."""
