"""A study keeps the space of its objective."""

import optuna
import pytest

from optuna_dnas import DNASSampler
from optuna_dnas._declaration import declared_space
from optuna_dnas._declaration import SPACE_KEY
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.search_space import space_from_json
from optuna_dnas.search_space import space_to_json


@pytest.mark.parametrize(
    "space", [DigitsCellObjective(max_params=4706).space, NASBench101Space(), MobileNetSpace()]
)
def test_a_space_is_read_as_it_was_written(space: SearchSpace[object]) -> None:
    text = space_to_json(space)
    assert text is not None
    assert repr(space_from_json(text)) == repr(space)


def test_without_a_space_the_sampler_searches_that_of_the_objective() -> None:
    """Its costs and limits are those of the network around the cell, from the first trial on."""
    objective = DigitsCellObjective(max_params=4706)
    params = []
    for space in (objective.space, None):
        study = optuna.create_study(direction="maximize", sampler=DNASSampler(seed=0, space=space))
        study.optimize(objective, n_trials=20)
        params.append([trial.params for trial in study.trials])
        assert all(max(trial.constraints.values()) <= 0 for trial in study.trials)
    assert params[0] == params[1]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kind": "Another"}'])
def test_what_another_version_wrote_is_left_alone(text: str) -> None:
    study = optuna.create_study()
    study.set_user_attr(SPACE_KEY, text)
    assert declared_space(study) is None
