"""What candidates may cost, where that is known, and what limits they will probably break.

N: candidates, O: observed, C: constraints, D: latent dimensions.
"""

from typing import Any

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.controller import FittedController
from optuna_dnas.controller import replace_infinite
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies._selection import Candidates


def within_limits(
    space: SearchSpace[Any], candidates: Candidates, limits: CostLimits
) -> Candidates:
    """Drop what costs too much or too little, where the space knows the cost."""
    if not limits or not len(candidates.rows):
        return candidates
    costs = space.token_costs(candidates.proposed)
    if costs is None:
        return candidates
    kept = limits.allow(costs, space.cost_names)
    return Candidates(*(array[kept] for array in candidates))


def cost_headroom(
    space: SearchSpace[Any], fitted: FittedController, limits: CostLimits, codes: FloatArray
) -> FloatArray:
    """(N, D) codes -> (N,) see `SearchState.cost_headroom`."""
    costs = space.token_costs(fitted.latent.decode(codes))
    assert costs is not None
    return limits.headroom(costs, space.cost_names)


def log_costs(*costs: FloatArray) -> list[FloatArray]:
    """(N,) each -> (N,) logarithms; what costs nothing counts as half of the least amount."""
    together = np.concatenate(costs)
    least = np.min(together, where=together > 0, initial=np.inf)
    nothing = least / 2 if np.isfinite(least) else 1.0
    return [np.log(np.where(amounts > 0, amounts, nothing)) for amounts in costs]


def sampled_violations(
    fitted: FittedController,
    features: FloatArray,  # (N, F)
    observed_features: FloatArray,  # (O, F)
    constraints: FloatArray | None,  # (O, 1 + C) see `Observations.requirements`
    noise: float,
    rng: np.random.Generator,
    retried: IntArray | None = None,  # (R,) candidates that have failed
) -> FloatArray:
    """(N,) how far Thompson samples of the constraints violate them, added up; 0 if none does.

    In units of the predictors: those of the constraints need not compare. As long as nothing has
    met a constraint, there is no telling where its limit lies: nothing counts as feasible then,
    and less is better.

    The candidates share a draw, so that a ranking trusts all predictions too much or all too
    little. With one each, the best of thousands would be those that are luckily taken for
    feasible.

    Whether an attempt is worth repeating, other architectures tell: if those like it fail.
    """
    total = np.zeros(len(features))
    if fitted.constraints is None or constraints is None:
        return total
    for part in fitted.constraints.parts:
        observed, predictor = part.worst(constraints), part.predictor
        known = ~np.isnan(observed)
        if not (observed[known] > 0).any():
            continue
        means, deviations = predictor.predict(features)
        if part.is_of_failures and retried is not None:
            means[retried], deviations[retried] = predictor.predict_anew(features[retried])
        samples = (means + noise * rng.standard_normal() * deviations)[:, 0]
        if part.is_of_failures:
            threshold = probable_failure(observed[known])
        else:
            reference = predictor.mean(observed_features[known])[:, 0]
            threshold = feasible_until(observed[known], reference)
        if threshold is None:
            total += 1.0 + samples - samples.min()
        else:
            total += np.maximum(samples - threshold, 0.0)
    return total


def probable_failure(observed: FloatArray) -> float | None:
    """The prediction from which on a failure is more probable than not; `None` if all failed.

    Two values are regressed on as they are, standardised: the middle between them is the
    prediction of one half. Failures that the parameters do not explain are predicted to be as
    frequent everywhere as they are on the whole, and forbid nothing.

    Args:
        observed: (O,) 1 where an architecture failed, -1 where it did not; both occur.
    """
    if np.all(observed > 0):
        return None
    return float(-observed.mean() / observed.std())


def feasible_until(observed: FloatArray, reference: FloatArray) -> float | None:
    """The prediction that stands for the value 0 of a constraint.

    Predictors that rank have no unit: values are mapped to predictions monotonically, by the
    quantiles of both on what was observed, and linearly in between.

    Args:
        observed: (O,) values, infinite ones allowed; feasible where not positive.
        reference: (O,) their predictions.

    Returns:
        Infinity if all are feasible, `None` if none is.
    """
    n_feasible = np.count_nonzero(observed <= 0)
    if n_feasible == 0:
        return None
    if n_feasible == len(observed):
        return np.inf
    values = np.sort(replace_infinite(observed[:, None])[:, 0])
    low, high = values[n_feasible - 1 : n_feasible + 1]
    # Without a finite value on one side of 0, that side is taken to be there.
    share = float(np.clip(-low / (high - low), 0.0, 1.0)) if high > low else 0.0
    predictions = np.sort(reference)
    below, above = predictions[n_feasible - 1 : n_feasible + 1]
    return float(below + share * (above - below))
