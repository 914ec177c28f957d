"""Which parameters do not matter, told by values that are exactly equal.

A space that is not declared may have many ways to write one architecture. They all have its value,
and evaluating another one tells nothing; but to a model that has seen several, the next one looks
as good as the best, and sure to be.

N: observed, B: the better half of them, C: candidates, T: tokens, P: pairs.
"""

from collections.abc import Iterable
from collections.abc import Iterator

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.strategies._state import Observations


_N_NEAREST = 3
_N_COMPARED = 64  # at first; twice as many each time that all are ties
_N_STEPS = 15
_FIRST_GUESS = 0.3
_BOUNDS = (1e-4, 1 - 1e-4)


def postpone_ties(
    order: Iterable[int],
    candidates: TokenArray,  # (C, T)
    observations: Observations,
    rng: np.random.Generator,
) -> Iterator[int]:
    """Rows of candidates with those last that equal something observed, each as probably so.

    An ask takes the first one: what comes later is not compared before it is asked for.
    """
    tokens = _comparable(observations.tokens)
    change = change_probabilities(tokens, observations.values[:, 0])
    if change is None:
        yield from order
        return
    rows = np.fromiter(order, dtype=np.int64)
    accepted = rng.random()
    ties: list[int] = []
    end, size = 0, _N_COMPARED
    while end < len(rows):
        compared = rows[end : end + size]
        probabilities = tie_probabilities(change, tokens, _comparable(candidates[compared]))
        is_tie = probabilities > accepted
        ties += compared[is_tie].tolist()
        yield from compared[~is_tie].tolist()
        end, size = end + size, 2 * size
    yield from ties


def change_probabilities(
    tokens: TokenArray,  # (N, T) without NaN
    values: FloatArray,  # (N,) minimised
) -> FloatArray | None:
    """(T,) how probably another token alone changes the value; `None` if no values are equal.

    A noisy-or model: a value changes if any of the tokens that differ changes it. Fitted by
    expectation maximisation, with a prior of one token that did change it and one that did not,
    to the better half of what was observed, each with what it differs least from.
    """
    differs, is_tied = _nearest_pairs(tokens, values)
    if not is_tied.any():
        return None
    total = differs.sum(axis=0) + 2.0
    untied = differs[~is_tied]  # (P, T)
    change = np.full(tokens.shape[1], _FIRST_GUESS)
    for _ in range(_N_STEPS):
        at_all = np.maximum(-np.expm1(untied @ np.log1p(-change)), 1e-9)  # (P,)
        change = ((untied / at_all[:, None]).sum(axis=0) * change + 1.0) / total
        change = np.clip(change, *_BOUNDS)
    return change


def tie_probabilities(
    change: FloatArray,  # (T,)
    observed: TokenArray,  # (N, T)
    candidates: TokenArray,  # (C, T)
) -> FloatArray:
    """(C,) that a candidate equals the observed one that it most probably equals."""
    weights = -np.log1p(-change).astype(np.float32)
    exponents = np.zeros((len(candidates), len(observed)), dtype=np.float32)
    for t, weight in enumerate(weights):
        exponents += weight * (candidates[:, t, None] != observed[:, t])
    probabilities: FloatArray = np.exp(-exponents.min(axis=1))
    return probabilities


def _nearest_pairs(tokens: TokenArray, values: FloatArray) -> tuple[FloatArray, BoolArray]:
    """(P, T) where the two of a pair differ, (P,) whether their values are equal."""
    finite = np.flatnonzero(np.isfinite(values))
    n_better = (len(finite) + 1) // 2
    if n_better < 2:
        return np.zeros((0, tokens.shape[1])), np.zeros(0, dtype=bool)
    better = finite[np.argsort(values[finite], kind="stable")][:n_better]
    counts = np.zeros((n_better, len(finite)), dtype=np.int32)
    for column in tokens.T:  # not all at once, which needs T times the memory
        counts += column[better, None] != column[finite]
    counts[better[:, None] == finite] = tokens.shape[1] + 1
    k = min(_N_NEAREST, len(finite) - 1)
    nearest = finite[np.argpartition(counts, k - 1, axis=1)[:, :k]]
    differs = tokens[better, None] != tokens[nearest]  # (B, k, T)
    is_tied = values[better, None] == values[nearest]
    return differs.reshape(-1, tokens.shape[1]).astype(np.float64), is_tied.ravel()


def _comparable(tokens: TokenArray) -> TokenArray:
    """What is not there equals what is not there."""
    return np.nan_to_num(tokens, nan=-1.0)
