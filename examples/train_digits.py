"""Train cells from scratch, and prune those that learn slowly.

python examples/train_digits.py
"""

import optuna

from optuna_dnas import DNASSampler
from optuna_dnas.objectives import CellTrainingObjective
from optuna_dnas.objectives import TrainingConfig
from optuna_dnas.objectives import TrainingData


def main(n_trials: int = 20) -> None:
    """Search the cells of up to 5 vertices on scikit-learn's digits."""
    objective = CellTrainingObjective(
        TrainingData.digits(), config=TrainingConfig(epochs=20), max_vertices=5
    )
    study = optuna.create_study(
        directions=objective.directions,
        sampler=DNASSampler(space=objective.space, seed=0),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=5, reduction_factor=2),
    )
    study.optimize(objective, n_trials=n_trials, show_progress_bar=True)
    best = study.best_trial
    print(f"validation {best.value:.4f}, test {best.user_attrs['test_accuracy']:.4f}")
    print(f"{best.user_attrs['flops']:,} multiply-adds: {best.user_attrs['architecture']}")


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    main()
