"""The figure of quality against cost."""

import itertools
from typing import Any

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial
import pytest

from optuna_dnas.search_space import Limits
from optuna_dnas.visualization import plot_budget_front
from optuna_dnas.visualization._budget_front import _BudgetFrontInfo
from optuna_dnas.visualization._budget_front import _get_budget_front_info
from optuna_dnas.visualization._colors import source_color
from tests.visualization.studies import cell_study
from tests.visualization.studies import flat_study
from tests.visualization.studies import SOURCES


PARETO = ("validation_accuracy", "flops")


def read(study: optuna.Study, **kwargs: Any) -> _BudgetFrontInfo:
    arguments = {"target": None, "cost": None, "margin": 0.05, "space": None} | kwargs
    return _get_budget_front_info(study, **arguments)


def add(
    study: optuna.Study, values: list[float], constraints: dict[str, float], **attrs: Any
) -> None:
    study.add_trial(
        create_trial(
            params={"x": 0.5},
            distributions={"x": FloatDistribution(0, 1)},
            values=values,
            constraints=constraints,
            user_attrs=attrs,
        )
    )


def test_multiply_adds_are_the_default() -> None:
    study = cell_study()
    info = read(study)
    assert info.metric == "validation_accuracy"
    assert info.budget.name == "flops"
    assert info.budget.amounts.tolist() == [t.user_attrs["flops"] for t in study.trials]
    assert info.values.tolist() == [t.value for t in study.trials]


def test_the_front_is_what_no_trial_beats() -> None:
    info = read(cell_study())
    amounts, values = info.budget.amounts, info.values
    for row in range(30):
        is_beaten = (amounts <= amounts[row]) & (values >= values[row])
        is_beaten &= (amounts < amounts[row]) | (values > values[row])
        assert (row in info.front) == (not is_beaten.any())
    assert (np.diff(amounts[info.front]) >= 0).all()


@pytest.mark.parametrize("limits", [None, {"flops": 100_000}])
def test_the_front_of_a_pareto_study_is_its_best_trials(limits: Limits | None) -> None:
    study = cell_study(metrics=PARETO, limits=limits)
    info = read(study)
    assert info.budget.name == "flops"
    assert sorted(info.front) == sorted(t.number for t in study.best_trials)


@pytest.mark.parametrize("directions", [*itertools.product(("minimize", "maximize"), repeat=2)])
def test_the_front_follows_the_directions(directions: tuple[str, str]) -> None:
    study = optuna.create_study(directions=directions)
    for first, second in np.random.default_rng(0).integers(0, 9, (40, 2)).astype(float):
        add(study, [first, second], {})
    info = read(study)
    assert (info.metric, info.budget.name) == ("value 0", "value 1")
    assert sorted(info.front) == sorted(t.number for t in study.best_trials)
    line = plot_budget_front(study).data[-1]
    assert line.name == "front"
    assert line.line.shape == ("hv" if directions[1] == "minimize" else "vh")


def test_the_cost_is_the_other_objective_wherever_it_stands() -> None:
    info = read(cell_study(metrics=("flops", "validation_accuracy")))
    assert (info.metric, info.budget.name) == ("validation_accuracy", "flops")


def test_two_of_three_objectives_can_be_chosen() -> None:
    study = cell_study(metrics=("validation_accuracy", "flops", "training_time"))
    info = read(study, target="training_time", cost="validation_accuracy")
    assert info.budget.sign == -1
    assert info.values.tolist() == [t.values[2] for t in study.trials]


def test_limits_are_read_from_constraints() -> None:
    study = cell_study(limits={"flops": 100_000})
    info = read(study, margin=0.1)
    assert info.budget.most == (100_000,)
    assert info.budget.least == ()
    assert info.edges == ((90_000, 100_000),)
    assert info.is_feasible.tolist() == [t.user_attrs["flops"] <= 100_000 for t in study.trials]
    assert set(info.front) <= set(np.flatnonzero(info.is_feasible))


def test_limits_are_lines_and_their_edge_is_shaded() -> None:
    shapes = plot_budget_front(cell_study(limits={"flops": 100_000})).layout.shapes
    assert sorted((shape.type, shape.x0, shape.x1) for shape in shapes) == [
        ("line", 100_000, 100_000),
        ("rect", 95_000, 100_000),
    ]
    assert not plot_budget_front(cell_study()).layout.shapes


def test_lower_limits_have_no_edge() -> None:
    study = optuna.create_study()
    for latency in (0.1, 0.2, 0.7):
        add(study, [latency], {"min_latency": 0.3 - latency}, latency=latency)
    info = read(study, cost="latency")
    assert info.budget.least == (0.3,)
    assert info.edges == ()
    assert info.is_feasible.tolist() == [False, False, True]


def test_a_constraint_is_a_cost_with_the_limit_zero() -> None:
    study = optuna.create_study()
    for excess in (-1.0, 0.0, 2.0):
        add(study, [excess], {"latency": excess})
    info = read(study, cost="latency")
    assert info.budget.amounts.tolist() == [-1, 0, 2]
    assert info.budget.most == (0.0,)


def test_trials_that_do_not_tell_the_cost_are_left_out() -> None:
    study = optuna.create_study()
    add(study, [1.0], {}, energy=3.0)
    add(study, [0.0], {})
    add(study, [2.0], {}, energy=True)
    add(study, [0.5], {}, energy=4.0)
    info = read(study, cost="energy")
    assert info.values.tolist() == [1.0, 0.5]
    assert info.front.tolist() == [0, 1]


def test_trials_have_the_colour_of_their_source() -> None:
    study = cell_study(limits={"flops": 100_000})
    figure = plot_budget_front(study)
    for source, trace in zip(SOURCES, figure.data, strict=False):
        assert trace.name == f"{source} (10)"
        assert trace.marker.color == source_color(source)
    symbols = [symbol for trace in figure.data[:3] for symbol in trace.marker.symbol]
    n_beyond = sum(t.constraints["max_flops"] > 0 for t in study.trials)
    assert symbols.count("circle-open") == n_beyond > 0
    assert figure.data[-1].name == "breaks a limit"


def test_hover_tells_the_trial() -> None:
    study = cell_study(3)
    for trial, text in zip(study.trials, read(study).hover, strict=True):
        assert f"<b>trial {trial.number}</b>" in text
        assert f"{100 * trial.value:.2f} %" in text
        assert f"{trial.user_attrs['flops']:,}" in text
        assert trial.user_attrs["architecture"] in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "speed"}, "`target` must be one of .* but got 'speed'"),
        ({"cost": "speed"}, "`cost` must be one of .*'flops'.* but got 'speed'"),
        ({"cost": "validation_accuracy"}, "`cost` must be .* but got 'validation_accuracy'"),
        ({"margin": 1.5}, r"`margin` must be in \[0, 1\), but got 1.5"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot_budget_front(cell_study(2), **arguments)


def test_without_any_cost() -> None:
    with pytest.raises(ValueError, match="`cost` must be kept by the trials"):
        plot_budget_front(flat_study())


def test_without_trials() -> None:
    with pytest.raises(ValueError, match="no completed trial"):
        plot_budget_front(optuna.create_study())
