"""What a trial that was pruned is worth, told by what others reported at the same step.

A report is not a value: it may be one fold, a sum so far, a loss that rises, or in another unit
than what is returned.

N: trials, S: steps at which some trial was pruned, ascending. All is minimized.
"""

from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray


# Fewer complete trials do not show how reports compare with values. Not tuned.
_LEAST_SHOWN = 3
# A last report that is the value differs from it by rounding, and now and then by the best step
# having been another one: by so much of the deviation of values, at most, in half of the trials.
_SAME_SCALE = 0.01
# So many complete trials must not have looked better at a step than they turned out.
_PESSIMISTIC = 0.75
_LARGEST = np.finfo(np.float64).max


class Reports(NamedTuple):
    """What N trials reported while they ran."""

    at_steps: FloatArray  # (N, S), NaN where a trial did not report
    last: FloatArray  # (N,) NaN where a trial did not report at all
    is_pruned: BoolArray  # (N,) has no value but its last report, which is finite

    def take(self, rows: np.ndarray) -> "Reports":
        """Some of them."""
        return Reports(self.at_steps[rows], self.last[rows], self.is_pruned[rows])


def comparable_values(
    values: FloatArray,  # (N,) of a pruned trial anything; infinite where a trial failed
    reports: Reports,
) -> FloatArray:
    """(N,) values, with numbers that order pruned trials among all others.

    A pruned trial has the value of its last report where complete trials show that reports are on
    the scale of values, and not better at that step than at the end. Otherwise it comes behind
    the complete ones, the later the more trials were better than it at the step at which it was
    pruned: those that went on from there with successive halving come before it.
    """
    pruned = np.flatnonzero(reports.is_pruned)
    comparable: FloatArray = values.copy()
    if not len(pruned):
        return comparable
    steps = _last_steps(reports.at_steps[pruned])
    comparable[pruned] = reports.last[pruned]
    behind = pruned[~_are_values(values, reports)[steps]]
    if not len(behind):
        return comparable
    is_ahead = np.isfinite(values) & ~reports.is_pruned
    best, worst = 0.0, 0.0
    if is_ahead.any():
        best, worst = values[is_ahead].min(), values[is_ahead].max()
    n_better = np.zeros(len(values))
    for step in np.unique(steps):
        rows = pruned[steps == step]
        others = np.sort(reports.at_steps[:, step])  # NaN comes last
        n_better[rows] = np.searchsorted(others, reports.last[rows], side="left")
    # Scores like values of the worse half: how far apart they are means little.
    share = (1.0 + n_better[behind]) / (1.0 + n_better[behind].max())
    half = worst / 2 - best / 2 if worst > best else 0.5  # finite between extreme values, too
    with np.errstate(over="ignore"):
        comparable[behind] = np.minimum(worst + half * share + half * share, _LARGEST)
    return comparable


def _last_steps(at_steps: FloatArray) -> np.ndarray:
    """(P, S) -> (P,) the column of each trial's last report."""
    n_steps = at_steps.shape[1]
    steps: np.ndarray = n_steps - 1 - np.argmax(~np.isnan(at_steps[:, ::-1]), axis=1)
    return steps


def _are_values(values: FloatArray, reports: Reports) -> BoolArray:
    """(S,) at which steps a report stands for a value."""
    is_shown = ~reports.is_pruned & np.isfinite(values) & np.isfinite(reports.last)
    shown, last = values[is_shown], reports.last[is_shown]
    at_steps = reports.at_steps[is_shown]
    if len(shown) < _LEAST_SHOWN:
        return np.zeros(at_steps.shape[1], dtype=bool)
    tolerance = _SAME_SCALE * shown.std()
    if np.median(np.abs(shown - last)) > tolerance:
        return np.zeros(at_steps.shape[1], dtype=bool)
    n_reported = np.sum(~np.isnan(at_steps), axis=0)
    n_pessimistic = np.sum(at_steps >= shown[:, None] - tolerance, axis=0)
    are: BoolArray = (n_reported >= _LEAST_SHOWN) & (n_pessimistic >= _PESSIMISTIC * n_reported)
    return are
