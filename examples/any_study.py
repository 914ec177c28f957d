"""An ordinary study, conditional parameters included: nothing but the sampler changes.

python examples/any_study.py
"""

import optuna

from optuna_dnas import DNASSampler


def objective(trial: optuna.Trial) -> float:
    """A made-up validation loss of a small network."""
    rate = trial.suggest_float("rate", 1e-5, 1.0, log=True)
    n_layers = trial.suggest_int("n_layers", 1, 3)
    optimizer = trial.suggest_categorical("optimizer", ["adam", "sgd"])
    loss = abs(n_layers - 2) * 0.1 + abs(rate - 0.01)
    for layer in range(n_layers):
        loss += abs(trial.suggest_int(f"width_{layer}", 16, 128, step=16) - 64) / 1000
    if optimizer == "sgd":
        loss += abs(trial.suggest_float("momentum", 0.0, 1.0) - 0.9)
    return loss


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=DNASSampler(seed=0))
    study.optimize(objective, n_trials=60)
    print(f"loss {study.best_value:.4f} with {study.best_params}")
