"""The figure of what each part of the search contributed."""

import sys

import numpy as np
import optuna
from optuna.trial import create_trial
from optuna.trial import TrialState
import pytest

from optuna_dnas.visualization import plot_sources
from optuna_dnas.visualization._colors import source_color
from optuna_dnas.visualization._colors import SOURCES as COLORS
from optuna_dnas.visualization._sources import _get_sources_info
from optuna_dnas.visualization._sources import _places
from optuna_dnas.visualization._sources import _window_size
from tests.visualization.studies import cell_study
from tests.visualization.studies import flat_study
from tests.visualization.studies import SOURCES


def test_every_proposal_is_counted_once() -> None:
    info = _get_sources_info(cell_study(30), None, None)
    assert info.sources == SOURCES
    assert info.window_size == 2
    assert info.counts.shape == (3, 15)
    assert (info.counts.sum(axis=0) == 2).all()
    assert (info.counts.sum(axis=1) == 10).all()


def test_proposals_count_whatever_became_of_them() -> None:
    study = cell_study(3)
    for state in (TrialState.FAIL, TrialState.PRUNED):
        study.add_trial(create_trial(state=state, user_attrs={"dnas:source": "edge"}))
    study.enqueue_trial({})
    info = _get_sources_info(study, None, None)
    assert info.sources == (*SOURCES, "edge")
    assert info.counts.sum() == 5
    assert len(info.values) == 3


@pytest.mark.parametrize(("n", "size"), [(1, 1), (20, 1), (21, 2), (100, 5), (101, 10), (999, 50)])
def test_windows_are_round(n: int, size: int) -> None:
    assert _window_size(n) == size


def test_improvements_of_one_objective_are_records() -> None:
    study = cell_study(30)
    info = _get_sources_info(study, None, None)
    values = np.array([t.value for t in study.trials])
    records = [n for n in range(30) if (values[:n] < values[n]).all()]
    assert np.flatnonzero(info.is_improvement).tolist() == records
    assert records[-1] == study.best_trial.number


def test_improvements_of_a_pareto_study_end_with_its_front() -> None:
    study = cell_study(30, metrics=("validation_accuracy", "flops"))
    info = _get_sources_info(study, None, None)
    assert {t.number for t in study.best_trials} <= set(np.flatnonzero(info.is_improvement))
    assert info.is_improvement[0]
    assert not info.is_improvement.all()


def test_what_breaks_a_limit_improves_nothing() -> None:
    info = _get_sources_info(cell_study(30, limits={"flops": 50_000}), None, None)
    study = cell_study(30, limits={"flops": 50_000})
    improving = [study.trials[n] for n in np.flatnonzero(info.is_improvement)]
    assert all(t.constraints["max_flops"] <= 0 for t in improving)
    assert improving[-1].number == study.best_trial.number


def test_a_source_is_a_column_from_its_first_trial_to_its_last() -> None:
    info = _get_sources_info(cell_study(30), None, None)
    places = _places(info)
    for k, name in enumerate(info.sources):
        own = places[[source == name for source in info.source_of]]
        assert (np.diff(own) > 0).all()
        assert (np.abs(own - k) < 0.5).all()


def test_legend_and_colours_are_those_of_the_sources() -> None:
    figure = plot_sources(cell_study(30))
    bars = [trace for trace in figure.data if trace.type == "bar"]
    assert [bar.name for bar in bars] == [f"{source} (10)" for source in SOURCES]
    assert [bar.marker.color for bar in bars] == [source_color(source) for source in SOURCES]
    assert np.allclose(np.sum([bar.y for bar in bars], axis=0), 1.0)
    dots, stars = (trace for trace in figure.data if trace.type == "scatter")
    assert len(dots.x) + len(stars.x) == 30
    assert stars.name == "best so far"


def test_other_samplers_are_independent() -> None:
    info = _get_sources_info(flat_study(), None, None)
    assert info.sources == ("independent",)
    # Losses ascend: only the first trial was ever the best.
    assert np.flatnonzero(info.is_improvement).tolist() == [0]


def test_colours_differ() -> None:
    assert len(set(COLORS.values())) == len(COLORS)
    assert source_color("of a later version") == COLORS["independent"]


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"`target` must be one of .* but got 'speed'"):
        plot_sources(cell_study(2), target="speed")
    with pytest.raises(ValueError, match="no completed trial"):
        plot_sources(optuna.create_study())


@pytest.mark.parametrize("module", ["plotly.subplots", "plotly.graph_objects"])
def test_plotly_may_be_missing(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from optuna_dnas.visualization import plot_budget_front

    plots = {"plotly.subplots": plot_sources, "plotly.graph_objects": plot_budget_front}
    study = cell_study(2)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"optuna-dnas\[visualization\]"):
        plots[module](study)
