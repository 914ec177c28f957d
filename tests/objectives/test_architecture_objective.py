"""Metrics of objectives that others write."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import IntDistribution
from optuna.study import StudyDirection
import pytest

from optuna_dnas.objectives import ArchitectureObjective
from optuna_dnas.search_space import FlatSpace


SPACE = FlatSpace({"width": IntDistribution(1, 9)})
MAXIMIZE, MINIMIZE = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE


class Measured(ArchitectureObjective[dict[str, Any]]):
    """A metric is the width."""

    def __init__(self, metrics: Sequence[str], offered: Any) -> None:
        super().__init__(SPACE, measured=(), metrics=metrics, offered=offered)

    def _measure(self, architecture: Any, trial: optuna.Trial | None) -> dict[str, float]:
        return dict.fromkeys(self._metrics, float(architecture["width"]))


@pytest.mark.parametrize(
    ("offered", "directions"),
    [
        ({"psnr": "maximize", "latency": MINIMIZE}, [MAXIMIZE, MINIMIZE]),
        ({"psnr": MINIMIZE, "latency": "MAXIMIZE"}, [MINIMIZE, MAXIMIZE]),
    ],
)
def test_any_metric_can_be_optimized_in_any_direction(
    offered: Mapping[str, Any], directions: list[StudyDirection]
) -> None:
    objective = Measured(["psnr", "latency"], offered)
    assert objective.directions == directions
    study = optuna.create_study(directions=objective.directions)
    study.optimize(objective, n_trials=2)
    assert all(t.values == [t.params["width"]] * 2 for t in study.trials)


def test_directions_of_known_metrics_need_not_be_told() -> None:
    objective = Measured(["flops", "test_accuracy"], ("test_accuracy", "flops"))
    assert objective.directions == [MINIMIZE, MAXIMIZE]


@pytest.mark.parametrize(
    ("offered", "value"),
    [(("psnr",), "None"), ({"psnr": "up"}, "up"), ({"psnr": StudyDirection.NOT_SET}, "")],
)
def test_a_metric_of_unknown_direction_is_refused_at_once(offered: Any, value: str) -> None:
    message = (
        rf"`offered` must say the direction of 'psnr', as \{{'psnr': 'max.*, but got .*{value}"
    )
    with pytest.raises(ValueError, match=message):
        Measured(["psnr"], offered)


def test_metrics_are_of_those_offered() -> None:
    with pytest.raises(ValueError, match=r"`metrics` must be of \('psnr',\), but got 'ssim'"):
        Measured(["ssim"], {"psnr": "maximize"})
