"""What trials say: in which direction, whether within the constraints, of which architecture.

N: trials, T: tokens, M: objectives.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.search_space import SearchSpace


class Tokens(NamedTuple):
    """The trials, of several, that evaluated an architecture of a space."""

    rows: IntArray  # (N,) which of them
    canonical: TokenArray  # (N, T)


def read_tokens(
    space: SearchSpace[Any],
    params: Sequence[Mapping[str, Any]],
    distributions: Sequence[Mapping[str, BaseDistribution]],
) -> Tokens:
    """Read parameters of trials, and what these were asked with."""
    covered = [n for n, of_trial in enumerate(params) if space.covers(of_trial)]
    if not covered:
        return Tokens(np.empty(0, dtype=np.int64), space.params_to_tokens([]))
    tokens, valid = space.trials_to_tokens(
        [params[n] for n in covered], [distributions[n] for n in covered]
    )
    return Tokens(np.array(covered, dtype=np.int64)[valid], tokens[valid])


def signs_of(directions: Sequence[StudyDirection]) -> FloatArray:
    """(M,) what values are multiplied with to be minimised."""
    return np.array([-1.0 if d == StudyDirection.MAXIMIZE else 1.0 for d in directions])


def is_feasible(trial: FrozenTrial) -> bool:
    """As Optuna sees it: all constraints are met, and none is NaN."""
    return all(value <= 0 for value in trial.constraints.values())
