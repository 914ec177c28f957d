"""By what candidates are ordered. N: candidates, F: observed, M: objectives, C: costs."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas.strategies._config import SearchConfig
from optuna_dnas.strategies._constraints import log_costs
from optuna_dnas.strategies._hypervolume import improvement_order
from optuna_dnas.strategies._hypervolume import infer_reference
from optuna_dnas.strategies._hypervolume import known_costs
from optuna_dnas.strategies._hypervolume import qualities
from optuna_dnas.strategies._hypervolume import ValueScale


class Predictions(NamedTuple):
    """What is predicted of candidates, in units of the predictors."""

    means: FloatArray  # (N, M)
    deviations: FloatArray  # (N, M)
    costs: FloatArray | None  # (N, C); `None` where the space knows none
    violations: FloatArray  # (N,) of constraints; 0 where none is likely to be violated
    noise: FloatArray | None  # (M,) variances of evaluations; `None` where unknown

    def take(self, rows: np.ndarray) -> "Predictions":
        """Some of them."""
        costs = None if self.costs is None else self.costs[rows]
        return self._replace(
            means=self.means[rows],
            deviations=self.deviations[rows],
            costs=costs,
            violations=self.violations[rows],
        )


class Evaluated(NamedTuple):
    """What is known of the observed."""

    means: FloatArray  # (F, M) predicted
    values: FloatArray  # (F, M)
    costs: FloatArray | None  # (F, C)
    is_feasible: np.ndarray  # (F,)


def candidate_order(
    candidates: Predictions, observed: Evaluated, config: SearchConfig, rng: np.random.Generator
) -> Iterator[int]:
    """Rows of the candidates, the most promising first.

    What will probably violate a constraint is postponed, and comes in the order of by how much.
    """
    rows = np.flatnonzero(candidates.violations <= 0)
    several = candidates.means.shape[1] > 1
    order = _by_hypervolume if several else _by_score
    if len(rows):
        for k in order(candidates.take(rows), observed, config, rng):
            yield int(rows[k])
    rest = np.flatnonzero(candidates.violations > 0)
    yield from rest[np.argsort(candidates.violations[rest], kind="stable")].tolist()


def _by_score(
    candidates: Predictions, observed: Evaluated, config: SearchConfig, rng: np.random.Generator
) -> Iterator[int]:
    means, deviations = candidates.means, candidates.deviations
    if config.improvement_share > 0 and rng.random() < config.improvement_share:
        counts = observed.is_feasible if observed.is_feasible.any() else slice(None)
        best = observed.means[counts].min(axis=0)
        noise = candidates.noise if config.weighs_noise else None
        scores = negative_improvements(means, deviations, best, noise)
    else:
        scores = thompson_samples(means, deviations, config.noise, rng)
    yield from np.argsort(scores[:, 0], kind="stable").tolist()


def _by_hypervolume(
    candidates: Predictions, observed: Evaluated, config: SearchConfig, rng: np.random.Generator
) -> Iterator[int]:
    means, deviations = candidates.means.copy(), config.noise * candidates.deviations
    reached = observed.means.copy()
    known = known_costs(observed.values, observed.costs)
    if candidates.costs is not None and observed.costs is not None:
        for objective, cost in known.items():
            # Costs span orders of magnitude: a share less is worth the same everywhere.
            means[:, objective], reached[:, objective] = log_costs(
                candidates.costs[:, cost], observed.costs[:, cost]
            )
            deviations[:, objective] = 0.0
    reference = infer_reference(reached, config.n_startup_trials, known)
    scales = {}
    for objective in qualities(reached, known):
        scale = ValueScale.between(reached[:, objective], observed.values[:, objective])
        if scale is not None:
            scales[objective] = scale
    if observed.is_feasible.any():
        reached = reached[observed.is_feasible]
    return improvement_order(means, deviations, reached, reference, rng, scales)


def thompson_samples(
    means: FloatArray, deviations: FloatArray, noise: float, rng: np.random.Generator
) -> FloatArray:
    """(N, M) each -> (N, M), one sample for each candidate; lower is better."""
    samples: FloatArray = means + noise * deviations * rng.standard_normal(means.shape)
    return samples


def negative_improvements(
    means: FloatArray,
    deviations: FloatArray,
    best: FloatArray,
    noise: FloatArray | None = None,
) -> FloatArray:
    """(N, M) each, (M,) the best means of what was observed -> (N, M), lower is better.

    Expected improvement (Jones, Schonlau & Welch, 1998, Eq. 15), times the share that noise leaves
    of what another evaluation would tell (Huang, Allen, Notz & Zeng, *Global Optimization of
    Stochastic Black-Box Systems via Sequential Kriging Meta-Models*, 2006): otherwise the
    best known architecture is evaluated over and over, its numbers a little changed.

    Args:
        means: Predicted.
        deviations: Without the noise.
        best: To be improved on.
        noise: (M,) variances of evaluations; `None`: 0.
    """
    from scipy.special import ndtr  # Its import takes longer than Optuna's.

    u = (best - means) / deviations
    density = np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi)
    # Where nothing will improve, what is most likely to.
    improvements: FloatArray = deviations * (density + u * ndtr(u)) + 1e-12 * u
    if noise is not None:
        improvements *= 1.0 - np.sqrt(noise / (noise + deviations**2))
    return -improvements
