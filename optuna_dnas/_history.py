"""What a sampler remembers of a study: its trials as arrays, read once each.

This is where a study's trials become what a search has observed.
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
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from optuna_dnas._optuna_compat import published_params
from optuna_dnas._optuna_compat import was_interrupted
from optuna_dnas._trials import read_tokens
from optuna_dnas._trials import signs_of
from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas.search_space import AskedParameters
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import read_limits
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies import Attempts
from optuna_dnas.strategies import Observations
from optuna_dnas.strategies import Reports
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
    """All parameters that finished trials asked for: see `AskedParameters`."""

    def __init__(self) -> None:
        self._finished = FinishedTrials()
        self._parameters = AskedParameters()

    def update(self, trials: Sequence[FrozenTrial]) -> AskedParameters:
        """Take in new trials."""
        for trial in self._finished.new(trials):
            self._parameters.add(trial, is_complete=_values(trial) is not None)
        return self._parameters


class History:
    """The finished trials of one study in one search space.

    Args:
        space: The search space.
        directions: Of the study's objectives; values are negated where they are maximised.
    """

    def __init__(self, space: SearchSpace[Any], directions: Sequence[StudyDirection]) -> None:
        self._space = space
        self._names = frozenset(space.distributions)
        self._signs = signs_of(directions)
        self._finished = FinishedTrials()
        self._attempts = Attempts()
        self._columns: dict[str, int] = {}  # of constraints, by key
        self._limits = ToldLimits(space)
        self._reports = _ReportColumns(self._signs[0])
        no_tokens = space.params_to_tokens([])
        self._all = Observations(no_tokens, np.empty((0, len(self._signs))), np.empty(0))
        self.observations = self._all
        """Trials with values, in the order in which they were finished."""
        self.first_incomplete: FrozenTrial | None = None
        """A trial that did not ask for all parameters of a space with structure."""

    @property
    def cost_limits(self) -> CostLimits:
        """Those that the space was declared with, or that all trials tell."""
        return self._limits.limits

    def update(self, trials: Sequence[FrozenTrial]) -> None:
        """Read the trials that have finished since the last call."""
        finished = [t for t in self._finished.new(trials) if not was_interrupted(t)]
        outcomes = [self._outcome(trial) for trial in finished]
        asked = [outcome.trial.distributions for outcome in outcomes]
        found = read_tokens(self._space, [outcome.params for outcome in outcomes], asked)
        if not len(found.rows):
            return
        observed = [outcomes[k] for k in found.rows]
        is_error = np.array([o.trial.state == TrialState.FAIL for o in observed])
        self._attempts.add(token_keys(found.canonical), is_error)
        for outcome in observed:
            self._limits.read(outcome.params, outcome.trial.constraints)
        block = Observations(
            found.canonical,
            np.array([o.values for o in observed]),
            np.array([_violation(o.trial) for o in observed]),
            self._constraints([o.trial for o in observed]),
            is_error,
        )
        self._all = _append(self._all, block)
        reports = self._reports.add([o.trial for o in observed])
        self._all = self._all._replace(reports=reports)
        self.observations = self._without_known_limits(self._all)

    def taken(self, trials: Sequence[FrozenTrial], *, but: int) -> set[bytes]:
        """Keys of all evaluated and running architectures; trial number ``but`` is left out."""
        running = self.running(trials)
        return self._attempts.evaluated.union(k for n, k in running.items() if n != but)

    def open(self, trials: Sequence[FrozenTrial], *, but: int) -> dict[bytes, int]:
        """Keys of architectures that failed, but may be tried again, and how often they failed."""
        failed = self._attempts.open
        if not failed:
            return {}
        running = {key for number, key in self.running(trials).items() if number != but}
        return {key: n for key, n in failed.items() if key not in running}

    def running(self, trials: Sequence[FrozenTrial]) -> dict[int, bytes]:
        """Keys of the architectures that are being evaluated, by the numbers of their trials."""
        unsettled = self._finished.unsettled(trials)
        started = [trial for trial in unsettled if trial.state == TrialState.RUNNING]
        gone = _abandoned(started, trials)
        alive = [trial for trial in started if trial.number not in gone]
        if not alive:
            return {}
        params, asked = map(published_params, alive), [trial.distributions for trial in alive]
        found = read_tokens(self._space, list(params), asked)
        numbers = [alive[k].number for k in found.rows]
        return dict(zip(numbers, token_keys(found.canonical), strict=True))

    def key(self, params: Mapping[str, Any]) -> bytes:
        """The key of an architecture, by which it is `taken`."""
        return token_keys(self._space.trials_to_tokens([params], [{}])[0])[0]

    def signed(self, values: FloatArray) -> list[float]:
        """(M,) minimised values -> M values in the study's directions."""
        restored: list[float] = (values * self._signs).tolist()
        return restored

    def _is_incomplete(self, params: Mapping[str, Any]) -> bool:
        return not self._space.covers(params) and not self._names.isdisjoint(params)

    def _outcome(self, trial: FrozenTrial) -> "_Outcome":
        values = _values(trial)
        # Pruned before it reported anything, or failed: it was invalid, say, or diverged, or
        # needed too much memory. Nothing is worse, for Optuna's samplers, too.
        minimised = np.full(len(self._signs), np.inf)
        if values is not None:
            minimised = np.array(values, dtype=float) * self._signs
        params: Mapping[str, Any] = trial.params
        is_failed = bool(np.isposinf(minimised).all())
        is_incomplete = not is_failed and self._is_incomplete(params)
        if is_incomplete:
            self.first_incomplete = self.first_incomplete or trial
        if is_incomplete or (params and is_failed):
            # What a failed trial did not come to suggest would look inactive otherwise, and what
            # fails unlike all that does not. What an architecture of a space with structure has,
            # but its objective did not ask for, was proposed all the same.
            params = published_params(trial)
        return _Outcome(trial, params, minimised)

    def _constraints(self, trials: Sequence[FrozenTrial]) -> FloatArray | None:
        """(N, C) all constraints; NaN where a trial has none of a key.

        A key that appears later has a later column.
        """
        by_trial = [trial.constraints for trial in trials]
        for constraints in by_trial:
            for key in sorted(constraints):
                self._columns.setdefault(key, len(self._columns))
        if not self._columns:
            return None
        values = np.full((len(trials), len(self._columns)), np.nan)
        for row, by_key in zip(values, by_trial, strict=True):
            row[[self._columns[key] for key in by_key]] = list(by_key.values())
        return values

    def _without_known_limits(self, observations: Observations) -> Observations:
        """Limits of a cost that the space knows need no prediction, nor does what breaks them."""
        known = [self._columns[key] for key in self._limits.exact_keys & self._columns.keys()]
        constraints = observations.constraints
        if constraints is None or not known:
            return observations
        breaks = np.any(constraints[:, known] > 0, axis=1)
        has_value = np.any(~np.isposinf(observations.values), axis=1)
        others = np.delete(constraints, known, axis=1)
        left = observations._replace(constraints=others if others.shape[1] else None)
        return left.take(np.flatnonzero(has_value | ~breaks))


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
    values: FloatArray  # (M,) minimised; infinity where there is none


