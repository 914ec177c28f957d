"""The parameters that an objective asks for, as its trials show them."""

from collections import deque
from dataclasses import dataclass
from dataclasses import field

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial

from optuna_dnas.search_space._activity import DecisionTree


# Of each range, so many of the latest trials tell when it is asked for.
_N_REMEMBERED = 100
# With fewer trials a range, which differ with each trial if they are computed, nothing is told.
_MIN_TRIALS_PER_RANGE = 4
# As many trials in a row lack a parameter as had it, and none before them: it is dropped.
_MIN_UNTIL_DROPPED = 2
# What only one of more trials than that has had is not known to come again.
_N_UNTIL_REPEATED = 10


@dataclass
class _Range:
    """A distribution of a parameter, and the trials that it was asked with, by number of order."""

    distribution: BaseDistribution
    first: int
    trials: deque[tuple[int, FrozenTrial]] = field(
        default_factory=lambda: deque[tuple[int, FrozenTrial]](maxlen=_N_REMEMBERED)
    )
    n_trials: int = 0

    @property
    def last(self) -> int:
        return self.trials[-1][0]

    def add(self, order: int, trial: FrozenTrial) -> None:
        self.trials.append((order, trial))
        self.n_trials += 1


@dataclass
class _Parameter:
    """The ranges of a parameter, and how regularly it was asked for."""

    ranges: list[_Range] = field(default_factory=list)
    n_missing: int = 0  # trials in a row that ended without it
    is_conditional: bool = False  # it has come back after such trials

    @property
    def n_trials(self) -> int:
        return sum(r.n_trials for r in self.ranges)

    def is_known(self, n_trials: int) -> bool:
        """Not what one trial alone had, or what is not asked for any more."""
        n_until_dropped = max(self.n_trials, _MIN_UNTIL_DROPPED)
        is_dropped = self.n_missing >= n_until_dropped and not self.is_conditional
        return not is_dropped and (self.n_trials > 1 or n_trials <= _N_UNTIL_REPEATED)

    def add(self, order: int, name: str, trial: FrozenTrial) -> None:
        distribution = trial.distributions[name]
        latest_first = sorted(self.ranges, key=lambda r: -r.last)
        same = next((r for r in latest_first if r.distribution == distribution), None)
        if same is None:
            same = _Range(distribution, order)
            self.ranges.append(same)
        same.add(order, trial)
        self.is_conditional |= self.n_missing > 0
        self.n_missing = 0


class AskedParameters:
    """All parameters that trials have asked for, by name.

    Where a range has changed since, the newest counts. Where ranges go with other parameters'
    values, as in branches of an objective, all of them do.
    """

    def __init__(self) -> None:
        self._n_trials = 0
        self._parameters: dict[str, _Parameter] = {}
        self._ranges: dict[str, tuple[BaseDistribution, ...]] | None = None

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """One for each name; the order of names does not depend on hashes."""
        return {name: ranges[-1] for name, ranges in self._all_ranges().items()}

    @property
    def other_ranges(self) -> dict[str, tuple[BaseDistribution, ...]]:
        """More distributions of those parameters that have several."""
        return {name: r[:-1] for name, r in self._all_ranges().items() if len(r) > 1}

    def foretells_range(self, name: str) -> bool:
        """Whether one range is expected next: neither one of several, nor with too few trials."""
        n_ranges = len(self._all_ranges().get(name, ()))
        return n_ranges == 1 and self._parameters[name].n_trials >= 2 * _MIN_TRIALS_PER_RANGE

    def add(self, trial: FrozenTrial, *, is_complete: bool) -> None:
        """Take in a finished trial.

        Args:
            trial: The trial.
            is_complete: Whether it asked for all that it would: one that failed may not have.
        """
        if not trial.distributions:
            return
        for name in trial.distributions:
            self._parameters.setdefault(name, _Parameter()).add(self._n_trials, name, trial)
        if is_complete:
            for name, parameter in self._parameters.items():
                parameter.n_missing += name not in trial.distributions
        self._n_trials += 1
        self._ranges = None

    def _all_ranges(self) -> dict[str, tuple[BaseDistribution, ...]]:
        if self._ranges is None:
            known = sorted(
                name for name, p in self._parameters.items() if p.is_known(self._n_trials)
            )
            self._ranges = {name: self._ranges_of(name) for name in known}
        return self._ranges

    def _ranges_of(self, name: str) -> tuple[BaseDistribution, ...]:
        ranges = sorted(self._parameters[name].ranges, key=lambda r: r.last)
        newest = ranges[-1]
        n_trials = sum(r.n_trials for r in ranges)
        has_moved = newest.first > max((r.last for r in ranges[:-1]), default=-1)
        if has_moved or n_trials < _MIN_TRIALS_PER_RANGE * len(ranges):
            return (newest.distribution,)
        by_branch = _ranges_by_branch(name, ranges, sorted(self._parameters))
        if len(by_branch) < 2:
            return (newest.distribution,)
        return tuple(r.distribution for r in sorted(by_branch, key=lambda r: r.first))


def _ranges_by_branch(name: str, ranges: list[_Range], names: list[str]) -> list[_Range]:
    """The ranges that the values of other parameters tell to be asked for now."""
    trials = sorted(
        ((order, trial, k) for k, r in enumerate(ranges) for order, trial in r.trials),
        key=lambda item: item[0],
    )
    others = [other for other in names if other != name]
    values = np.full((len(trials), len(others)), np.nan)
    is_categorical = np.zeros(len(others), dtype=bool)
    for n, (_, trial, _) in enumerate(trials):
        for t, other in enumerate(others):
            if other in trial.params:
                distribution = trial.distributions[other]
                values[n, t] = distribution.to_internal_repr(trial.params[other])
                is_categorical[t] = isinstance(distribution, CategoricalDistribution)
    labels = np.array([k for _, _, k in trials])
    tree = DecisionTree.fit(values, is_categorical, labels, np.arange(len(others)))
    return [ranges[k] for k in sorted({leaf.label for leaf in tree.leaves()})]
