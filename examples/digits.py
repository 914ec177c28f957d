"""Trade accuracy for multiply-adds, on the cells that come with the package.

python examples/digits.py
"""

import optuna

from optuna_dnas import DNASSampler
from optuna_dnas.objectives import DigitsCellObjective


def main(n_trials: int = 100) -> None:
    """Print the Pareto front, the cheapest cell first."""
    objective = DigitsCellObjective(metrics=["validation_accuracy", "flops"])
    study = optuna.create_study(
        directions=objective.directions, sampler=DNASSampler(space=objective.space, seed=0)
    )
    study.optimize(objective, n_trials=n_trials)
    for trial in sorted(study.best_trials, key=lambda t: t.values[1]):
        accuracy, flops = trial.values
        print(f"{accuracy:.4f}  {flops:9,.0f}  {trial.user_attrs['architecture']}")


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    main()
