"""A study keeps the space of its objective."""

import optuna
import pytest

from optuna_dnas import DNASSampler
from optuna_dnas._declaration import declare_space
from optuna_dnas._declaration import declared_space
from optuna_dnas._declaration import SPACE_KEY
from optuna_dnas.interpret import evaluated
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.search_space import ArchitectureSpace
from optuna_dnas.search_space import Choice
from optuna_dnas.search_space import Integer
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import Repeat
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.search_space import space_from_json
from optuna_dnas.search_space import space_to_json


SMALL = MobileNetSpace(MobileNetShape.small(image_size=8))
MLP = ArchitectureSpace(
    layers=Repeat({"width": Choice(1, 2.5, "x"), "n": Integer(2, 8, 3)}, depth=(0, 3), first=1),
    edges=Repeat(Choice(None, True), depth=2, names="edge{k}", depth_name="unused"),
    head=Choice("a"),
    stem={"kernel": Choice(3, 5), "norm": Choice("batch", "none")},
)


@pytest.mark.parametrize(
    "space",
    [
        DigitsCellObjective(limits={"params": 4706}).space,
        NASBench101Space(),
        MobileNetSpace(),
        SMALL,
        MLP,
        ArchitectureSpace({"cost": Choice("low", "high"), "limits": Choice(1, 2)}),
    ],
)
def test_a_space_is_read_as_it_was_written(space: SearchSpace[object]) -> None:
    text = space_to_json(space)
    assert text is not None
    again = space_from_json(text)
    assert repr(again) == repr(space)
    assert list(again.distributions.items()) == list(space.distributions.items())


class _Own(ArchitectureSpace):
    pass


def test_a_space_with_code_of_its_own_is_not_written() -> None:
    """Another process would search another space."""
    assert space_to_json(_Own(op=Choice("a", "b"))) is None


@pytest.mark.parametrize("space", [SMALL, MLP])
def test_plots_and_reports_read_the_space_that_a_study_keeps(space: SearchSpace[object]) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    declare_space(study, space)
    study.optimize(lambda trial: len(str(space.suggest(trial))), n_trials=8)
    found = evaluated(study)
    assert repr(found.space) == repr(space)
    assert len(found.trials) == 8


@pytest.mark.parametrize("told", [MLP, None])
def test_a_sampler_keeps_the_space_that_it_is_told(told: ArchitectureSpace | None) -> None:
    study = optuna.create_study(sampler=DNASSampler(seed=0, space=told))
    study.optimize(lambda trial: len(str(MLP.suggest(trial))), n_trials=3)
    kept = declared_space(study)
    assert (repr(kept) == repr(MLP)) if told else kept is None


def test_the_space_of_the_objective_is_not_replaced() -> None:
    """A sampler may search a part of it."""
    objective = DigitsCellObjective(limits={"params": 4706})
    part = NASBench101Space(max_vertices=5)
    study = optuna.create_study(direction="maximize", sampler=DNASSampler(seed=0, space=part))
    declare_space(study, objective.space)
    study.optimize(objective, n_trials=2)
    assert repr(declared_space(study)) == repr(objective.space)


def test_without_a_space_the_sampler_searches_that_of_the_objective() -> None:
    """Its costs and limits are those of the network around the cell, from the first trial on."""
    objective = DigitsCellObjective(limits={"params": 4706})
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
