"""The search of one space, without a study: observations in, a proposal out.

N: architectures, T: tokens, M: objectives, D: latent dimensions.
"""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from functools import partial
import itertools
from typing import Any

import numpy as np

from optuna_dnas._background import BackgroundCall
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller import Controller
from optuna_dnas.controller import FittedController
from optuna_dnas.controller import Labelled
from optuna_dnas.controller import replace_infinite
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies._acquisition import candidate_order
from optuna_dnas.strategies._acquisition import Evaluated
from optuna_dnas.strategies._acquisition import Predictions
from optuna_dnas.strategies._attempts import Attempts
from optuna_dnas.strategies._base import SamplingStrategy
from optuna_dnas.strategies._config import SearchConfig
from optuna_dnas.strategies._constraints import cost_headroom
from optuna_dnas.strategies._constraints import sampled_violations
from optuna_dnas.strategies._constraints import within_limits
from optuna_dnas.strategies._query import Proposal
from optuna_dnas.strategies._query import Query
from optuna_dnas.strategies._selection import elite_order
from optuna_dnas.strategies._selection import rank_normalize
from optuna_dnas.strategies._selection import sample_directions
from optuna_dnas.strategies._selection import scalarize
from optuna_dnas.strategies._selection import select_new
from optuna_dnas.strategies._selection import token_keys
from optuna_dnas.strategies._start import propose_random
from optuna_dnas.strategies._start import propose_start
from optuna_dnas.strategies._state import Observations
from optuna_dnas.strategies._state import SearchState
from optuna_dnas.strategies._ties import postpone_ties


# Of a round; who finds none left ranks candidates of its own.
_MAX_QUEUE = 256


@dataclass(frozen=True)
class _Round:
    """What a round boundary leaves for the asks of the round."""

    start: int  # until which observation it has seen them
    seed: int  # of the study, which may change when workers agree on one
    fitted: FittedController
    queue: dict[bytes, Proposal]  # by key, the best first
    open: Mapping[bytes, int]  # see `Query`


