"""From raw candidates to new architectures, and from several objectives to one order.

N: architectures, T: tokens, M: objectives.
"""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller import average_ranks
from optuna_dnas.search_space import SearchSpace


class Candidates(NamedTuple):
    """Valid, different architectures that may be proposed."""

    proposed: TokenArray  # (N, T) tokens to become parameters
    canonical: TokenArray  # (N, T) the same architectures, for the controller
    rows: IntArray  # (N,) which of the raw candidates they were


def token_keys(canonical: TokenArray) -> list[bytes]:
    """(N, T) canonical tokens -> N keys, equal for equal architectures.

    Single precision forgives the rounding of numbers that went through Optuna's storage.
    """
    single = np.ascontiguousarray(canonical, dtype=np.float32) + np.float32(0.0)  # no -0
    return [row.tobytes() for row in single]


def select_new(
    space: SearchSpace[Any],
    raw: TokenArray,
    *,
    taken: Collection[bytes],
    fixed: Mapping[int, Any],
) -> Candidates:
    """Drop what is invalid, double, evaluated or running.

    Args:
        space: The search space.
        raw: (N, T) tokens.
        taken: Keys of the architectures that are not to be proposed again.
        fixed: Tokens that are given; the others are left to fit them.
    """
    if fixed:
        raw = raw.copy()
        raw[:, list(fixed)] = list(fixed.values())
    different = _first_rows(token_keys(raw), frozenset())  # cheaper than their canonical forms
    canonical, valid = space.canonicalize(raw[different])
    new = np.flatnonzero(valid)
    new = new[_first_rows(token_keys(canonical[new]), taken)]
    rows = different[new]
    proposed = canonical[new]
    if fixed:
        # Canonical order may move a vertex; a vertex that is fixed must stay where it is.
        proposed = np.where(space.is_movable, raw[rows], proposed)
    return Candidates(proposed, canonical[new], rows)


def _first_rows(keys: Iterable[bytes], taken: Collection[bytes]) -> IntArray:
    """Where each key that is not taken appears first."""
    first_of: dict[bytes, int] = {}
    for row, key in enumerate(keys):
        if key not in taken:
            first_of.setdefault(key, row)
    return np.fromiter(first_of.values(), dtype=np.int64, count=len(first_of))


def elite_order(scores: FloatArray, violations: FloatArray) -> IntArray:
    """(N,), (N,) both minimised -> rows, the best first.

    Of equally good ones, the first comes before all worse ones, and the others after them: they
    may be one architecture in several ways of writing, around which everything is known.
    """
    order = np.lexsort((scores, violations))
    ordered = np.stack([scores[order], violations[order]])
    is_repeat = np.zeros(len(scores), dtype=bool)
    is_repeat[order[1:]] = (ordered[:, 1:] == ordered[:, :-1]).all(axis=0)
    return np.lexsort((scores, is_repeat, violations))


def sample_directions(n: int, n_objectives: int, rng: np.random.Generator) -> FloatArray:
    """(n, M) uniform directions of the positive orthant; one objective has only one.

    Those of two objectives are evenly spaced.
    """
    if n_objectives == 1:
        return np.ones((1, 1))
    if n_objectives == 2:
        angles = (np.arange(n) + rng.random()) / n * np.pi / 2
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    normal = np.abs(rng.standard_normal((n, n_objectives)))
    directions: FloatArray = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return directions


def scalarize(values: FloatArray, direction: FloatArray) -> FloatArray:
    """(N, M) values, minimised and about in [0, 1] -> (N,) scores, minimised.

    Hypervolume scalarisation (Zhang & Golovin, *Random Hypervolume Scalarizations for Provable
    Multi-Objective Black Box Optimization*, 2020, Eq. 3) with reference point 1.1.
    """
    if len(direction) == 1:
        return values[:, 0]
    scores: FloatArray = -((1.1 - values) / np.maximum(direction, 1e-6)).min(axis=1)
    return scores


def rank_normalize(values: FloatArray) -> FloatArray:
    """(N, M) values, infinite ones allowed -> (N, M) their ranks in [0, 1]."""
    ranks = np.stack([average_ranks(column) for column in values.T], axis=1)
    return (ranks - 1) / max(len(values) - 1, 1)
