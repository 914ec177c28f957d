"""Traversals: what changes when one latent moves and the others stay (the paper's Fig. 3).

N: architectures, D: latent dimensions, S: points of a traversal, F: factors, T: tokens.

A *step* leads from one point of a traversal to the next. It counts if both architectures are
valid and not the same. It is *pure* if exactly one factor changes, and pure *by kind* if factors
of exactly one kind change; derived factors are left out, since they cannot change alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.interpret._decoding import Decoding
from optuna_dnas.search_space import Factor
from optuna_dnas.search_space import FactorModel


GRID = np.linspace(-2.0, 2.0, 9)
"""Where a traversal goes by default, in standard deviations of a code."""


@dataclass(frozen=True)
class Traversals:
    """The steps of N traversals of one latent.

    Args:
        counts: (N, S - 1) steps between different valid architectures.
        changes: (N, S - 1, F) which factors they change.
        valid_share: Of the architectures on the way.
    """

    counts: BoolArray
    changes: BoolArray
    valid_share: float

    @property
    def reach(self) -> float:
        """Share of the architectures that the latent changes at all."""
        return float(self.counts.any(axis=1).mean())

    def of_factor(self, factor: int) -> float:
        """Share of the architectures of which some step changes the factor."""
        return float((self.changes[:, :, factor] & self.counts).any(axis=1).mean())

    def purity(self, basic: IntArray) -> float:
        """Share of the steps that change exactly one basic factor; NaN without steps."""
        return _mean((self._counted[:, basic].sum(axis=1)) == 1)

    def purity_by_kind(self, factors: Sequence[Factor], basic: IntArray) -> float:
        """Share of the steps that change basic factors of exactly one kind."""
        kinds = np.array([factors[f].kind for f in basic])
        changed = [self._counted[:, basic[kinds == kind]].any(axis=1) for kind in np.unique(kinds)]
        return _mean(np.sum(changed, axis=0) == 1)

    def alone(self, basic: IntArray) -> FloatArray:
        """(F,) share of the steps in which a factor is the only basic one to change."""
        counted = self._counted
        shares = np.zeros(counted.shape[1])
        if len(counted):
            is_pure = counted[:, basic].sum(axis=1) == 1
            shares[basic] = (counted[:, basic] & is_pure[:, None]).mean(axis=0)
        return shares

    @property
    def _counted(self) -> BoolArray:
        """(steps that count, F)."""
        return self.changes[self.counts]


def traversal_codes(
    codes: FloatArray,  # (N, D)
    dimension: int,
    grid: FloatArray = GRID,  # (S,)
) -> FloatArray:  # (N, S, D)
    """Each code with its coordinate ``dimension`` at every point of the grid."""
    moved = np.repeat(codes[:, None], len(grid), axis=1)
    moved[:, :, dimension] = grid
    return moved


def traverse(
    decoding: Decoding,
    model: FactorModel,
    codes: FloatArray,  # (N, D)
    dimension: int,
    grid: FloatArray = GRID,  # (S,)
) -> Traversals:
    """Move one latent of every code along the grid, and see which factors change."""
    n, s = len(codes), len(grid)
    moved = traversal_codes(codes, dimension, grid)
    tokens, valid = decoding(moved.reshape(n * s, -1))
    return compare_steps(tokens.reshape(n, s, -1), valid.reshape(n, s), model)


def compare_steps(
    tokens: TokenArray,  # (N, S, T) canonical
    valid: BoolArray,  # (N, S)
    model: FactorModel,
) -> Traversals:
    """What each step of N traversals changes. A factor that stops to apply has not changed."""
    n, s, t = tokens.shape
    values = np.full((n * s, len(model.factors)), np.nan)
    values[valid.ravel()] = model.measure(tokens.reshape(n * s, t)[valid.ravel()])
    values = values.reshape(n, s, -1)
    before, after = values[:, :-1], values[:, 1:]
    changes = (before != after) & ~np.isnan(before) & ~np.isnan(after)
    is_new = _differs(tokens[:, :-1], tokens[:, 1:]).any(axis=2)
    counts = is_new & valid[:, :-1] & valid[:, 1:]
    return Traversals(counts, changes, float(valid.mean()))


def _differs(a: TokenArray, b: TokenArray) -> BoolArray:
    """Unlike tokens, where NaN (inactive) is like itself."""
    differs: BoolArray = (a != b) & ~((a != a) & (b != b))
    return differs


def _mean(flags: BoolArray) -> float:
    return float(flags.mean()) if len(flags) else float("nan")
