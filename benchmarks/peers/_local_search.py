"""Local search (White et al., *Exploring the Loss Landscape in NAS*, 2020)."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.peers._base import CellSampler
from benchmarks.peers._base import History
from benchmarks.peers._moves import neighbours
from optuna_dnas._typing import IntArray
from optuna_dnas.search_space import SearchSpace


class LocalSearchSampler(CellSampler):
    """Go to the first neighbour that is better; begin anew where none is.

    A neighbour differs in one edge or one op. The sampler remembers when it began anew.

    Args:
        space: Of the cells.
        seed: Of all draws.
        n_initial: Random cells at every beginning, of which the best is the start.
    """

    def __init__(self, space: SearchSpace[Any] | None, seed: int, *, n_initial: int = 10) -> None:
        super().__init__(space, seed)
        if n_initial < 1:
            raise ValueError(f"`n_initial` must be positive, but got {n_initial}.")
        self._n_initial = n_initial
        self._start = 0

    def propose(self, history: History, rng: np.random.Generator) -> Iterator[IntArray]:
        """The neighbours of the best cell since the last beginning, in random order."""
        losses = history.losses[self._start :]
        if len(losses) < self._n_initial:
            return
        current = history.tokens[self._start + losses.argmin()]
        yield rng.permutation(neighbours(self.space, current))
        # Asked for more, since none of them is new: a local optimum.
        self._start = len(history.losses)
