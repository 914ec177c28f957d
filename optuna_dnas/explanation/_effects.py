"""How much of an objective goes with each factor, the other factors being the same.

A model that is linear in functions of single factors. It takes one factor after the other, as
long as another one explains clearly more, so that of factors that go together only those count
that are needed. All of this is repeated on resampled trials: an interval tells how certain the
choice of the factors is, too.

N: trials, F: factors, P: columns of one factor, Q: columns of a model, R: resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import math

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray


N_RESAMPLES = 200
MIN_TRIALS = 10
"""Of fewer, every factor that differs is as good as any other."""

_INTERVAL = (0.025, 0.975)
# Values are taken for the same that differ by less of the range: two of 10 counts never do.
_SAME = 0.1
# From the median to the worst tenth, times this, beyond that tenth: a disaster, however bad.
_DISASTER = 3.0
_TOLERANCE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Effect:
    """Mean value of the trials that have a factor's value, minus that of the others.

    Args:
        value: In the units of the objective, the other factors being the same; the mean of all
            resamples.
        low: Lower end of a 95 % interval.
        high: Upper end.
        support: Share of the resamples whose model needs the factor.
    """

    value: float
    low: float
    high: float
    support: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def effects(
    factors: FloatArray,  # (N, F), NaN where a factor does not apply
    is_nominal: BoolArray,  # (F,)
    losses: FloatArray,  # (N,)
    reference: int,
    rng: np.random.Generator,
) -> tuple[Effect | None, ...]:
    """What goes with the values of the factors of one trial.

    Args:
        factors: Of all trials.
        is_nominal: The values of these have no order.
        losses: An objective, minimised.
        reference: Row of the trial.
        rng: Resamples the trials.

    Returns:
        F effects; `None` where all trials have the same value, or there are too few of them.
    """
    n = len(losses)
    if n < MIN_TRIALS:
        return tuple(None for _ in is_nominal)
    values = _without_disasters(losses)
    groups = [_columns(x, nominal) for x, nominal in zip(factors.T, is_nominal, strict=True)]
    same = np.stack([_same(x, x[reference]) for x in factors.T], axis=1)
    resampled = np.array(
        [
            _advantages([group[rows] for group in groups], same[rows], values[rows])
            for rows in rng.integers(0, n, (N_RESAMPLES, n))
        ]
    )  # (R, F)
    return tuple(
        None if is_same.all() else _summarise(of_factor)
        for is_same, of_factor in zip(same.T, resampled.T, strict=True)
    )


def _without_disasters(losses: FloatArray) -> FloatArray:
    """(N,) -> (N,): few networks that learned nothing would outweigh all the others."""
    median, bad = np.quantile(losses, [0.5, 0.9])
    limited: FloatArray = np.minimum(losses, bad + _DISASTER * (bad - median))
    return limited


def _summarise(resampled: FloatArray) -> Effect:
    low, high = np.quantile(resampled, _INTERVAL)
    return Effect(
        value=float(resampled.mean()),
        low=float(low),
        high=float(high),
        support=float(np.mean(resampled != 0)),
    )


def _columns(x: FloatArray, is_nominal: bool) -> FloatArray:
    """(N,) -> (N, P): a parabola of a number, and whether it is each other value of a name."""
    absent = np.isnan(x)
    levels = np.unique(x[~absent])
    if is_nominal or len(levels) <= 2:
        columns = [x == level for level in levels[1:]]
    else:
        scaled = np.where(absent, 0.0, (x - levels.mean()) / np.ptp(levels))
        columns = [scaled, scaled**2]
    if absent.any() and not absent.all():
        columns.append(absent)
    return np.array(columns, dtype=float).reshape(len(columns), len(x)).T


def _same(x: FloatArray, value: float) -> BoolArray:
    """(N,) -> (N,) which have the value; numbers of a continuum need only be near."""
    if math.isnan(value):
        return np.isnan(x)
    same: BoolArray = np.abs(x - value) <= _SAME * np.ptp(x[~np.isnan(x)])
    return same


def _advantages(groups: Sequence[FloatArray], same: BoolArray, values: FloatArray) -> FloatArray:
    """(F,) differences of the fitted values of each factor; 0 where the model does without it."""
    result = np.zeros(len(groups))
    chosen = _select(groups, values)
    if not chosen:
        return result
    design = np.concatenate([groups[f] for f in chosen], axis=1)
    design = design - design.mean(axis=0)  # In place of an intercept.
    weights, *_ = np.linalg.lstsq(design, values - values.mean(), rcond=None)
    start = 0
    for f in chosen:
        width = groups[f].shape[1]
        fitted = groups[f] @ weights[start : start + width]
        start += width
        has_it = same[:, f]
        if has_it.any() and not has_it.all():
            result[f] = fitted[has_it].mean() - fitted[~has_it].mean()
    return result


def _select(groups: Sequence[FloatArray], values: FloatArray) -> list[int]:
    """The factors that a model needs, the one that explains most first."""
    n = len(values)
    residual = values - values.mean()
    basis = np.full((n, 1), 1 / math.sqrt(n))  # (N, Q)
    total = rest = float(residual @ residual)
    chosen: list[int] = []
    while rest > _TOLERANCE * total:
        scores = [
            (-math.inf, np.empty((n, 0)))
            if f in chosen
            else _score(group, basis, residual, rest, len(groups))
            for f, group in enumerate(groups)
        ]
        best = int(np.argmax([score for score, _ in scores]))
        gain, new = scores[best]
        if gain <= 0 or 3 * (basis.shape[1] + new.shape[1]) > n:
            break
        chosen.append(best)
        basis = np.concatenate([basis, new], axis=1)
        residual = residual - new @ (new.T @ residual)
        rest = float(residual @ residual)
    return chosen


def _score(
    group: FloatArray,  # (N, P)
    basis: FloatArray,  # (N, Q) orthonormal
    residual: FloatArray,  # (N,)
    rest: float,
    n_factors: int,
) -> tuple[float, FloatArray]:
    """How much better the extended BIC (Chen & Chen, 2008) gets, and the new orthonormal columns.

    The ordinary one would take in too much by chance where there are many factors to choose from.
    """
    n = len(residual)
    beyond = group - basis @ (basis.T @ group)
    left, lengths, _ = np.linalg.svd(beyond, full_matrices=False)
    new = left[:, lengths > 1e-6 * math.sqrt(n)]
    if not new.shape[1]:
        return -math.inf, new
    explained = float(((new.T @ residual) ** 2).sum())
    left_over = max(rest - explained, _TOLERANCE * rest)
    penalty = new.shape[1] * math.log(n) + 2 * math.log(n_factors)
    return n * math.log(rest / left_over) - penalty, new
