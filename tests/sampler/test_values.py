"""What the sampler returns: plain values of exactly the parameters it is asked for."""

from collections.abc import Sequence
import json
import math
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.distributions import IntDistribution
from optuna.trial import Trial
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler

from .toy import BOTH_KINDS
from .toy import Kind
from .toy import make_sampler
from .toy import MODEL_SOURCES
from .toy import params_of
from .toy import run
from .toy import sources_of


_PLAIN = {int, float, str, bool, type(None)}


@BOTH_KINDS
def test_values_are_plain_and_new_at_every_call(kind: Kind, config: DNASConfig) -> None:
    study = run(kind, make_sampler(kind, config), 12)
    trial = study.ask()
    frozen = study.trials[-1]
    sampler = study.sampler
    space = sampler.infer_relative_search_space(study, frozen)
    first = sampler.sample_relative(study, frozen, space)
    assert first.keys() == space.keys()
    assert {type(value) for value in first.values()} <= _PLAIN
    assert json.loads(json.dumps(first)) == first
    expected = dict(first)
    first.clear()  # as `PartialFixedSampler` and users do
    space.clear()
    space = sampler.infer_relative_search_space(study, frozen)
    assert sampler.sample_relative(study, frozen, space) == expected
    for name, distribution in study.trials[-2].distributions.items():
        value = sampler.sample_independent(study, frozen, name, distribution)
        assert type(value) in _PLAIN
    assert trial.number == 12


@pytest.mark.parametrize(
    "names",
    [("kind",), ("rate",), ("stride", "x"), ("x", "kind", "width"), ("width", "stride", "rate")],
    ids="+".join,
)
def test_exactly_the_names_that_are_asked_for_are_returned(
    names: tuple[str, ...], config: DNASConfig
) -> None:
    """In startup and later; inactive parameters are drawn, in case they are active after all."""
    for n_before in (4, 14):
        study = run("flat", make_sampler("flat", config), n_before)
        study.ask()
        frozen = study.trials[-1]
        space = study.sampler.infer_relative_search_space(study, frozen)
        asked = {name: space[name] for name in names}
        params = study.sampler.sample_relative(study, frozen, asked)
        assert list(params) == list(names)
        for name, value in params.items():
            assert asked[name]._contains(asked[name].to_internal_repr(value))


def test_single_values_are_not_searched() -> None:
    space = {"a": IntDistribution(1, 1), "b": CategoricalDistribution(("x",))}
    study = optuna.create_study(sampler=DNASSampler(seed=0))
    for _ in range(3):
        study.tell(study.ask(space), 0.0)
    assert params_of(study) == [{"a": 1, "b": "x"}] * 3
    study.ask()
    assert study.sampler.infer_relative_search_space(study, study.trials[-1]) == {}


@pytest.mark.filterwarnings("ignore:Choices for a categorical")
@pytest.mark.parametrize(
    "choices",
    [
        ((3, 3), (5, 5)),
        (int, str),
        (None, True, 1.5, "x"),
        (math.nan, 0.0),
        ([8], [8, 8]),  # which cannot be hashed
        ({0: 1, 1: 1}, {0: 1, 1: 5}),
    ],
    ids=repr,
)
def test_any_category_can_be_searched(choices: Sequence[Any]) -> None:
    def objective(trial: Trial) -> float:
        chosen = trial.suggest_categorical("c", choices)
        return float(chosen is choices[0]) + trial.suggest_float("x", 0.0, 1.0)

    study = optuna.create_study(sampler=DNASSampler(seed=0, n_startup_trials=4))
    study.optimize(objective, n_trials=12)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 12
    assert set(sources_of(study)[4:]) <= MODEL_SOURCES


def test_no_choice_is_tried_again_as_an_equal_one() -> None:
    choices = (True, 1, 0, False)

    def objective(trial: Trial) -> float:
        trial.suggest_categorical("a", choices)
        trial.suggest_categorical("b", choices)
        return float(trial.suggest_int("n", 0, 11))

    study = optuna.create_study(sampler=DNASSampler(seed=0))
    study.optimize(objective, n_trials=48)
    assert len({tuple(params.values()) for params in params_of(study)}) == 48


@pytest.mark.parametrize("name", ["\udc80", "a\ud800b", "", "\U0001f600"], ids=ascii)
def test_any_name_can_be_searched(name: str) -> None:
    study = optuna.create_study(sampler=DNASSampler(seed=0, n_startup_trials=4))
    study.optimize(lambda trial: trial.suggest_float(name, -1e308, 1e308), n_trials=12)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 12
    assert set(sources_of(study)[4:]) <= MODEL_SOURCES
