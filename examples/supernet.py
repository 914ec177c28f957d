"""Train one network that holds all others, search it, and train the best one from scratch.

python examples/supernet.py
"""

from dataclasses import replace
from pathlib import Path
import tempfile

import optuna

from optuna_dnas import DNASSampler
from optuna_dnas.objectives import SupernetObjective
from optuna_dnas.objectives.supernet import MobileSupernet
from optuna_dnas.objectives.supernet import open_images
from optuna_dnas.objectives.supernet import retrain
from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.objectives.supernet import SupernetConfig
from optuna_dnas.objectives.supernet import train_supernet
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpec
from optuna_dnas.search_space import Stage


STAGES = (Stage(16, 2, 1), Stage(24, 2, 2), Stage(40, 2, 2))  # channels, most layers, stride


def main(directory: Path, *, steps: int = 300, n_trials: int = 30, epochs: int = 10) -> None:
    """On scikit-learn's digits, within 600,000 multiply-adds. Checkpoints are in a directory."""
    data = open_images("digits")
    shape = MobileNetShape.small(image_size=data.image_size)
    shape = replace(shape, stages=STAGES, kernels=(3, 5))
    config = SupernetConfig(steps=steps, learning_rate=0.3)
    trained = train_supernet(shape, data, config, directory / "supernet")

    objective = SupernetObjective(MobileSupernet(trained, data), limits={"flops": 600_000})
    sampler = DNASSampler(space=objective.space, seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=n_trials, show_progress_bar=True)

    best = study.best_trial
    spec = MobileNetSpec.parse(best.user_attrs["architecture"])
    network = retrain(shape, spec, data, RetrainConfig(epochs=epochs), directory / "best")
    print(objective.space.draw(spec))
    print(f"{best.user_attrs['flops']:,} multiply-adds, {best.user_attrs['params']:,} parameters")
    print(f"validation {best.value:.4f} with inherited weights", end=", ")
    print(f"{network.accuracies['validation'].top1:.4f} from scratch", end=", ")
    print(f"test {network.accuracies['test'].top1:.4f}")


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        main(Path(name))
