"""The samplers that are compared, each as its authors ship it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
import warnings

import optuna
from optuna.samplers import BaseSampler

from benchmarks.peers import BananasSampler
from benchmarks.peers import CellSampler
from benchmarks.peers import LocalSearchSampler
from benchmarks.peers import RegularizedEvolutionSampler
from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas.controller import SemiSupervisedConfig
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies import LatentGradient
from optuna_dnas.strategies import WholeSpace


def _gp(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.GPSampler(seed=seed)


def semi_nas() -> DNASConfig:
    """The paper's ablation: neither disentanglement nor dense sampling (Luo et al., 2020).

    Our controller becomes a plain autoencoder, and its unlabelled architectures come from the
    whole latent space. As in SemiNAS, the loss is 0.8 of the squared error and 0.2 of the
    cross-entropy, which is a mean over 27 tokens there, and no cost is predicted.
    """
    paper = DNASConfig.paper()
    declared = replace(
        paper.declared,
        strategies=(LatentGradient(share=1.0, top_k=100),),
        pool_strategies=(WholeSpace(share=1.0),),
    )
    training = SemiSupervisedConfig(
        accuracy_weight=0.8, cost_weight=0.0, reconstruction_weight=0.2 / 27, kl_weight=0.0
    )
    return replace(paper, declared=declared, semi_supervised=training)


Contender = Callable[[int, SearchSpace[Any] | None], BaseSampler]
"""A sampler for a seed, and for the declared space of the problem, if it has one."""

CONTENDERS: dict[str, Contender] = {
    "DNAS": lambda seed, space: DNASSampler(seed=seed, space=space),
    "DNAS (paper)": lambda seed, space: DNASSampler(
        seed=seed, space=space, config=DNASConfig.paper()
    ),
    "SemiNAS": lambda seed, space: DNASSampler(seed=seed, space=space, config=semi_nas()),
    "BANANAS": lambda seed, space: BananasSampler(space, seed),
    "Local search": lambda seed, space: LocalSearchSampler(space, seed),
    "Evolution (20)": lambda seed, space: RegularizedEvolutionSampler(
        space, seed, population_size=20, tournament_size=20
    ),
    "Evolution (50)": lambda seed, space: RegularizedEvolutionSampler(space, seed),
    "Random cells": lambda seed, space: CellSampler(space, seed),
    "Random": lambda seed, _: optuna.samplers.RandomSampler(seed=seed),
    "TPE": lambda seed, _: optuna.samplers.TPESampler(seed=seed),
    "GP": lambda seed, _: _gp(seed),
    "NSGA-II": lambda seed, _: optuna.samplers.NSGAIISampler(seed=seed),
}
"""The peers from BANANAS to random cells need a space of cells."""
