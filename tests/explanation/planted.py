"""Studies in which it is known what decides."""

from functools import cache
import math

import numpy as np
import optuna

from optuna_dnas import DNASSampler
from optuna_dnas.search_space import NASBench101Space


SPACE = NASBench101Space(max_vertices=5)


@cache
def planted_cells() -> optuna.Study:
    """2 for a skip from input to output, 1 for each 3x3 convolution."""
    rng = np.random.default_rng(0)

    def objective(trial: optuna.Trial) -> float:
        cell = SPACE.canonical(SPACE.suggest(trial))
        has_skip = cell.matrix[0, -1] and len(cell.ops) > 2
        n_convolutions = cell.ops.count("conv3x3-bn-relu")
        return float(2 * has_skip + n_convolutions + 0.01 * rng.standard_normal())

    study = optuna.create_study(direction="maximize", sampler=DNASSampler(space=SPACE, seed=0))
    study.optimize(objective, n_trials=60)
    return study


def negated(study: optuna.Study) -> optuna.Study:
    """The same with a loss."""
    losses = optuna.create_study(direction="minimize")
    for trial in study.get_trials():
        trial.values = [-value for value in trial.values]
        losses.add_trial(trial)
    return losses


@cache
def planted_parameters() -> optuna.Study:
    """A loss of two of six parameters: ``rate`` best at 0.01, ``kind`` best where it is "a"."""

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
        kind = trial.suggest_categorical("kind", ("a", "b", "c"))
        trial.suggest_float("p", 0.0, 1.0)
        trial.suggest_float("q", 0.0, 1.0)
        trial.suggest_int("n", 1, 8)
        trial.suggest_categorical("z", ("u", "v"))
        return (math.log10(rate) + 2) ** 2 + "abc".index(kind)

    study = optuna.create_study(sampler=DNASSampler(seed=0))
    study.optimize(objective, n_trials=80)
    return study
