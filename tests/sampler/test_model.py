"""The model in the study: where trials come from, and from whose trials it learns."""

import numpy as np
import optuna
from optuna.samplers import RandomSampler
from optuna.trial import create_trial
from optuna.trial import TrialState

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler

from .toy import BOTH_KINDS
from .toy import cell_objective
from .toy import Kind
from .toy import make_sampler
from .toy import MODEL_SOURCES
from .toy import OBJECTIVES
from .toy import params_of
from .toy import run
from .toy import sources_of


@BOTH_KINDS
def test_every_trial_says_where_it_came_from(kind: Kind, config: DNASConfig) -> None:
    study = run(kind, make_sampler(kind, config), 30)
    assert sources_of(study)[:8] == ["startup"] * 8
    assert set(sources_of(study)[8:]) <= MODEL_SOURCES
    assert {"dense", "local"} <= set(sources_of(study))


def test_a_flat_study_is_searched_not_sampled(config: DNASConfig) -> None:
    model = [t.value for t in run("flat", make_sampler("flat", config), 40).trials[20:]]
    at_random = [t.value for t in run("flat", RandomSampler(seed=0), 40).trials[20:]]
    assert np.median(model) < np.median(at_random) / 2


def test_nasbench_is_recognised_by_its_parameters(config: DNASConfig) -> None:
    """Random edges make a cell less often than not; the space never fails to."""
    study = run("cell", DNASSampler(seed=0, config=config, n_startup_trials=8), 40)
    assert [t.state for t in study.trials[1:]] == [TrialState.COMPLETE] * 39
    assert set(sources_of(study)[12:]) <= MODEL_SOURCES
    at_random = run("cell", RandomSampler(seed=0), 40)
    assert sum(t.state == TrialState.PRUNED for t in at_random.trials) > 5


@BOTH_KINDS
def test_added_trials_are_as_good_as_own_ones(kind: Kind, config: DNASConfig) -> None:
    whole = run(kind, make_sampler(kind, config), 18)
    study = optuna.create_study(sampler=make_sampler(kind, config))
    study.add_trials(
        create_trial(params=t.params, distributions=t.distributions, value=t.value)
        for t in whole.trials[:13]
    )
    study.optimize(OBJECTIVES[kind], n_trials=5)
    assert set(sources_of(study)[13:]) <= MODEL_SOURCES
    if kind == "flat":
        assert params_of(study) == params_of(whole)


@BOTH_KINDS
def test_trials_of_another_sampler_are_learned_from(kind: Kind, config: DNASConfig) -> None:
    study = run(kind, RandomSampler(seed=0), 60)
    study.sampler = make_sampler(kind, config)
    study.optimize(OBJECTIVES[kind], n_trials=10)
    assert sources_of(study)[:60] == [None] * 60
    assert set(sources_of(study)[60:]) <= MODEL_SOURCES
    assert [t.state for t in study.trials[60:]] == [TrialState.COMPLETE] * 10


def test_a_declared_space_searches_in_a_study_of_other_parameters(config: DNASConfig) -> None:
    study = run("flat", RandomSampler(seed=0), 10)
    study.sampler = make_sampler("cell", config)
    study.optimize(cell_objective, n_trials=12)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 22
    assert sources_of(study)[10:18] == ["startup"] * 8
    assert set(sources_of(study)[18:]) <= MODEL_SOURCES