class ToldLimits:
    """Limits of costs that a space knows: those it was declared with, and those that trials tell.

    A constraint called ``max_flops`` may count another network than the space does. It tells a
    limit only where all trials tell the same one, of architectures that do not cost the same.
    """

    def __init__(self, space: SearchSpace[Any]) -> None:
        self._space = space
        keys = (f"{side}_{name}" for side in ("max", "min") for name in space.cost_names)
        self._told = {key: _ToldLimit() for key in keys}

    @property
    def exact_keys(self) -> frozenset[str]:
        """Constraints that the cost of an architecture tells without an evaluation."""
        declared = self._space.limits.by_key
        return frozenset(
            key
            for key, told in self._told.items()
            if told.is_consistent and (key in declared or told.is_shown)
        )

    @property
    def limits(self) -> CostLimits:
        """What a search may propose."""
        limits = self._space.limits
        declared = limits.by_key
        for key, told in self._told.items():
            if told.is_shown and key not in declared:
                with contextlib.suppress(ValueError):  # Nothing is both above and below.
                    limits = limits.replaced({key: told.bound})
        return limits

    def read(self, params: Mapping[str, Any], constraints: Mapping[str, float]) -> None:
        """Take in a finished trial."""
        if self._told.keys().isdisjoint(constraints):
            return
        # The cost of the cell as it was written; its canonical form may cost a little else.
        cost = self._space.cost(self._space.params_to_architecture(params))
        assert cost is not None
        bounds = read_limits(cost, constraints)
        for key in self._told.keys() & constraints.keys():
            self._told[key].add(bounds.get(key, math.nan), cost[key.partition("_")[2]])


