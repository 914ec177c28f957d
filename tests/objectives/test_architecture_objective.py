"""Metrics of objectives that others write."""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import IntDistribution
from optuna.study import StudyDirection
import pytest

from optuna_dnas._declaration import declared_metrics
from optuna_dnas._declaration import METRICS_KEY
from optuna_dnas.objectives import ArchitectureObjective
from optuna_dnas.objectives import Metric
from optuna_dnas.search_space import FlatSpace


SPACE = FlatSpace({"width": IntDistribution(1, 9)})


class Measured(ArchitectureObjective[dict[str, Any]]):
    """A metric is the width."""

    offered = (Metric("psnr", unit="dB"), Metric("latency", "minimize", "ms"))

    def __init__(self, metrics: Sequence[str], **options: Any) -> None:
        super().__init__(SPACE, measured=(), metrics=metrics, **options)

    def _measure(self, architecture: Any, trial: optuna.Trial | None) -> dict[str, float]:
        return dict.fromkeys(self._metrics, float(architecture["width"]))


@pytest.mark.parametrize("metrics", [["psnr", "latency"], ["latency", "psnr"]])
def test_any_metric_can_be_optimized_in_its_direction(metrics: Sequence[str]) -> None:
    objective = Measured(metrics)
    wanted = {"psnr": StudyDirection.MAXIMIZE, "latency": StudyDirection.MINIMIZE}
    assert objective.directions == [wanted[name] for name in metrics]
    assert objective.metric_names == metrics
    study = optuna.create_study(directions=objective.directions)
    study.optimize(objective, n_trials=2)
    assert all(t.values == [t.params["width"]] * 2 for t in study.trials)


def test_a_study_keeps_what_is_measured() -> None:
    study = optuna.create_study()
    assert declared_metrics(study) == ()
    study.optimize(Measured(["latency"]), n_trials=1)
    assert declared_metrics(study) == Measured.offered
    study.set_user_attr(METRICS_KEY, '[{"name": "psnr", "direction": "up"}]')
    assert declared_metrics(study) == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("",), "`name` of a metric must not be empty, but got ''"),
        (("psnr", "up"), "`direction` of 'psnr' must be 'maximize' or .*, but got 'up'"),
    ],
)
def test_a_metric_that_says_too_little_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Metric(*arguments)


def test_metrics_are_of_those_offered() -> None:
    message = r"`metrics` must be of \('psnr', 'latency'\), but got 'ssim'"
    with pytest.raises(ValueError, match=message):
        Measured(["ssim"])


def test_limits_need_a_space_that_knows_costs() -> None:
    with pytest.raises(ValueError, match=r"`limits` need a `cost`, but got .*'flops'.* and none"):
        Measured(["psnr"], limits={"flops": 5})
