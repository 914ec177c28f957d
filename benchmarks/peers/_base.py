"""What the peers share: a study in, a new valid cell out.

N: cells, T: tokens of one (see `NASBench101Space`).
"""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
import itertools
from typing import Any
from typing import NamedTuple

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from benchmarks.peers._moves import random_cells
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies import token_keys


_N_RANDOM = (50, 5_000)
# Spaces up to this size are enumerated before a cell is proposed again.
_MAX_ENUMERATED = 1 << 16


class History(NamedTuple):
    """What a study has evaluated, oldest first."""

    tokens: IntArray  # (N, T) as they were proposed: vertices on no path are still there
    losses: FloatArray  # (N,) minimised
    taken: frozenset[bytes | None]  # keys of all cells of the study, those without a value too


class CellSampler(BaseSampler):
    """Random cells, none of them twice; the peers override :meth:`propose`.

    Args:
        space: Of the cells.
        seed: Of all draws.
    """

    def __init__(self, space: SearchSpace[Any] | None, seed: int) -> None:
        if not isinstance(space, NASBench101Space):
            raise TypeError(f"`space` must be a NASBench101Space, but got {space!r}.")
        self.space = space
        self.seed = seed

    def propose(self, history: History, rng: np.random.Generator) -> Iterable[IntArray]:
        """Pools (N, T) of cells, of which the first new one is taken; random ones follow."""
        return ()

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """All parameters of the space."""
        return self.space.distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The parameters of the next cell; of an old one, once the space is exhausted."""
        rng = np.random.default_rng([self.seed, 0, trial.number])
        history = self._read(study, trial)
        for pool in itertools.chain(self.propose(history, rng), self._random_pools(rng)):
            new = new_cells(self.space, pool, history.taken)
            if len(new):
                return self.space.tokens_to_params(new[:1])[0]
        return self.space.tokens_to_params(self.space.sample_tokens(1, rng))[0]

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Raise `ValueError`: the space holds every parameter."""
        raise ValueError(f"`{param_name}` is no parameter of {self.space}.")

    def _read(self, study: Study, trial: FrozenTrial) -> History:
        names = self.space.distributions.keys()
        trials = [
            t
            for t in study.get_trials(deepcopy=False)
            if t.number != trial.number and names <= t.params.keys()
        ]
        tokens = self.space.params_to_tokens([t.params for t in trials])
        complete = [k for k, t in enumerate(trials) if t.state == TrialState.COMPLETE]
        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        losses = sign * np.array([trials[k].value for k in complete], dtype=float)
        return History(tokens[complete], losses, frozenset(cell_keys(self.space, tokens)))

    def _random_pools(self, rng: np.random.Generator) -> Iterator[IntArray]:
        for n in _N_RANDOM:
            yield random_cells(self.space, n, rng)
        if self.space.size <= _MAX_ENUMERATED:
            yield rng.permutation(self.space.enumerate_tokens())


def new_cells(
    space: NASBench101Space, tokens: IntArray, taken: Collection[bytes | None]
) -> IntArray:
    """The rows of (N, T) tokens that are valid, none isomorphic to another or to a taken one."""
    first_of: dict[bytes, int] = {}
    for row, key in enumerate(cell_keys(space, tokens)):
        if key is not None and key not in taken:
            first_of.setdefault(key, row)
    return tokens[list(first_of.values())]


def cell_keys(space: NASBench101Space, tokens: IntArray) -> list[bytes | None]:
    """(N, T) tokens -> N keys, equal for isomorphic cells; `None` for an invalid one."""
    if not len(tokens):
        return []
    canonical, valid = space.canonicalize(tokens)
    return [key if ok else None for key, ok in zip(token_keys(canonical), valid, strict=True)]
