"""What a sampler remembers of a study: its trials as arrays, read once each.

This is where a study's trials become arrays, and where directions become signs.
"""

from bisect import bisect_left
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
from datetime import datetime
from datetime import timedelta
import itertools
import math
from typing import Any
from typing import NamedTuple
from typing import TypeVar

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from optuna_dnas._optuna_compat import published_params
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.search_space import LIMIT_KEYS
from optuna_dnas.search_space import read_limits
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies import Observations
from optuna_dnas.strategies import token_keys


T = TypeVar("T")

# Caches of so many studies are kept.
_MAX_STUDIES = 16

# A running trial that is older than both is taken for one whose worker was killed: so long, and so
# many times the longest duration of a complete one. Not tuned; an error costs one repetition.
_MIN_ABANDONED_AGE = timedelta(minutes=30)
_N_DURATIONS = 5


class FinishedTrials:
    """The finished trials among those of a study, each of them returned once.

    Trials come sorted by number. Behind the first one that is still running or waiting, finished
    ones are remembered by number; before it there is nothing left to look at.
    """

    def __init__(self) -> None:
        self._n_settled = 0
        self._seen: set[int] = set()

    def new(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """The trials that have finished since the last call, in the order in which they did."""
        start = bisect_left(trials, self._n_settled, key=lambda trial: trial.number)
        finished = [
            t for t in trials[start:] if t.state.is_finished() and t.number not in self._seen
        ]
        self._seen.update(t.number for t in finished)
        for trial in trials[start:]:
            if not trial.state.is_finished():
                break
            self._n_settled = trial.number + 1
        self._seen = {number for number in self._seen if number >= self._n_settled}
        return sorted(finished, key=lambda t: (t.datetime_complete, t.number))

    def unsettled(self, trials: Sequence[FrozenTrial]) -> Sequence[FrozenTrial]:
        """All trials from the first one on that had not finished at the last call of `new`."""
        return trials[bisect_left(trials, self._n_settled, key=lambda trial: trial.number) :]


class ParameterUnion:
    """All parameters that finished trials had, with their newest distributions, by name."""

    def __init__(self) -> None:
        self._finished = FinishedTrials()
        self._distributions: dict[str, BaseDistribution] = {}

    def update(self, trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
        """Take in new trials; the order of names does not depend on hashes."""
        for trial in self._finished.new(trials):
            for name, distribution in trial.distributions.items():
                # An equal one stays the same object: comparing those costs nothing.
                if self._distributions.get(name) != distribution:
                    self._distributions[name] = distribution
        return dict(sorted(self._distributions.items()))


class History:
    """The finished trials of one study in one search space.

    Args:
        space: The search space.
        directions: Of the study's objectives; values are negated where they are maximised.
    """

    def __init__(self, space: SearchSpace[Any], directions: Sequence[StudyDirection]) -> None:
        self._space = space
        self._names = frozenset(space.distributions)
        self._signs = np.array([-1.0 if d == StudyDirection.MAXIMIZE else 1.0 for d in directions])
        self._finished = FinishedTrials()
        self._observations: Observations | None = None
        self._taken: set[bytes] = set()
        self._columns: dict[str, int] = {}  # of constraints, by key
        self._exact_keys = frozenset(LIMIT_KEYS if space.knows_costs else ())
        self.cost_limits = space.limits

    @property
    def observations(self) -> Observations:
        """Trials with values, in the order in which they were finished."""
        if self._observations is None:
            no_tokens = self._space.params_to_tokens([])
            return Observations(no_tokens, np.empty((0, len(self._signs))), np.empty(0))
        return self._observations

    def update(self, trials: Sequence[FrozenTrial]) -> None:
        """Read the trials that have finished since the last call."""
        outcomes = map(self._outcome, self._finished.new(trials))
        new = [outcome for outcome in outcomes if self._covers(outcome.params)]
        if not new:
            return
        tokens, valid = self._canonical([outcome.params for outcome in new])
        self._taken.update(token_keys(tokens[valid]))
        self._read_limits([new[k] for k in np.flatnonzero(valid)])
        rows = [k for k in np.flatnonzero(valid) if new[k].values is not None]
        if not rows:
            return
        values = np.array([new[k].values for k in rows])
        observed = [new[k].trial for k in rows]
        violations = np.array([_violation(trial) for trial in observed])
        constraints = self._constraints(observed)
        block = Observations(tokens[rows], values, violations, constraints)
        self._observations = _append(self._observations, block)

    def taken(self, trials: Sequence[FrozenTrial], *, but: int) -> set[bytes]:
        """Keys of all evaluated and running architectures; trial number ``but`` is left out."""
        running = self.running(trials)
        return self._taken.union(key for number, key in running.items() if number != but)

    def running(self, trials: Sequence[FrozenTrial]) -> dict[int, bytes]:
        """Keys of the architectures that are being evaluated, by the numbers of their trials."""
        unsettled = self._finished.unsettled(trials)
        started = [trial for trial in unsettled if trial.state == TrialState.RUNNING]
        gone = _abandoned(started, trials)
        params = {t.number: published_params(t) for t in started if t.number not in gone}
        params = {number: p for number, p in params.items() if self._covers(p)}
        if not params:
            return {}
        tokens, valid = self._canonical(list(params.values()))
        numbers = itertools.compress(params, valid)
        return dict(zip(numbers, token_keys(tokens[valid]), strict=True))

    def key(self, params: Mapping[str, Any]) -> bytes:
        """The key of an architecture, by which it is `taken`."""
        return token_keys(self._canonical([params])[0])[0]

    def signed(self, values: FloatArray) -> list[float]:
        """(M,) minimised values -> M values in the study's directions."""
        restored: list[float] = (values * self._signs).tolist()
        return restored

    def _covers(self, params: Mapping[str, Any]) -> bool:
        # A structured space needs all of its parameters; a flat one may have inactive ones.
        if self._space.vocabulary is None:
            return not self._names.isdisjoint(params)
        return self._names <= params.keys()

    def _outcome(self, trial: FrozenTrial) -> "_Outcome":
        values = self._minimised(trial)
        if trial.params and (values is None or np.isposinf(values).all()):
            # What a failed trial did not come to suggest would look inactive otherwise, and what
            # fails unlike all that does not.
            return _Outcome(trial, published_params(trial), values)
        return _Outcome(trial, trial.params, values)

    def _minimised(self, trial: FrozenTrial) -> FloatArray | None:
        """(M,) values, of which infinity is the worst; `None` if the space knew the reason."""
        values = _values(trial)
        if values is not None:
            minimised: FloatArray = np.array(values, dtype=float) * self._signs
            return minimised
        if any(trial.constraints[key] > 0 for key in self._exact_keys & trial.constraints.keys()):
            return None
        # Pruned before it reported anything, or failed: it was invalid, say, or diverged, or
        # needed too much memory. Nothing is worse, for Optuna's samplers, too.
        return np.full(len(self._signs), np.inf)

    def _canonical(self, params: Sequence[Mapping[str, Any]]) -> tuple[TokenArray, np.ndarray]:
        tokens = self._space.params_to_tokens(params)
        if self._space.vocabulary is None:
            return tokens, np.ones(len(tokens), dtype=bool)
        return self._space.canonicalize(tokens)

    def _constraints(self, trials: Sequence[FrozenTrial]) -> FloatArray | None:
        """(N, C) constraints that the space does not know the values of; NaN where a trial does.

        A key that appears later has a later column.
        """
        by_trial = [
            {key: trial.constraints[key] for key in sorted(self._unknown_keys(trial))}
            for trial in trials
        ]
        for key in itertools.chain.from_iterable(by_trial):
            self._columns.setdefault(key, len(self._columns))
        if not self._columns:
            return None
        constraints = np.full((len(trials), len(self._columns)), np.nan)
        for row, by_key in zip(constraints, by_trial, strict=True):
            row[[self._columns[key] for key in by_key]] = list(by_key.values())
        return constraints

    def _unknown_keys(self, trial: FrozenTrial) -> set[str]:
        return trial.constraints.keys() - self._exact_keys

    def _read_limits(self, outcomes: "Sequence[_Outcome]") -> None:
        """Limits that a constraint tells, unless the space was declared with others."""
        for trial, params, _ in outcomes:
            if self._exact_keys.isdisjoint(trial.constraints):
                continue
            # The cost of the cell as it was written; its canonical form may cost a little else.
            cost = self._space.cost(self._space.params_to_architecture(params))
            assert cost is not None
            bounds = read_limits(cost, trial.constraints) | self._space.limits.by_key
            with contextlib.suppress(ValueError):  # Nothing is both above and below.
                self.cost_limits = self.cost_limits.replaced(bounds)


def _abandoned(running: Sequence[FrozenTrial], trials: Sequence[FrozenTrial]) -> set[int]:
    """Numbers of running trials that are so old that their workers are probably gone."""
    now = datetime.now()
    old = {t.number for t in running if now - _start(t) > _MIN_ABANDONED_AGE}
    if not old:
        return old
    # Imported trials took no time, and tell nothing.
    durations = [t.duration for t in trials if t.state == TrialState.COMPLETE and t.duration]
    if not durations:
        return set()
    # Numbers are given in the order of time: where clocks differ, the latest one counts.
    starts = itertools.accumulate(map(_start, trials), max)
    youngest = now - max(_MIN_ABANDONED_AGE, _N_DURATIONS * max(durations))
    return {
        trial.number
        for trial, start in zip(trials, starts, strict=True)
        if trial.number in old and start < youngest
    }


def _start(trial: FrozenTrial) -> datetime:
    return trial.datetime_start or datetime.min  # of one that is waiting


class _Outcome(NamedTuple):
    """What a finished trial says."""

    trial: FrozenTrial
    params: Mapping[str, Any]
    values: FloatArray | None  # see `History._minimised`


def _append(old: Observations | None, new: Observations) -> Observations:
    if old is None:
        return new
    tokens, values, violations = (
        np.concatenate(pair) for pair in zip(old[:3], new[:3], strict=True)
    )
    constraints = None
    if new.constraints is not None:
        known = np.full((len(tokens), new.constraints.shape[1]), np.nan)
        known[len(old.tokens) :] = new.constraints
        if old.constraints is not None:
            known[: len(old.tokens), : old.constraints.shape[1]] = old.constraints
        constraints = known
    return Observations(tokens, values, violations, constraints)


def _values(trial: FrozenTrial) -> list[float] | None:
    """Final values; of a pruned trial the last report, as in Optuna's own samplers."""
    if trial.state == TrialState.COMPLETE:
        return list(trial.values)
    if trial.state == TrialState.PRUNED and trial.intermediate_values:
        last = trial.intermediate_values[max(trial.intermediate_values)]
        return None if math.isnan(last) else [last]
    return None


def _violation(trial: FrozenTrial) -> float:
    """What is NaN is not feasible for Optuna, and nothing says by how much."""
    violations = np.maximum(list(trial.constraints.values()), 0.0)
    return float(np.nan_to_num(violations, nan=np.inf, posinf=np.inf).sum())


def keep(cache: dict[Any, T], key: Any, make: Callable[[], T]) -> T:
    """The value of a key, made when it is first asked for; the oldest ones are forgotten."""
    if key not in cache:
        while len(cache) >= _MAX_STUDIES:
            del cache[next(iter(cache))]
        cache[key] = make()
    return cache[key]
