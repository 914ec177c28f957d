"""Search in a space of your own: MLPs of one to six layers, trained on scikit-learn's digits.

    python examples/own_space.py

The learning rate and the dropout are searched together with the layers. What is minimised is the
loss: hundreds of these networks differ by an error or two of 797, which is less than what another
seed changes.
"""

import optuna
from sklearn.datasets import load_digits
import torch
from torch import nn

from optuna_dnas import DNASSampler
from optuna_dnas.search_space import Architecture
from optuna_dnas.search_space import ArchitectureSpace
from optuna_dnas.search_space import Choice
from optuna_dnas.search_space import Repeat


SPACE = ArchitectureSpace(
    layers=Repeat(
        {"width": Choice(8, 16, 32, 64, 128), "activation": Choice("relu", "gelu", "tanh")},
        depth=(1, 6),
    ),
    norm=Choice(False, True),
)
ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


def build(architecture: Architecture, dropout: float) -> nn.Sequential:
    """A network of 64 pixels and ten classes."""
    modules: list[nn.Module] = []
    n_inputs = 64
    for layer in architecture.layers:
        modules.append(nn.Linear(n_inputs, layer.width))
        if architecture.norm:
            modules.append(nn.BatchNorm1d(layer.width))
        modules += [ACTIVATIONS[layer.activation](), nn.Dropout(dropout)]
        n_inputs = layer.width
    return nn.Sequential(*modules, nn.Linear(n_inputs, 10))


class Objective:
    """Validation loss after some epochs; a seed of its own for each trial."""

    def __init__(self, n_epochs: int = 12, batch_size: int = 64) -> None:
        digits = load_digits()
        order = torch.randperm(len(digits.data), generator=torch.Generator().manual_seed(0))
        pixels = torch.tensor(digits.data, dtype=torch.float32)[order] / 16
        labels = torch.tensor(digits.target)[order]
        self.train, self.validation = (
            (pixels[rows], labels[rows]) for rows in (slice(1_000), slice(1_000, None))
        )
        self.n_epochs, self.batch_size = n_epochs, batch_size

    def __call__(self, trial: optuna.Trial) -> float:
        torch.manual_seed(trial.number)
        architecture = SPACE.suggest(trial)
        rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
        network = build(architecture, trial.suggest_float("dropout", 0.0, 0.5))
        optimizer = torch.optim.AdamW(network.parameters(), lr=rate)
        pixels, labels = self.train
        for _ in range(self.n_epochs):
            network.train()
            for rows in torch.split(torch.randperm(len(labels)), self.batch_size):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(network(pixels[rows]), labels[rows])
                torch.autograd.backward(loss)
                optimizer.step()
        network.eval()
        pixels, labels = self.validation
        with torch.no_grad():
            logits = network(pixels)
            loss = nn.functional.cross_entropy(logits, labels)
        trial.set_user_attr("accuracy", float((logits.argmax(dim=1) == labels).float().mean()))
        return float(loss)


def main(n_trials: int = 60) -> None:
    """Print the best network, and what it was trained with."""
    study = optuna.create_study(direction="minimize", sampler=DNASSampler(space=SPACE, seed=0))
    study.optimize(Objective(), n_trials=n_trials)
    params = study.best_params
    print(SPACE.draw(SPACE.params_to_architecture(params)))
    print(f"rate {params['rate']:.2g}, dropout {params['dropout']:.2f}")
    accuracy = study.best_trial.user_attrs["accuracy"]
    print(f"validation loss {study.best_value:.4f}, accuracy {accuracy:.4f}")


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    torch.set_num_threads(1)
    main()
