"""How a cell is trained."""

from dataclasses import asdict
from dataclasses import dataclass
import math
from typing import Any

import torch
from torch import nn

from optuna_dnas._checks import check_positive


OPTIMIZERS = ("sgd", "rmsprop")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The network around the cell, and its training. The defaults suit small grey images.

    Args:
        stem_channels: Channels of the stem and of the first stack.
        n_stacks: Stacks; each halves the image and doubles the channels of the one before it.
        n_modules: Modules of a stack.
        epochs: Passes over the training images.
        batch_size: Images of a step. What is left over at the end of an epoch is not used in it.
        optimizer: ``"sgd"``, or ``"rmsprop"`` with the published ``epsilon`` of 1.
        learning_rate: At the start; it falls to 0 along a cosine.
        momentum: Of the optimizer.
        weight_decay: L2 penalty on all parameters.
        label_smoothing: Probability that the loss spreads over all classes.
        batch_norm_momentum: How much a batch counts in the running mean and variance.
        validation_interval: Epochs from one validation to the next; halfway and at the end there
            is always one.
    """

    stem_channels: int = 8
    n_stacks: int = 3
    n_modules: int = 1
    epochs: int = 20
    batch_size: int = 64
    optimizer: str = "sgd"
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    batch_norm_momentum: float = 0.1
    validation_interval: int = 1

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"`optimizer` must be of {OPTIMIZERS}, but got {self.optimizer!r}.")
        check_positive(self, "stem_channels", "n_stacks", "n_modules")
        check_positive(self, "epochs", "validation_interval")
        if self.batch_size < 2:
            raise ValueError(f"`batch_size` must be at least 2, but got {self.batch_size}.")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"`learning_rate` must be positive, but got {self.learning_rate}.")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"`weight_decay` must not be negative, but got {self.weight_decay}.")
        for name in ("momentum", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be in [0, 1), but got {getattr(self, name)}.")
        if not 0 < self.batch_norm_momentum <= 1:
            raise ValueError(
                f"`batch_norm_momentum` must be in (0, 1], but got {self.batch_norm_momentum}."
            )

    @classmethod
    def published(cls) -> "TrainingConfig":
        """NASBench-101 on CIFAR-10 (Ying et al., 2019, table 3), but without augmentation."""
        return cls(
            stem_channels=128,
            n_stacks=3,
            n_modules=3,
            epochs=108,
            batch_size=256,
            optimizer="rmsprop",
            learning_rate=0.2,
            momentum=0.9,
            weight_decay=1e-4,
            batch_norm_momentum=0.003,
        )

    @property
    def halfway(self) -> int:
        """The epoch after which half of the training is done."""
        return (self.epochs + 1) // 2

    def is_validated(self, epoch: int) -> bool:
        """Whether validation accuracy is measured after this epoch, counted from 1."""
        return epoch % self.validation_interval == 0 or epoch in (self.halfway, self.epochs)

    def learning_rate_at(self, progress: float) -> float:
        """The learning rate after a share of the training, from 0 to 1."""
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))

    def build_optimizer(self, module: nn.Module) -> torch.optim.Optimizer:
        """An optimizer of all parameters of ``module``."""
        options: dict[str, Any] = {
            "lr": self.learning_rate,
            "momentum": self.momentum,
            "weight_decay": self.weight_decay,
        }
        if self.optimizer == "rmsprop":
            return torch.optim.RMSprop(module.parameters(), alpha=0.9, eps=1.0, **options)
        return torch.optim.SGD(module.parameters(), **options)

    def digest_text(self) -> str:
        """Equal for equal configurations; how often validation takes place does not count."""
        fields = asdict(self)
        del fields["validation_interval"]
        return repr(fields)
