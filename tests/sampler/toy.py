"""What the tests of `DNASSampler` share: small studies, and what is read from them."""

import json
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import Trial
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import NASBench101Space


CELLS = NASBench101Space(max_vertices=5)
GRID: dict[str, BaseDistribution] = {
    "op": CategoricalDistribution(("conv", "pool")),
    "depth": IntDistribution(1, 4),
    "width": IntDistribution(8, 32, step=8),
}
N_GRID_POINTS = 2 * 4 * 4
SOURCES = {"startup", "dense", "local", "prior", "gradient", "edge", "mutation"}
MODEL_SOURCES = SOURCES - {"startup"}

Kind = str  # "flat" or "cell"
BOTH_KINDS = pytest.mark.parametrize("kind", ["flat", "cell"])


def flat_objective(trial: Trial) -> float:
    kind = trial.suggest_categorical("kind", ["conv", "pool"])
    width = trial.suggest_int("width", 1, 64, log=True)
    x = trial.suggest_float("x", -1.0, 1.0)
    if kind == "conv":
        return x**2 + 1 / width + trial.suggest_float("rate", 1e-3, 1.0, log=True)
    return x**2 + 1 / width + 0.1 * trial.suggest_int("stride", 1, 4)


def cell_objective(trial: Trial) -> float:
    """Millions of parameters; a cell that is none is pruned."""
    try:
        cell = CELLS.suggest(trial)
    except OutOfDomainError:
        raise optuna.TrialPruned from None
    return CELLS.cost(cell).params / 1e6


def grid_objective(trial: Trial) -> float:
    op = trial.suggest_categorical("op", ["conv", "pool"])
    depth = trial.suggest_int("depth", 1, 4)
    width = trial.suggest_int("width", 8, 32, step=8)
    return depth + width / 8 + (op == "pool")


OBJECTIVES = {"flat": flat_objective, "cell": cell_objective}


def make_sampler(
    kind: Kind, config: DNASConfig, seed: int = 0, *, n_startup_trials: int = 8, **kwargs: Any
) -> DNASSampler:
    """A sampler that asks its model from trial 8 on, one round being 10 trials."""
    space = CELLS if kind == "cell" else None
    return DNASSampler(
        seed=seed, space=space, config=config, n_startup_trials=n_startup_trials, **kwargs
    )


def run(kind: Kind, sampler: BaseSampler, n_trials: int = 22, **kwargs: Any) -> optuna.Study:
    study = optuna.create_study(sampler=sampler, **kwargs)
    study.optimize(OBJECTIVES[kind], n_trials=n_trials)
    return study


def params_of(study: optuna.Study) -> list[dict[str, Any]]:
    return [trial.params for trial in study.trials]


def sources_of(study: optuna.Study) -> list[str | None]:
    return [trial.user_attrs.get("dnas:source") for trial in study.trials]


def n_different(study: optuna.Study) -> int:
    return len({json.dumps(params, sort_keys=True) for params in params_of(study)})


def n_different_cells(study: optuna.Study) -> int:
    return len({CELLS.hash(CELLS.params_to_architecture(p)) for p in params_of(study)})