class LatentSearch:
    """Semi-supervised rounds in latent space (Algorithm 1 of the paper, in rounds of any size).

    The state is a cache of the observations: a new object given the same observations and seed
    goes on in the same way.

    Args:
        space: The search space.
        make_controller: Makes latent and predictors; called when they are first needed.
        config: Settings.
    """

    def __init__(
        self,
        space: SearchSpace[Any],
        make_controller: Callable[[], Controller],
        config: SearchConfig,
    ) -> None:
        self._space, self._config = space, config
        self._make_controller = make_controller
        self._preparation: BackgroundCall[Controller] | None = None
        self._round: _Round | None = None

    def prepare(self) -> None:
        """Make the controller in the background, until it is needed."""
        self._preparation = BackgroundCall(self._make_controller)

    @cached_property
    def _controller(self) -> Controller:
        # What has failed is tried again, by whoever asks next.
        preparation, self._preparation = self._preparation, None
        return self._make_controller() if preparation is None else preparation.result()

    def propose(self, query: Query) -> Proposal | None:
        """The next architecture; `None` if the fixed tokens allow no valid one."""
        rng = np.random.default_rng([query.seed, 0, query.number])
        n_startup = max(self._config.n_startup_trials, 1)
        n_observed = len(query.observations.tokens)
        if n_observed < n_startup or query.observations.failed.all():
            space = self._space.conditioned_on(query.observations.tokens)
            return propose_start(space, query, rng)
        current = self._round_at(n_observed, query)
        if self._config.from_queue and not query.fixed:
            proposal = self._next_in_queue(current, query)
            if proposal is not None:
                return proposal
        observations = self._working_set(query.observations.with_comparable_values())
        space = self._space.conditioned_on(observations.tokens)
        fitted = current.fitted
        if not self._config.from_queue:
            fitted = fitted.condition(self._labelled(observations))
        ranked = self._rank(space, fitted, observations, query, rng)
        proposal = _after(ranked, query.n_skipped)
        return proposal or propose_random(space, query, rng, source="prior")

    def _round_at(self, n_observed: int, query: Query) -> _Round:
        """Fit at a round boundary, to what was observed until then."""
        since = self._round.start if self._round is not None else 0
        start = self._config.round_start(n_observed, since=since if since <= n_observed else 0)
        if (
            self._round is not None
            and self._round.start == start
            and self._round.seed == query.seed
        ):
            return self._round
        rng = np.random.default_rng([query.seed, 1, start])
        # Nothing that happens after the boundary may change the queue: workers share it.
        observations = query.observations.take(np.arange(start)).with_comparable_values()
        attempts = Attempts.at(observations)
        taken = frozenset(attempts.evaluated)
        until = query._replace(
            observations=observations, taken=taken, open=attempts.open, fixed={}
        )
        seen = self._working_set(observations)
        observed = self._labelled(seen)
        fitted = self._controller.fit(observed, rng=rng)
        if self._config.n_pseudo_labelled:
            pseudo = self._pseudo_label(fitted, seen, taken, rng)
            fitted = self._controller.fit(observed, rng=rng, pseudo=pseudo, start=fitted)
        queue = {}
        if self._config.from_queue:
            space = self._space.conditioned_on(seen.tokens)
            ranked = self._rank(space, fitted, seen, until, rng)
            queue = _by_key(space, itertools.islice(ranked, _MAX_QUEUE))
        self._round = _Round(start, query.seed, fitted, queue, attempts.open)
        return self._round

    def _next_in_queue(self, current: _Round, query: Query) -> Proposal | None:
        free = (
            proposal
            for key, proposal in current.queue.items()
            # What failed may come again, but only once a round.
            if key not in query.taken or query.open.get(key, 0) == current.open.get(key)
        )
        return _after(free, query.n_skipped)

    def _rank(
        self,
        space: SearchSpace[Any],
        fitted: FittedController,
        observations: Observations,
        query: Query,
        rng: np.random.Generator,
    ) -> Iterator[Proposal]:
        """Sample candidates, and order them by what the predictors expect, or draw, of them."""
        n_objectives = observations.values.shape[1]
        states = [
            self._state(space, fitted, observations, query.cost_limits, direction, rng)
            for direction in sample_directions(self._config.n_directions, n_objectives, rng)
        ]
        # Each objective is predicted of each candidate: no more often than two objectives are.
        n_candidates = self._config.n_candidates * 2 // max(n_objectives, 2)
        raw, sources = _sample(states, self._config.strategies, n_candidates, rng)
        taken = query.taken - query.open.keys() if query.open else query.taken
        candidates = select_new(space, raw, taken=taken, fixed=query.fixed)
        candidates = within_limits(space, candidates, query.cost_limits)
        if not len(candidates.rows):
            return
        new, old = fitted.features(candidates.canonical), fitted.features(observations.tokens)
        means, deviations = fitted.objectives.predict(new)
        violations = sampled_violations(
            fitted,
            new,
            old,
            observations.requirements,
            self._config.noise,
            rng,
            _rows_of(query.open, candidates.canonical),
        )
        reference = fitted.objectives.mean(old)
        costs, old_costs = None, None
        if n_objectives > 1:
            costs = space.token_costs(candidates.canonical)
            old_costs = space.token_costs(observations.tokens)
        predictions = Predictions(means, deviations, costs, violations, fitted.objectives.noise)
        feasible = (observations.violations <= 0) & ~observations.failed
        evaluated = Evaluated(reference, observations.values, old_costs, feasible)
        expected = _to_objective_units(means, reference, observations.values)
        order: Iterable[int] = candidate_order(predictions, evaluated, self._config, rng)
        if self._config.avoids_ties and n_objectives == 1:
            order = postpone_ties(order, candidates.canonical, observations, rng)
        for row in order:
            source = sources[candidates.rows[row]]
            yield Proposal(candidates.proposed[row], source, expected[row])

    def _state(
        self,
        space: SearchSpace[Any],
        fitted: FittedController,
        observations: Observations,
        limits: CostLimits,
        direction: FloatArray,
        rng: np.random.Generator,
    ) -> SearchState:
        scores = scalarize(rank_normalize(observations.values), direction)
        order = (
            elite_order(scores, observations.violations)
            if self._config.avoids_ties
            else np.lexsort((scores, observations.violations))
        )
        best = observations.tokens[order[: self._n_elite]]
        elite = fitted.latent.encode(best)
        inactive = np.isnan(elite)
        if inactive.any():
            # What an elite did not have is open: anything may stand there.
            elite = np.where(inactive, fitted.latent.sample_prior(len(elite), rng), elite)
        limited_costs = np.flatnonzero(limits.has_maximum(space.cost_names)).tolist()
        headroom = partial(cost_headroom, space, fitted, limits) if limited_costs else None
        return SearchState(space, fitted, best, elite, direction, headroom, limited_costs)

    @property
    def _n_elite(self) -> int:
        strategies = self._config.strategies + self._config.pool_strategies
        return max(strategy.n_elite for strategy in strategies)

    def _pseudo_label(
        self,
        fitted: FittedController,
        observations: Observations,
        taken: Collection[bytes],
        rng: np.random.Generator,
    ) -> Labelled:
        """Sample densely and at random, and let the predictors label what is new."""
        n, strategies = self._config.n_pseudo_labelled, self._config.pool_strategies
        raw = self._space.sample_tokens(n, rng)
        if strategies:
            direction = sample_directions(1, observations.values.shape[1], rng)[0]
            limits = CostLimits()
            state = self._state(self._space, fitted, observations, limits, direction, rng)
            raw = np.concatenate([_sample([state], strategies, n, rng)[0], raw])
        tokens = select_new(self._space, raw, taken=taken, fixed={}).canonical[:n]
        means = fitted.objectives.mean(fitted.features(tokens))
        return Labelled(tokens, means, self._space.token_costs(tokens))

    def _working_set(self, observations: Observations) -> Observations:
        """At most ``max_observations``: the best half, and the latest."""
        limit = self._config.max_observations
        n = len(observations.tokens)
        if n <= limit:
            return observations
        badness = rank_normalize(observations.values).mean(axis=1)
        best = np.lexsort((badness, observations.violations))[: limit // 2]
        latest = np.setdiff1d(np.arange(n), best)[-(limit - limit // 2) :]
        return observations.take(np.sort(np.concatenate([best, latest])))

    def _labelled(self, observations: Observations) -> Labelled:
        costs = self._space.token_costs(observations.tokens)
        return Labelled(observations.tokens, observations.values, costs, observations.requirements)


def _by_key(space: SearchSpace[Any], proposals: Iterable[Proposal]) -> dict[bytes, Proposal]:
    listed = list(proposals)
    if not listed:
        return {}
    canonical, _ = space.canonicalize(np.stack([p.tokens for p in listed]))
    return dict(zip(token_keys(canonical), listed, strict=True))


def _after(proposals: Iterator[Proposal], n_skipped: int) -> Proposal | None:
    return next(itertools.islice(proposals, n_skipped, None), None)


def _sample(
    states: Sequence[SearchState],
    strategies: Sequence[SamplingStrategy],
    n: int,
    rng: np.random.Generator,
) -> tuple[TokenArray, list[str]]:
    """About n tokens (n, T) if shares add up to 1, and the names of their strategies."""
    shares = np.array([strategy.share for strategy in strategies])
    sizes = np.ceil(n / len(states) * shares).astype(int).tolist()
    codes: list[FloatArray] = []
    tokens: list[TokenArray] = []
    sources: tuple[list[str], list[str]] = [], []
    for state in states:
        for strategy, size in zip(strategies, sizes, strict=True):
            proposed = strategy.propose(state, size, rng)
            (codes if strategy.in_latent else tokens).append(proposed)
            sources[not strategy.in_latent].extend([strategy.source] * len(proposed))
    # All at once, which is faster.
    decoded = [states[0].latent.decode(np.concatenate(codes))] if codes else []
    return np.concatenate([*decoded, *tokens]), [*sources[0], *sources[1]]


def _rows_of(keys: Collection[bytes], canonical: TokenArray) -> IntArray | None:
    """(R,) which of (N, T) tokens have one of these keys; `None` without keys."""
    if not keys:
        return None
    return np.flatnonzero([key in keys for key in token_keys(canonical)])


def _to_objective_units(
    means: FloatArray, reference: FloatArray, values: FloatArray
) -> FloatArray:
    """Map predicted means to values, by the quantiles of both on what was observed.

    Predictors that rank have no unit; the map is monotone, and exact for a perfect ranking. What
    has no value is left out, as it was when the predictors were fitted.
    """
    has_value = ~np.isposinf(values).all(axis=1)
    if has_value.any():
        reference, values = reference[has_value], values[has_value]
    finite = replace_infinite(values)
    columns = [
        np.interp(means[:, m], np.sort(reference[:, m]), np.sort(finite[:, m]))
        for m in range(values.shape[1])
    ]
    return np.stack(columns, axis=1)
