"""Published searches as Optuna samplers, with their authors' settings, to compare with.

All but SMAC search cells.

They serve benchmarks in one process: some keep state between asks, and a sampler is for one study.
"""

from benchmarks.peers._bananas import BananasSampler
from benchmarks.peers._base import CellSampler
from benchmarks.peers._base import History
from benchmarks.peers._evolution import RegularizedEvolutionSampler
from benchmarks.peers._local_search import LocalSearchSampler
from benchmarks.peers._nasbowl import NASBowlSampler
from benchmarks.peers._smac import SMACSampler


__all__ = [
    "BananasSampler",
    "CellSampler",
    "History",
    "LocalSearchSampler",
    "NASBowlSampler",
    "RegularizedEvolutionSampler",
    "SMACSampler",
]
