"""BANANAS: Bayesian optimization with an ensemble of networks (White et al., 2021)."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.peers._base import cell_keys
from benchmarks.peers._base import CellSampler
from benchmarks.peers._base import History
from benchmarks.peers._base import new_cells
from benchmarks.peers._mlp_ensemble import predict_by_ensemble
from benchmarks.peers._moves import mutate
from benchmarks.peers._path_encoding import encode_paths
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.search_space import SearchSpace


_MAX_PARENTS = 5


class BananasSampler(CellSampler):
    """Mutants of the best cell, ranked by independent Thompson samples of an ensemble.

    The settings are those of the authors' code: 5 networks on the truncated path encoding, fitted
    again every 10 cells, to the mean absolute error; mutants of the best cell, with one edge and
    one op changed on average. The sampler keeps the queue of a round.

    Args:
        space: Of the cells.
        seed: Of all draws.
        n_initial: Random cells at first.
        round_size: Cells between two fits.
        n_candidates: Mutants of one parent. If they are too few that are new, the next best cell
            is another parent.
    """

    def __init__(
        self,
        space: SearchSpace[Any] | None,
        seed: int,
        *,
        n_initial: int = 10,
        round_size: int = 10,
        n_candidates: int = 100,
    ) -> None:
        super().__init__(space, seed)
        self._n_initial, self._round_size = n_initial, round_size
        self._n_candidates = n_candidates
        self._round = -1
        self._queue = np.empty((0, 0), dtype=np.int64)

    def propose(self, history: History, rng: np.random.Generator) -> Iterator[IntArray]:
        """The queue of the round."""
        if len(history.losses) < self._n_initial:
            return
        number = (len(history.losses) - self._n_initial) // self._round_size
        if number != self._round:
            self._queue = self._rank(history, np.random.default_rng([self.seed, 1, number]))
            self._round = number
        yield self._queue

    def _rank(self, history: History, rng: np.random.Generator) -> IntArray:
        candidates = self._candidates(history, rng)
        if not len(candidates):
            return candidates
        predicted = predict_by_ensemble(
            encode_paths(self.space, history.tokens),
            _standardise(history.losses),
            encode_paths(self.space, candidates),
            seed=int(rng.integers(2**63)),
        )
        sampled = rng.normal(predicted.mean(axis=0), predicted.std(axis=0))
        ranked: IntArray = candidates[sampled.argsort()]
        return ranked

    def _candidates(self, history: History, rng: np.random.Generator) -> IntArray:
        taken = set(history.taken)
        candidates = history.tokens[:0]
        n_edges = self.space.max_vertices * (self.space.max_vertices - 1) / 2
        for parent in history.tokens[history.losses.argsort()[:_MAX_PARENTS]]:
            if len(candidates) >= self._n_candidates:
                break
            mutants = mutate(self.space, parent, self._n_candidates, rng, edge_rate=1.0 / n_edges)
            new = new_cells(self.space, mutants, taken)
            taken.update(cell_keys(self.space, new))
            candidates = np.concatenate([candidates, new])
        return candidates


def _standardise(losses: FloatArray) -> FloatArray:
    """(N,) -> (N,) by median and median deviation, which no failed cell can move far."""
    centred = losses - np.median(losses)
    spread = float(np.median(np.abs(centred)))
    standardised: FloatArray = centred / (spread if spread > 0 else 1.0)
    return standardised
