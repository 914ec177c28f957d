"""Architectures that no model has chosen."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from optuna_dnas._typing import TokenArray
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies._constraints import log_costs
from optuna_dnas.strategies._constraints import within_limits
from optuna_dnas.strategies._query import Proposal
from optuna_dnas.strategies._query import Query
from optuna_dnas.strategies._selection import select_new


# Spaces up to this size are enumerated before a duplicate is proposed.
_MAX_ENUMERATED = 1 << 16
_N_RANDOM = (16, 4_000)
# Further draws from a larger space, of which little may be within the limits.
_N_MORE = 15
# One of so many random architectures is taken where costs are to be spread.
_N_SPREAD = 2_000
# Few are cheaper or dearer than these, and those are mostly bad, or no better.
_ORDINARY = (0.05, 0.95)


def propose_start(
    space: SearchSpace[Any], query: Query, rng: np.random.Generator
) -> Proposal | None:
    """A random architecture; with several objectives those of the start have all kinds of costs.

    A front reaches from cheap to dear, and from simple to complex. Most architectures of a large
    space are dear and complex.
    """
    if query.observations.values.shape[1] > 1 and space.knows_costs:
        pool = space.sample_written_tokens(_N_SPREAD, rng)
        candidates = select_new(space, pool, taken=query.taken, fixed=query.fixed)
        candidates = within_limits(space, candidates, query.cost_limits)
        costs = space.token_costs(candidates.canonical)
        assert costs is not None
        if len(costs):
            (logarithms,) = log_costs(costs[:, 0])
            low, high = np.quantile(logarithms, _ORDINARY)
            wanted = low + radical_inverse(query.number + 1) * (high - low)
            nearest = int(np.abs(logarithms - wanted).argmin())
            return Proposal(candidates.proposed[nearest], "startup", None)
    return propose_random(space, query, rng, source="startup")


def radical_inverse(n: int) -> float:
    """The n-th number of van der Corput's sequence, which fills (0, 1) evenly: 1/2, 1/4, 3/4."""
    digits = f"{n:b}"[::-1]
    return float(int(digits, 2) / 2 ** len(digits))


def propose_random(
    space: SearchSpace[Any], query: Query, rng: np.random.Generator, *, source: str
) -> Proposal | None:
    """A new random architecture; once the space is exhausted one that failed, or any old one."""
    failed_only = [query.taken - query.open.keys()] if query.open else []
    for taken in (query.taken, *failed_only, frozenset[bytes]()):
        for pool in _random_pools(space, rng, is_limited=bool(query.cost_limits)):
            candidates = select_new(space, pool, taken=taken, fixed=query.fixed)
            candidates = within_limits(space, candidates, query.cost_limits)
            if len(candidates.rows):
                return Proposal(candidates.proposed[0], source, None)
    return None


def _random_pools(
    space: SearchSpace[Any], rng: np.random.Generator, *, is_limited: bool
) -> Iterator[TokenArray]:
    for n in _N_RANDOM:
        yield space.sample_tokens(n, rng)
    if space.size <= _MAX_ENUMERATED:
        yield rng.permutation(space.enumerate_tokens())
    elif is_limited:
        for _ in range(_N_MORE):
            yield space.sample_tokens(_N_RANDOM[-1], rng)
