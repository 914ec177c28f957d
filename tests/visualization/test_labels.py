"""Metrics and costs in words."""

import numpy as np
import optuna
from optuna.distributions import IntDistribution
from optuna.trial import create_trial
import pytest

from optuna_dnas._declaration import declare_metrics
from optuna_dnas.interpret import evaluated
from optuna_dnas.objectives import LATENCY
from optuna_dnas.objectives import Metric
from optuna_dnas.objectives import SHARE
from optuna_dnas.visualization import quantity

from .studies import cell_study


UNITS = {"latency": "ms", "top_5": SHARE, "speed": "images/s", "score": ""}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("latency", "latency in milliseconds 0.25"),
        ("top_5", "top 5 25.00 %"),
        ("speed", "speed in images/s 0.25"),
        ("score", "score 0.25"),
        ("test_accuracy", "test_accuracy 0.25"),  # in percent, for all that anybody knows
        ("flops", "multiply-adds 0"),
    ],
)
def test_a_number_has_the_unit_of_its_metric(name: str, text: str) -> None:
    assert quantity(name, UNITS).text(0.25) == text


def test_units_come_from_the_objective_of_the_study() -> None:
    data = evaluated(cell_study(5))
    assert data.units["validation_accuracy"] == SHARE
    assert data.cost_names == ("flops", "params")
    assert data.costs.shape == (5, 2)


def test_costs_that_only_trials_know_are_read_from_them() -> None:
    """Of what is declared, all that is to be small, and recorded of every trial."""
    study = optuna.create_study(direction="maximize")
    metrics = (Metric("psnr"), Metric("memory_mb", "minimize"), Metric("joules", "minimize"))
    declare_metrics(study, (*metrics, LATENCY))
    for k in range(3):
        study.add_trial(
            create_trial(
                params={"width": k},
                distributions={"width": IntDistribution(0, 9)},
                value=float(k),
                user_attrs={"memory_mb": 2.0 * k, "psnr": 1.0} | ({"joules": 1} if k else {}),
            )
        )
    data = evaluated(study)
    assert data.cost_names == ("memory_mb",)
    np.testing.assert_array_equal(data.costs, [[0.0], [2.0], [4.0]])


def test_a_study_that_declares_nothing_has_no_units() -> None:
    study = optuna.create_study()
    distribution = IntDistribution(0, 9)
    study.add_trial(
        create_trial(params={"width": 1}, distributions={"width": distribution}, value=1.0)
    )
    data = evaluated(study)
    assert (data.units, data.cost_names, data.costs.shape) == ({}, (), (1, 0))
