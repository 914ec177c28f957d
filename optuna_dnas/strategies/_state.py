"""What a sampling strategy may look at.

N: architectures, T: tokens, M: objectives, K: best codes, D: latent dimensions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller import FittedController
from optuna_dnas.controller import Latent


class Observations(NamedTuple):
    """Evaluated architectures, in the order in which they were finished."""

    tokens: TokenArray  # (N, T), canonical
    values: FloatArray  # (N, M), minimised; may be infinite
    violations: FloatArray  # (N,) how far constraints are violated; 0 where feasible

    def take(self, rows: np.ndarray) -> "Observations":
        """Some of them."""
        return Observations(self.tokens[rows], self.values[rows], self.violations[rows])


@dataclass(frozen=True)
class SearchState:
    """A fitted controller, and the best architectures in one direction of the objectives.

    Args:
        fitted: Latent and predictors.
        elite: (K, D) codes of the best architectures, the best first, without NaN.
        direction: (M,) positive weights of the objectives.
        cost_headroom: (N, D) codes -> (N,) how far below its limit a cost stays, as a share of
            the limit, for the tightest limit; negative above it. `None` without limits.
    """

    fitted: FittedController
    elite: FloatArray
    direction: FloatArray
    cost_headroom: Callable[[FloatArray], FloatArray] | None = None

    @property
    def latent(self) -> Latent:
        """The latent space."""
        return self.fitted.latent
