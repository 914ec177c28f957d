"""Small changes of tokens. N: architectures, T: tokens."""

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray


# The expected number of changes beside the one that there always is; drawn for each architecture.
_N_MORE = (1.0, 3.0)


def choose_tokens(exists: BoolArray, rng: np.random.Generator, *, reach: float = 1.0) -> BoolArray:
    """(N, T) which tokens are to change: one that exists, and few of all.

    Args:
        exists: (N, T), at least one in each row.
        rng: Draws them.
        reach: The largest expected number of changes is so many times as large.
    """
    n, n_tokens = exists.shape
    low, high = _N_MORE
    draws = rng.random((n, n_tokens))
    chosen: BoolArray = draws < rng.uniform(low, reach * high, (n, 1)) / n_tokens
    kth = rng.integers(0, exists.sum(axis=1))
    chosen |= exists & (np.cumsum(exists, axis=1) == 1 + kth[:, None])
    return chosen


def other_choices(
    tokens: TokenArray,  # (N, T)
    n_choices: FloatArray,  # (T,)
    rng: np.random.Generator,
) -> FloatArray:
    """(N, T) choices, none of which is the token's own where it has others."""
    # A shift by 1 .. n - 1.
    shift = 1 + np.floor(rng.random(tokens.shape) * np.maximum(n_choices - 1, 1))
    shifted: FloatArray = (tokens + shift) % n_choices
    return shifted


def move_numbers(
    numbers: FloatArray,  # (N, T) in [0, 1]
    n_values: FloatArray,  # (T,) of their grids; may be infinite
    step: tuple[float, float],
    rng: np.random.Generator,
) -> FloatArray:
    """(N, T) normal steps of log-uniform size, at least as long as the grid's."""
    low, high = np.log(step)
    size = np.exp(rng.uniform(low, high, (len(numbers), 1)))
    size = np.maximum(size, 1 / np.maximum(n_values - 1, 1))
    moved = numbers + size * rng.standard_normal(numbers.shape)
    reflected = 1 - np.abs(1 - np.abs(moved))  # into [0, 1]; what is still out is clipped
    clipped: FloatArray = np.clip(reflected, 0.0, 1.0)
    return clipped
