"""What a sampling strategy may look at.

N: architectures, T: tokens, M: objectives, C: constraints, K: best ones, D: latent dimensions.
"""

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller import FittedController
from optuna_dnas.controller import Latent
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies._reports import comparable_values
from optuna_dnas.strategies._reports import Reports


class Observations(NamedTuple):
    """Evaluated architectures, in the order in which they were finished."""

    tokens: TokenArray  # (N, T), canonical
    values: FloatArray  # (N, M), minimised; infinite where a trial failed
    violations: FloatArray  # (N,) how far constraints are violated; 0 where feasible
    constraints: FloatArray | None = None
    """(N, C) those that only an evaluation tells: feasible where not positive, NaN where unknown;
    `None`: there are none."""
    is_error: BoolArray | None = None
    """(N,) which ended in an error, or without a number: that may have been chance; `None`: none
    did."""
    reports: Reports | None = None
    """What trials reported; `None` where none was pruned after a report."""

    def with_comparable_values(self) -> "Observations":
        """The same with values of pruned trials that compare with all others."""
        if self.reports is None:
            return self
        values = comparable_values(self.values[:, 0], self.reports)
        return self._replace(values=values[:, None])

    @property
    def failed(self) -> BoolArray:
        """(N,) which have no value, or an infinitely bad one, though they break no constraint."""
        failed: BoolArray = self._has_no_value & ~np.any(self._known_constraints > 0, axis=1)
        return failed

    @property
    def requirements(self) -> FloatArray | None:
        """(N, 1 + C) what is asked of an architecture: that it does not fail, and the constraints.

        Positive where that is not met, NaN where it is unknown; `None` if there are no constraints
        and nothing has failed. As long as nothing has, the first column is NaN: what has always
        gone well need not be predicted.
        """
        failed = self.failed
        if self.constraints is None and not failed.any():
            return None
        # What was given up because of a constraint did not come to fail.
        is_known = failed.any() & (failed | ~self._has_no_value)
        failure = np.where(is_known, np.where(failed, 1.0, -1.0), np.nan)
        return np.column_stack([failure, self._known_constraints])

    @property
    def _has_no_value(self) -> BoolArray:
        has_none: BoolArray = np.all(np.isposinf(self.values), axis=1)
        return has_none

    @property
    def _known_constraints(self) -> FloatArray:
        return np.empty((len(self.values), 0)) if self.constraints is None else self.constraints

    def take(self, rows: np.ndarray) -> "Observations":
        """Some of them."""
        return Observations(
            self.tokens[rows],
            self.values[rows],
            self.violations[rows],
            None if self.constraints is None else self.constraints[rows],
            None if self.is_error is None else self.is_error[rows],
            None if self.reports is None else self.reports.take(rows),
        )


@dataclass(frozen=True)
class SearchState:
    """A fitted controller, and the best architectures in one direction of the objectives.

    Args:
        space: With the conditions that were seen.
        fitted: Latent and predictors.
        elite_tokens: (K, T) the best architectures, the best first.
        elite: (K, D) their codes, without NaN.
        direction: (M,) positive weights of the objectives.
        cost_headroom: (N, D) codes -> (N,) how far below its maximum a cost stays, as a share of
            it, for the tightest one; negative beyond any limit. `None` without a maximum.
        limited_costs: Which of the costs have a maximum.
    """

    space: SearchSpace[Any]
    fitted: FittedController
    elite_tokens: TokenArray
    elite: FloatArray
    direction: FloatArray
    cost_headroom: Callable[[FloatArray], FloatArray] | None = None
    limited_costs: Sequence[int] = ()

    @property
    def latent(self) -> Latent:
        """The latent space."""
        return self.fitted.latent

    def limited_slopes(self, codes: FloatArray) -> FloatArray | None:
        """(N, D) codes -> (N, ., D) derivative of what is predicted of all that has a limit."""
        costs = self.fitted.cost_slopes(codes) if self.limited_costs else None
        slopes = [] if costs is None else [costs[:, list(self.limited_costs)]]
        constraints = self.fitted.constraint_slopes(codes)
        if constraints is not None:
            slopes.append(constraints)
        return np.concatenate(slopes, axis=1) if slopes else None
