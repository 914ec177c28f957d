"""Disentangled Neural Architecture Search (arXiv 2009.13266) as an Optuna sampler."""

from optuna_dnas.config import DNASConfig
from optuna_dnas.sampler import DNASSampler


__version__ = "0.1.0"
__all__ = ["DNASConfig", "DNASSampler"]