class _ToldLimit:
    """One limit, as trial after trial tells it."""

    _MAX_CHANGES = 2  # Somebody may have changed their mind; who counts otherwise always does.
    _ROUNDING = 1e-9

    def __init__(self) -> None:
        self.bound = math.nan
        self._costs: set[float] = set()  # two different ones, at most
        self._n_changes = -1

    def add(self, bound: float, cost: float) -> None:
        if not math.isclose(bound, self.bound, rel_tol=self._ROUNDING):
            self.bound, self._costs = bound, set()
            self._n_changes += 1
        if len(self._costs) < 2:
            self._costs.add(cost)

    @property
    def is_consistent(self) -> bool:
        return self._n_changes <= self._MAX_CHANGES

    @property
    def is_shown(self) -> bool:
        return self.is_consistent and len(self._costs) == 2


class _ReportColumns:
    """What trials reported, at those steps at which one of them was pruned.

    Args:
        sign: Times a report: minimised.
    """

    def __init__(self, sign: float) -> None:
        self._sign = sign
        self._steps: list[int] = []  # ascending
        self._curves: list[Mapping[int, float]] = []
        self._reports = Reports(np.empty((0, 0)), np.empty(0), np.empty(0, dtype=bool))

    def add(self, trials: Sequence[FrozenTrial]) -> Reports | None:
        """Take in trials; of all, `None` as long as none was pruned after a report."""
        curves = [trial.intermediate_values for trial in trials]
        last = np.array([curve[max(curve)] if curve else math.nan for curve in curves])
        was_pruned = np.array([trial.state == TrialState.PRUNED for trial in trials])
        is_pruned = was_pruned & np.isfinite(last)
        at_steps = self._reports.at_steps
        for step in sorted({max(curves[k]) for k in np.flatnonzero(is_pruned)}):
            if step not in self._steps:
                column = bisect_left(self._steps, step)
                self._steps.insert(column, step)
                at_steps = np.insert(at_steps, column, self._at(step, self._curves), axis=1)
        rows = np.array([self._at(step, curves) for step in self._steps]).reshape(-1, len(trials))
        self._reports = Reports(
            np.concatenate([at_steps, rows.T]),
            np.append(self._reports.last, self._sign * last),
            np.append(self._reports.is_pruned, is_pruned),
        )
        self._curves += curves
        return self._reports if self._steps else None

    def _at(self, step: int, curves: Sequence[Mapping[int, float]]) -> FloatArray:
        """(N,) what each reported at a step."""
        return self._sign * np.array([curve.get(step, math.nan) for curve in curves])


def _append(old: Observations, new: Observations) -> Observations:
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
    is_error = np.append(_errors(old), _errors(new))
    return Observations(tokens, values, violations, constraints, is_error)


def _errors(observations: Observations) -> BoolArray:
    if observations.is_error is None:
        return np.zeros(len(observations.tokens), dtype=bool)
    return observations.is_error


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
