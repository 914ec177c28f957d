"""Whether the threads of a study record the values of their own subnets.

    python -m benchmarks.threads
    python -m benchmarks.threads --jobs 8 --trials 1000

Studies with ``n_jobs`` share one model: a mobile supernet, and the slimmable network of the
documentation of `WeightSharingModel`, both trained on the digits of scikit-learn for a moment.
Every value is then compared with that of the same subnet, evaluated with nobody else at work.
"""

from collections.abc import Callable
from pathlib import Path
import tempfile
from typing import Any
from typing import NamedTuple

import click
import numpy as np
import optuna
from optuna.distributions import IntDistribution
import torch
from torch.nn import functional as F

from benchmarks.options import POSITIVE
from optuna_dnas.objectives import SupernetObjective
from optuna_dnas.objectives import TrainingData
from optuna_dnas.objectives import WeightSharingModel
from optuna_dnas.objectives.supernet import MobileSupernet
from optuna_dnas.objectives.supernet import open_images
from optuna_dnas.objectives.supernet import SupernetConfig
from optuna_dnas.objectives.supernet import train_supernet
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import MobileNetShape


_N_NEURONS = 64


class Comparison(NamedTuple):
    """Values of a study against those of the same subnets alone."""

    n_trials: int
    n_wrong: int
    largest_error: float


class SlimmableModel:
    """One hidden layer, of which the first neurons are used."""

    space = FlatSpace({"width": IntDistribution(1, _N_NEURONS)})

    def __init__(self, data: TrainingData, n_steps: int) -> None:
        generator = torch.Generator().manual_seed(0)
        images, labels = data.part("train")
        n_pixels = images[0].numel()
        sizes = ((n_pixels, _N_NEURONS), (_N_NEURONS,), (_N_NEURONS, data.n_classes))
        weights = [0.1 * torch.randn(size, generator=generator) for size in sizes]
        self.weights = [weight.requires_grad_() for weight in weights]
        optimizer = torch.optim.Adam(self.weights, lr=0.01)
        for step in range(n_steps):
            optimizer.zero_grad()
            self.width = 1 + step % _N_NEURONS
            loss = F.cross_entropy(self._logits(images), labels)
            torch.autograd.backward(loss)
            optimizer.step()
        self.images, self.labels = data.part("validation")

    def activate(self, architecture: dict[str, Any]) -> None:
        self.width = architecture["width"]

    def cost(self) -> Cost:
        n_weights = self.width * (len(self.weights[0]) + self.weights[2].shape[1])
        return Cost(flops=n_weights, params=n_weights + self.width)

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        hits = self._logits(self.images).argmax(dim=1) == self.labels
        return {"validation_accuracy": hits.float().mean().item()}

    def digest(self) -> str:
        return "digits"

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        first, bias, last = self.weights
        neurons = (images.flatten(1) @ first + bias).relu()[:, : self.width]
        return neurons @ last[: self.width]


def slimmable_model() -> SlimmableModel:
    """A slimmable network that has learned something."""
    return SlimmableModel(TrainingData.digits(), n_steps=640)


def mobile_supernet() -> MobileSupernet:
    """A mobile supernet that has learned something."""
    data = open_images("digits")
    shape = MobileNetShape.small(image_size=8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "supernet"
        config = SupernetConfig(steps=60, seed=0)
        return MobileSupernet(train_supernet(shape, data, config, path, progress=False), data)


MODELS: dict[str, Callable[[], WeightSharingModel[Any]]] = {
    "mobile": mobile_supernet,
    "slimmable": slimmable_model,
}


def compare(model: WeightSharingModel[Any], *, n_jobs: int, n_trials: int) -> Comparison:
    """Search at random in threads, and evaluate all again in one."""
    objective = SupernetObjective(model)
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(directions=objective.directions, sampler=sampler)
    study.optimize(objective, n_trials=n_trials, n_jobs=n_jobs)
    values = [trial.value for trial in study.trials]
    errors = np.abs(np.array(values) - [objective.evaluate(t.params) for t in study.trials])
    return Comparison(len(errors), int(np.count_nonzero(errors)), float(errors.max()))


@click.command(context_settings={"show_default": True})
@click.option("--jobs", type=POSITIVE, default=4, help="Threads of a study.")
@click.option("--trials", type=POSITIVE, default=200, help="Of a study.")
def main(jobs: int, trials: int) -> None:
    """Count the wrong values of a study in threads, by model."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    click.echo(f"{jobs} jobs, {torch.get_num_threads()} threads of PyTorch")
    for name, make in MODELS.items():
        n_trials, n_wrong, largest = compare(make(), n_jobs=jobs, n_trials=trials)
        click.echo(f"{name}: {n_wrong} of {n_trials} values wrong, by up to {largest:.3f}")


if __name__ == "__main__":
    main()
