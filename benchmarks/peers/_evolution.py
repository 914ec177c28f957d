"""Regularized evolution (Real et al., 2019), as in NASBench-101's own code (Ying et al., 2019)."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.peers._base import CellSampler
from benchmarks.peers._base import History
from benchmarks.peers._moves import mutate
from optuna_dnas._typing import IntArray
from optuna_dnas.search_space import SearchSpace


# In a small space a parent may have no new offspring: then the child is a random cell.
_MAX_ATTEMPTS = 20
_N_MUTANTS = 50


class RegularizedEvolutionSampler(CellSampler):
    """The child of a tournament's winner joins the population, the oldest member leaves it.

    The study is the state: the population are its latest cells. Edges are flipped with
    probability 1 / V and ops changed with probability 1 / (V - 2), until the child is new.

    Args:
        space: Of the cells; V vertices.
        seed: Of all draws.
        population_size: Random cells at first.
        tournament_size: How many different members compete to be the parent.
    """

    def __init__(
        self,
        space: SearchSpace[Any] | None,
        seed: int,
        *,
        population_size: int = 50,
        tournament_size: int = 10,
    ) -> None:
        super().__init__(space, seed)
        if not 1 <= tournament_size <= population_size:
            raise ValueError(
                f"`tournament_size` must be from 1 to {population_size}, "
                f"but got {tournament_size}."
            )
        self._population_size = population_size
        self._tournament_size = tournament_size

    def propose(self, history: History, rng: np.random.Generator) -> Iterator[IntArray]:
        """Mutants of one parent."""
        if len(history.losses) < self._population_size:
            return
        population = history.tokens[-self._population_size :]
        losses = history.losses[-self._population_size :]
        entrants = rng.choice(self._population_size, self._tournament_size, replace=False)
        parent = population[entrants[losses[entrants].argmin()]]
        edge_rate = 1.0 / self.space.max_vertices
        for _ in range(_MAX_ATTEMPTS):
            yield mutate(self.space, parent, _N_MUTANTS, rng, edge_rate=edge_rate)
