"""What is fixed or enqueued is kept, and the rest fits it."""

from collections.abc import Callable
import warnings

import optuna
from optuna.samplers import PartialFixedSampler
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig

from .toy import BOTH_KINDS
from .toy import cell_objective
from .toy import flat_objective
from .toy import Kind
from .toy import make_sampler
from .toy import MODEL_SOURCES
from .toy import n_different_cells
from .toy import OBJECTIVES
from .toy import params_of
from .toy import run


FIXED = {"edge_0_4": 0, "edge_3_4": 0, "op_1": "maxpool3x3"}
"""Output is reached from vertices 1 and 2 only: a cell that ignores this is hardly ever valid."""


@BOTH_KINDS
def test_partial_fixed_sampler_is_honoured(kind: Kind, config: DNASConfig) -> None:
    fixed = FIXED if kind == "cell" else {"kind": "pool", "width": 7}
    study = run(kind, make_sampler(kind, config), 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.sampler = PartialFixedSampler(fixed, study.sampler)
    study.optimize(OBJECTIVES[kind], n_trials=15)
    for trial in study.trials[10:]:
        assert trial.state == TrialState.COMPLETE
        assert fixed.items() <= trial.params.items()
        assert trial.user_attrs["dnas:source"] in MODEL_SOURCES
    if kind == "cell":
        assert n_different_cells(study) == 25


def test_what_a_partial_fixed_sampler_leaves_is_proposed_in_startup_too(
    config: DNASConfig,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = run("cell", PartialFixedSampler(FIXED, make_sampler("cell", config)), 8)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 8
    assert all(FIXED.items() <= params.items() for params in params_of(study))


@pytest.mark.parametrize("n_before", [0, 12])
def test_the_rest_of_a_partly_enqueued_cell_fits_it(n_before: int, config: DNASConfig) -> None:
    study = run("cell", make_sampler("cell", config), n_before)
    for _ in range(8):
        study.enqueue_trial(FIXED)
    study.optimize(cell_objective, n_trials=8)
    for trial in study.trials[n_before:]:
        assert FIXED.items() <= trial.params.items()
        assert trial.state == TrialState.COMPLETE  # the cell is valid
    assert n_different_cells(study) == n_before + 8


@pytest.mark.parametrize("n_before", [0, 12])
def test_a_partly_enqueued_flat_trial_keeps_its_values(n_before: int, config: DNASConfig) -> None:
    fixed = {"kind": "pool", "x": 0.125}
    study = run("flat", make_sampler("flat", config), n_before)
    study.enqueue_trial(fixed)
    study.optimize(flat_objective, n_trials=1)
    assert fixed.items() <= study.trials[-1].params.items()
    assert study.trials[-1].params.keys() == {"kind", "x", "width", "stride"}


def test_a_partly_enqueued_trial_that_nothing_fits_says_so(
    config: DNASConfig, messages: Callable[[], list[str]]
) -> None:
    study = optuna.create_study(sampler=make_sampler("cell", config))
    study.enqueue_trial({f"edge_{v}_4": 0 for v in range(4)})  # the output is cut off
    study.optimize(cell_objective, n_trials=1)
    assert study.trials[0].state == TrialState.PRUNED
    assert study.trials[0].user_attrs["dnas:source"] == "fallback"
    assert "Trial 0 is sampled independently: no valid architecture" in messages()[0]


@BOTH_KINDS
def test_an_enqueued_trial_is_marked_and_never_proposed_again(
    kind: Kind, config: DNASConfig
) -> None:
    wanted = run(kind, make_sampler(kind, config), 12).trials[10].params
    study = run(kind, make_sampler(kind, config), 10)
    study.enqueue_trial(wanted)
    study.optimize(OBJECTIVES[kind], n_trials=5)
    assert study.trials[10].params == wanted
    assert study.trials[10].user_attrs == {"dnas:source": "enqueued"}
    assert wanted not in params_of(study)[11:]
