"""Trials without a study."""

from collections.abc import Mapping
from datetime import datetime
from datetime import timedelta
from typing import Any

import numpy as np
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
from optuna.study import StudyDirection
from optuna.trial import create_trial
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies import token_keys


CELLS = NASBench101Space(max_vertices=5)
FLAT = FlatSpace({"n": IntDistribution(0, 9), "x": FloatDistribution(0.0, 1.0)})
MINIMIZE, MAXIMIZE = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE
FINISHED = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]


def make_trial(number: int, state: TrialState = TrialState.COMPLETE, **kwargs: Any) -> FrozenTrial:
    """By default complete with value 0; a finished trial ended at second ``number``."""
    if state == TrialState.COMPLETE and "values" not in kwargs:
        kwargs["values"] = [0.0]
    trial = create_trial(state=state, **kwargs)
    trial.number = number
    if state.is_finished():
        trial.datetime_complete = datetime(2020, 1, 1) + timedelta(seconds=number)
    return trial


def make_cell_trial(number: int, params: Mapping[str, Any], **kwargs: Any) -> FrozenTrial:
    return make_trial(number, params=dict(params), distributions=CELLS.distributions, **kwargs)


def make_flat_trial(number: int, params: Mapping[str, Any], **kwargs: Any) -> FrozenTrial:
    distributions = {name: FLAT.distributions[name] for name in params}
    return make_trial(number, params=dict(params), distributions=distributions, **kwargs)


def sample_cells(n: int) -> list[dict[str, Any]]:
    """Parameters of n different cells."""
    tokens = np.random.default_rng(0).permutation(CELLS.enumerate_tokens())[:n]
    return CELLS.tokens_to_params(tokens)


def keys_of(space: SearchSpace[Any], *params: Mapping[str, Any]) -> set[bytes]:
    return set(token_keys(space.canonicalize(space.params_to_tokens(params))[0]))
