"""Search NASBench-101, look at the best cell, and at where it came from.

python examples/nasbench101.py nasbench_only108.tfrecord
"""

import sys

import optuna

from optuna_dnas import DNASSampler
from optuna_dnas.objectives import NASBench101Objective
from optuna_dnas.objectives import NASBench101Table
from optuna_dnas.search_space import ModelSpec


def main(path: str, n_trials: int = 150) -> None:
    """Search for the best validation accuracy, and report the test accuracy."""
    objective = NASBench101Objective(NASBench101Table.open(path, progress=True))
    sampler = DNASSampler(space=objective.space, seed=0)
    study = optuna.create_study(directions=objective.directions, sampler=sampler)
    study.optimize(objective, n_trials=n_trials)
    best = study.best_trial
    print(objective.space.draw(ModelSpec.parse(best.user_attrs["architecture"])))
    print(f"validation {best.value:.4f}, test {best.user_attrs['test_accuracy']:.4f}")
    print(f"proposed by {best.user_attrs['dnas:source']!r}")


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    main(sys.argv[1])
