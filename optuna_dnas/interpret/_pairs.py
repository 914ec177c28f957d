"""Matched pairs: architectures that differ in one factor, and in nothing else that has a name.

N: architectures, n: those whose partners are looked for, T: tokens, G: factors, V: values of a
factor, K: partners.
"""

from collections.abc import Iterator
import itertools
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray


_MAX_CANDIDATES = 2_000  # With one value of the factor, among which the nearest are looked for.


class Partners(NamedTuple):
    """What architectures become when one factor takes another value.

    Several architectures may do; the nearest are kept. Where there is none for a value, an
    architecture stays as near to the value as it can get.
    """

    indices: IntArray  # (n, V, K) of architectures
    exist: BoolArray  # (n, V, K) at least one of each K
    values: FloatArray  # (V,) of the factor


def match_partners(
    tokens: TokenArray,  # (N, T)
    factors: FloatArray,  # (N, G), NaN where a factor does not apply
    factor: int,
    *,
    n_matched: int,
    n_partners: int,
) -> Partners:
    """Find the partners of the first ``n_matched`` architectures, among all N of them.

    Only factors that apply to both of a pair must agree: a vertex that is added brings an
    operation of its own.
    """
    column = factors[:, factor]
    values = np.unique(column[~np.isnan(column)])
    indices = np.zeros((n_matched, len(values), n_partners), dtype=np.int64)
    exist = np.zeros(indices.shape, dtype=bool)
    others = np.delete(factors, factor, axis=1)
    for matched, members in _alike(others, n_matched):
        for v, value in enumerate(values):
            candidates = members[column[members] == value][:_MAX_CANDIDATES]
            lacking = matched[~exist[matched, v, 0]]
            if len(candidates) and len(lacking):
                k = min(n_partners, len(candidates))
                indices[lacking, v, :k] = _nearest(tokens, lacking, candidates, k)
                exist[lacking, v, :k] = True
    rows = np.arange(n_matched)
    own_value = np.abs(column[:n_matched, None] - values).argmin(axis=1)
    # At its own value an architecture is its own and only partner: to be reconstructed.
    exist[rows, own_value] = False
    exist[rows, own_value, 0] = True
    indices[rows, own_value, 0] = rows
    return _saturate(Partners(indices, exist, values), own_value)


def _alike(
    factors: FloatArray,  # (N, G), NaN where a factor does not apply
    n_matched: int,
) -> Iterator[tuple[IntArray, IntArray]]:
    """Rows below ``n_matched`` and the rows that agree with all of these wherever both apply.

    Those to which the same factors apply come first.
    """
    patterns, pattern = np.unique(~np.isnan(factors), axis=0, return_inverse=True)
    pairs = itertools.product(range(len(patterns)), repeat=2)
    for own, other in sorted(pairs, key=lambda pair: pair[0] != pair[1]):
        is_matched = (pattern == own) & (np.arange(len(factors)) < n_matched)
        is_member = pattern == other
        rows = np.flatnonzero(is_matched | is_member)
        shared = patterns[own] & patterns[other]
        for group in _groups(factors[np.ix_(rows, shared)]):
            alike = rows[group]
            yield alike[is_matched[alike]], alike[is_member[alike]]


def _groups(keys: FloatArray) -> list[IntArray]:
    """(N, G) -> the rows that are alike, for every group of them."""
    group = np.zeros(len(keys), dtype=np.int64)
    for column in keys.T:
        _, value = np.unique(column, return_inverse=True)
        _, group = np.unique(group * (1 + value.max(initial=0)) + value, return_inverse=True)
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def _nearest(tokens: TokenArray, rows: IntArray, candidates: IntArray, n_nearest: int) -> IntArray:
    """(n,) rows -> (n, n_nearest) candidates with the fewest unlike tokens."""
    nearest = []
    for chunk in np.array_split(rows, 1 + len(rows) // 256):
        distance = (tokens[chunk][:, None] != tokens[candidates]).sum(axis=2)
        nearest.append(candidates[np.argsort(distance, axis=1, kind="stable")[:, :n_nearest]])
    return np.concatenate(nearest)


def _saturate(partners: Partners, own_value: IntArray) -> Partners:
    """From its own value outwards, a value without partners takes those of the one before."""
    indices, exist, values = partners
    rows = np.arange(len(indices))
    for step in (1, -1):
        for distance in range(1, len(values)):
            at = own_value + step * distance
            inside = rows[(at >= 0) & (at < len(values))]
            lacking = inside[~exist[inside, at[inside]].any(axis=1)]
            indices[lacking, at[lacking]] = indices[lacking, at[lacking] - step]
            exist[lacking, at[lacking]] = exist[lacking, at[lacking] - step]
    return Partners(indices, exist, values)
