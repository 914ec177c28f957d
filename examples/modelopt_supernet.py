"""Search in a network of your own: NVIDIA's modelopt makes a supernet of any PyTorch model.

pip install nvidia-modelopt requests
python examples/modelopt_supernet.py
"""

from collections.abc import Mapping
from copy import deepcopy
import random
from typing import Any

import modelopt.torch.nas as mtn
from modelopt.torch.opt.utils import named_hparams
import optuna
from optuna.distributions import BaseDistribution
from optuna.distributions import IntDistribution
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from optuna_dnas import DNASSampler
from optuna_dnas.objectives import SupernetObjective
from optuna_dnas.objectives.supernet import calibrate
from optuna_dnas.objectives.supernet import evaluate
from optuna_dnas.objectives.supernet import ImageData
from optuna_dnas.objectives.supernet import open_images
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import FlatSpace


CPU = torch.device("cpu")
RATIOS = (0.25, 0.5, 0.75, 1.0)
# What modelopt may change: the channels of convolutions, and how many blocks of a sequence remain.
RULES = {
    "nn.Conv2d": {"*": {"channels_ratio": RATIOS, "kernel_size": (), "channel_divisor": 8}},
    "nn.BatchNorm2d": {"*": {"features_ratio": RATIOS, "feature_divisor": 8}},
    "nn.Linear": {"*": {"features_ratio": RATIOS, "feature_divisor": 8}},
    "nn.Sequential": {"*": {"min_depth": 1}},
}


class Residual(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        y: torch.Tensor = (x + self.body(x)).relu()
        return y


def build_network() -> nn.Module:
    """A model as you may have one; it knows nothing of any search."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Sequential(Residual(32), Residual(32)),
        nn.Conv2d(32, 64, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Sequential(Residual(64), Residual(64)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


class ModelOptSupernet:
    """A `WeightSharingModel` of what modelopt has converted: its hyperparameters are the space.

    Args:
        network: Converted and trained.
        data: Its training images.
    """

    def __init__(self, network: nn.Module, data: ImageData) -> None:
        self._network, self._data = network, data
        choices = {name: hp.choices for name, hp in named_hparams(network, True, unique=True)}
        self.space = FlatSpace({name: equally_spaced(c) for name, c in choices.items()})
        self.largest = {name: max(c) for name, c in choices.items()}
        self.subnet = network

    def activate(self, architecture: Mapping[str, Any]) -> None:
        """Cut it out, as an ordinary model of its own."""
        mtn.select(self._network, architecture, strict=False)
        self.subnet = mtn.export(deepcopy(self._network)).eval()

    def cost(self) -> Cost:
        """Counted in a forward pass of one image."""
        (batch,) = self._data.batches("train", batch_size=1, device=CPU, n_images=1)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self.subnet(batch.images)
        n_params = sum(p.numel() for p in self.subnet.parameters())
        return Cost(flops=counter.get_total_flops() // 2, params=n_params)

    def evaluate(self) -> dict[str, float]:
        """With statistics of batch normalisation of its own."""
        images = self._data.batches("train", batch_size=256, device=CPU, n_images=512)
        calibrate(self.subnet, images)
        return {"validation_accuracy": self.accuracy("validation")}

    def accuracy(self, part: str) -> float:
        """Of the active subnet, as it has been calibrated."""
        return evaluate(self.subnet, self._data.batches(part, batch_size=256, device=CPU)).top1

    def digest(self) -> str:
        """All trials of this example are of one process."""
        return "modelopt"


def equally_spaced(choices: list[int]) -> BaseDistribution:
    """The distribution of what modelopt offers of channels and blocks."""
    return IntDistribution(choices[0], choices[-1], step=choices[1] - choices[0])


def train(network: nn.Module, data: ImageData, n_steps: int) -> None:
    """As always; modelopt activates another subnet at every step."""
    (whole,) = data.batches("train", batch_size=data.n_images("train"), device=CPU)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=n_steps)
    network.train()
    for _ in range(n_steps):
        rows = torch.randint(len(whole.labels), (64,))
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(whole.images[rows]), whole.labels[rows])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()


def main(n_steps: int = 500, n_trials: int = 50) -> None:
    """Print the best subnet of at most half of the multiply-adds, beside the whole network."""
    random.seed(0)  # modelopt's choice of subnets
    torch.manual_seed(0)
    data = open_images("digits")
    network = mtn.convert(build_network(), mode=[("autonas", RULES)])
    train(network, data, n_steps)

    model = ModelOptSupernet(network, data)
    model.activate(model.largest)
    limit = model.cost().flops // 2
    objective = SupernetObjective(model, limits={"flops": limit})
    study = optuna.create_study(
        direction="maximize", sampler=DNASSampler(space=objective.space, seed=0)
    )
    study.optimize(objective, n_trials=n_trials)
    for name, architecture in {"whole": model.largest, "best": study.best_params}.items():
        model.activate(architecture)
        accuracy, cost = model.evaluate()["validation_accuracy"], model.cost()
        print(f"{name:5}  validation {accuracy:.4f}  test {model.accuracy('test'):.4f}  ", end="")
        print(f"{cost.flops:,} multiply-adds  {cost.params:,} parameters")
    print(model.space.draw(study.best_params))


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    main()
