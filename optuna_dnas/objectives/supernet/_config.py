"""How supernets and single networks are trained."""

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import fields
import math
from typing import Any
from typing import TypeVar

from optuna_dnas._checks import check_not_negative
from optuna_dnas._checks import check_positive
from optuna_dnas.objectives.supernet._paths import PATH_SAMPLERS
from optuna_dnas.objectives.training import PRECISIONS


ConfigT = TypeVar("ConfigT", bound="OptimizationConfig")

# These say how a training is run, not what it computes.
_BY_THE_WAY = ("checkpoint_interval",)


@dataclass(frozen=True, kw_only=True)
class OptimizationConfig:
    """Stochastic gradient descent with Nesterov's momentum; defaults for small images.

    Args:
        batch_size: Images of a step, over all processes.
        n_accumulation: Parts in which each process works off its share of a step, so that it
            fits into memory. Batch normalisation sees one part at a time.
        learning_rate: The highest; it rises linearly, then falls to 0 along a cosine.
        warm_up: Share of the steps in which it rises.
        momentum: Of the gradients.
        weight_decay: L2 penalty on the weights of convolutions and the dense layer.
        label_smoothing: Probability that the loss spreads over all classes.
        gradient_clip: The longest gradient; `None`: any.
        ema_decay: Evaluate a moving average of the weights with this decay a step; `None`: the
            weights themselves.
        dropout: Before the dense layer.
        precision: Of the training, and of what measures it: ``"auto"`` (bfloat16 or float16 on
            CUDA, else single), ``"single"``, ``"float16"`` or ``"bfloat16"``.
        checkpoint_interval: Steps from one checkpoint to the next; at the end there is always
            one.
        seed: Decides weights, order and augmentation of images, and subnets.
    """

    batch_size: int = 64
    n_accumulation: int = 1
    learning_rate: float = 0.1
    warm_up: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 4e-5
    label_smoothing: float = 0.1
    gradient_clip: float | None = 5.0
    ema_decay: float | None = None
    dropout: float = 0.0
    precision: str = "auto"
    checkpoint_interval: int = 1_000
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(self, "batch_size", "n_accumulation", "checkpoint_interval")
        check_positive(self, "learning_rate")
        check_not_negative(self, "weight_decay", "seed")
        for name in ("warm_up", "momentum", "label_smoothing", "dropout"):
            _check_below_one(name, getattr(self, name))
        if self.ema_decay is not None:
            _check_below_one("ema_decay", self.ema_decay)
        if self.gradient_clip is not None:
            check_positive(self, "gradient_clip")
        if self.precision not in PRECISIONS:
            raise ValueError(f"`precision` must be of {PRECISIONS}, but got {self.precision!r}.")
        for name in ("learning_rate", "weight_decay"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"`{name}` must be finite, but got {getattr(self, name)}.")

    @classmethod
    def from_dict(cls: type[ConfigT], values: Mapping[str, Any]) -> ConfigT:
        """The inverse of `dataclasses.asdict`, also after JSON.

        Raises:
            ValueError: A value is missing, unknown or impossible.
        """
        names = {field.name for field in fields(cls)}
        if values.keys() != names:
            raise ValueError(f"`config` has {sorted(names)}, but got {sorted(values)}.")
        return cls(**values)

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the outcome: equal for trainings of which one can go on with the other."""
        return {key: v for key, v in asdict(self).items() if key not in _BY_THE_WAY}

    def learning_rate_at(self, progress: float) -> float:
        """The learning rate after a share of the training, from 0 to 1."""
        if progress < self.warm_up:
            return self.learning_rate * progress / self.warm_up
        falling = (progress - self.warm_up) / (1 - self.warm_up)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * falling))


@dataclass(frozen=True, kw_only=True)
class SupernetConfig(OptimizationConfig):
    """How a supernet is trained.

    Args:
        steps: Steps of the optimizer.
        sampling: Which subnets a step trains: ``"uniform"``, one random subnet (Guo et al.,
            *Single Path One-Shot*, 2019); ``"fair"``, as many as a layer has choices, so that
            each is trained once (Chu et al., *FairNAS*, 2019); ``"sandwich"``, the largest, the
            smallest and ``n_random`` random ones (Yu & Huang, 2019).
        n_random: Random subnets of a sandwich.
    """

    steps: int = 2_000
    # Every weight is in few of the steps.
    learning_rate: float = 0.5
    sampling: str = "uniform"
    n_random: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "steps")
        check_not_negative(self, "n_random")
        if self.sampling not in PATH_SAMPLERS:
            raise ValueError(
                f"`sampling` must be of {tuple(PATH_SAMPLERS)}, but got {self.sampling!r}."
            )

    @classmethod
    def imagenet(cls) -> "SupernetConfig":
        """60,000 steps, as the paper says; it is silent about the rest.

        Batches of 1,024 images, 256 for each of its 4 GPUs, are 48 epochs.
        """
        return cls(steps=60_000, batch_size=1_024, warm_up=0.02)


@dataclass(frozen=True, kw_only=True)
class RetrainConfig(OptimizationConfig):
    """How a single network is trained from scratch.

    Args:
        epochs: Passes over the training images; what does not fill a batch is left out of one.
        validation_interval: Epochs from one validation to the next; at the end there is always
            one.
    """

    epochs: int = 30
    validation_interval: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "epochs", "validation_interval")

    @classmethod
    def imagenet(cls) -> "RetrainConfig":
        """300 epochs, as the paper says; the rest as is usual for mobile networks."""
        return cls(
            epochs=300,
            batch_size=1_024,
            learning_rate=0.5,
            warm_up=5 / 300,
            ema_decay=0.9999,
            dropout=0.2,
            validation_interval=5,
        )


def _check_below_one(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"`{name}` must be in [0, 1), but got {value}.")
