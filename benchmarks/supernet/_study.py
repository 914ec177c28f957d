"""What all parts of the experiment share: the space, the data, the settings, the files."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from functools import partial
import hashlib
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.workers import map_unordered
from optuna_dnas.objectives.supernet import ImageData
from optuna_dnas.objectives.supernet import MobileSupernet
from optuna_dnas.objectives.supernet import open_images
from optuna_dnas.objectives.supernet import retrain
from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.objectives.supernet import RetrainedNetwork
from optuna_dnas.objectives.supernet import SupernetConfig
from optuna_dnas.objectives.supernet import train_supernet
from optuna_dnas.objectives.supernet import TrainedSupernet
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec


# Between the cheapest and the dearest architecture.
LEVELS = (0.25, 0.50, 0.75)
_N_DRAWN = 20_000


@dataclass(frozen=True)
class Experiment:
    """Fashion-MNIST, and a directory that holds what has been done.

    Args:
        images: The folder of the four IDX files.
        directory: Of the results. What is there is not done again.
        n_validation_images: Of one evaluation.
        device: Of all trainings and evaluations.
        jobs: Processes, where there are several networks or searches.
    """

    images: Path
    directory: Path
    n_validation_images: int
    device: str = "cpu"
    jobs: int = 1

    @property
    def shape(self) -> MobileNetShape:
        """The reduced space: 66,564 networks of .2 to 2 million multiply-adds."""
        return MobileNetShape.small(image_size=28)

    @property
    def data(self) -> ImageData:
        """20,000 of the 60,000 training images to train on, 40,000 held out."""
        return _read_images(self.images)

    @property
    def supernet_path(self) -> Path:
        """The checkpoint."""
        return self.directory / "supernet.safetensors"

    def train(self, config: SupernetConfig) -> TrainedSupernet:
        """Train the supernet, or go on with it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        return train_supernet(
            self.shape, self.data, config, self.supernet_path, device=self.device
        )

    def open_model(self) -> MobileSupernet:
        """The trained supernet, ready for evaluations."""
        return MobileSupernet(
            TrainedSupernet.load(self.supernet_path),
            self.data,
            device=self.device,
            n_calibration_images=512,
            n_validation_images=self.n_validation_images,
        )

    def retrain(
        self, specs: Sequence[MobileNetSpec], config: RetrainConfig
    ) -> list[RetrainedNetwork]:
        """Train each architecture from scratch, once, unless that is done."""
        distinct = list(dict.fromkeys(specs))
        trained = map_unordered(partial(retrain_one, self, config), distinct, self.jobs)
        for _ in tqdm(trained, total=len(distinct), unit="network", desc="from scratch"):
            pass
        return [RetrainedNetwork.load(self.network_path(spec)) for spec in specs]

    def network_path(self, spec: MobileNetSpec) -> Path:
        """The checkpoint of an architecture that is trained from scratch."""
        name = hashlib.sha256(str(spec).encode()).hexdigest()[:16]
        return self.directory / "networks" / f"{name}.safetensors"

    def limits(self) -> tuple[int, ...]:
        """The three levels, multiply-adds."""
        low, high = (cost.flops for cost in MobileNetSpace(self.shape).cost_range)
        return tuple(int(low + level * (high - low)) for level in LEVELS)

    def architectures(self, n: int, *, uniform: bool) -> list[MobileNetSpec]:
        """From cheap to dear in equal steps; or uniform ones, which differ less."""
        space, rng = MobileNetSpace(self.shape), np.random.default_rng(1)
        if uniform:
            return space.sample(rng, n)
        tokens = space.sample_tokens(_N_DRAWN, rng)
        flops = space.token_costs(tokens)[:, 0]
        wanted = np.linspace(flops.min(), flops.max(), n)
        nearest = np.abs(flops[:, None] - wanted).argmin(axis=0)
        return space.tokens_to_architectures(tokens[nearest])


def retrain_one(experiment: Experiment, config: RetrainConfig, spec: MobileNetSpec) -> float:
    """Train an architecture from scratch, in this process; images a second, 0 if it was done."""
    path = experiment.network_path(spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    network = retrain(
        experiment.shape,
        spec,
        experiment.data,
        config,
        path,
        device=experiment.device,
        progress=False,
    )
    return network.images_per_second


@cache
def _read_images(folder: Path) -> ImageData:
    return open_images("idx", folder, validation_fraction=2 / 3, seed=0)
