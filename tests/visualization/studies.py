"""Studies without a search: real cells of the digits, and a made-up flat space."""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
from optuna.trial import create_trial

from optuna_dnas._declaration import declare_metrics
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.search_space import Limits
from tests.trials import sample_cells


SOURCES = ("startup", "dense", "local")


def cell_study(
    n: int = 30,
    *,
    metrics: Sequence[str] = ("validation_accuracy",),
    limits: Limits | None = None,
    user_attrs: dict[str, Any] | None = None,
) -> optuna.Study:
    """Different cells of up to 5 vertices; every third trial has the same source."""
    objective = DigitsCellObjective(metrics=metrics, limits=limits)
    study = optuna.create_study(directions=objective.directions)
    study.set_metric_names(objective.metric_names)
    declare_metrics(study, objective.offered)
    for k, params in enumerate(sample_cells(n)):
        values = objective.evaluate(params)
        spec = objective.space.params_to_architecture(params)
        cost = objective.space.cost(spec)
        known = {"architecture": str(spec), "flops": cost.flops, "params": cost.params}
        study.add_trial(
            create_trial(
                params=params,
                distributions=objective.search_space,
                values=values if isinstance(values, tuple) else [values],
                user_attrs=known | {"dnas:source": SOURCES[k % 3]} | (user_attrs or {}),
                constraints=objective.evaluate_constraints(params),
            )
        )
    return study


FLAT: dict[str, BaseDistribution] = {
    "rate": FloatDistribution(1e-4, 1.0, log=True),
    "depth": IntDistribution(1, 5),
    "kind": CategoricalDistribution(("adam", "sgd")),
    "momentum": FloatDistribution(0.0, 1.0),
}


def flat_study(n: int = 20) -> optuna.Study:
    """A loss of parameters, of which ``momentum`` is there for one ``kind`` only."""
    study = optuna.create_study()
    for k in range(n):
        params = {"rate": 10 ** (-4 + 4 * k / n), "depth": 1 + k % 5, "kind": "adam"}
        if k % 2:
            params |= {"kind": "sgd", "momentum": k / n}
        distributions = {name: FLAT[name] for name in params}
        study.add_trial(create_trial(params=params, distributions=distributions, value=float(k)))
    return study
