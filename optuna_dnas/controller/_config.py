"""The controller's settings: frozen, self-checking and free of torch until training starts.

B: batch, D: latent dimensions, M: values, n: observations.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from dataclasses import field
import math
from typing import TYPE_CHECKING

import numpy as np

from optuna_dnas._checks import check_not_negative
from optuna_dnas._checks import check_positive
from optuna_dnas._checks import check_share
from optuna_dnas._typing import FloatArray


if TYPE_CHECKING:
    import torch


class AutoencoderObjective(abc.ABC):
    """What an autoencoder pays for beside reconstruction, both summed per example (Eq. 1)."""

    @abc.abstractmethod
    def penalty(
        self,
        mean: torch.Tensor,  # (B, D)
        log_variance: torch.Tensor,  # (B, D)
        z: torch.Tensor,  # (B, D), drawn from N(mean, exp(log_variance))
        progress: float,
    ) -> torch.Tensor:
        """() nats per example, averaged over the batch; ``progress`` of training is 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class KLObjective(AutoencoderObjective):
    """The beta-VAE: ``weight * KL`` (Higgins et al. 2017).

    Args:
        weight: The beta of Eq. 1; 0 is a plain autoencoder. A cell holds some 13 nats, so useful
            values are far below those for images.
    """

    weight: float = 0.1

    def __post_init__(self) -> None:
        check_not_negative(self, "weight")

    def penalty(
        self, mean: torch.Tensor, log_variance: torch.Tensor, z: torch.Tensor, progress: float
    ) -> torch.Tensor:
        """See `AutoencoderObjective`."""
        from optuna_dnas.controller import _losses

        return self.weight * _losses.kl_divergence(mean, log_variance).mean()


@dataclass(frozen=True, kw_only=True)
class TotalCorrelationObjective(AutoencoderObjective):
    """The beta-TC-VAE: ``kl_weight * KL + tc_weight * total correlation`` (Chen et al. 2018).

    The total correlation alone is what makes latents independent, and it costs less
    reconstruction than a large KL weight.

    Args:
        kl_weight: Weight of the KL divergence.
        tc_weight: Weight of the total correlation.
        batch_share: Share of the batch that estimates it, whose cost is quadratic.
    """

    kl_weight: float = 0.05
    tc_weight: float = 0.3
    batch_share: float = 0.5

    def __post_init__(self) -> None:
        check_not_negative(self, "kl_weight", "tc_weight")
        check_share(self, "batch_share")

    def penalty(
        self, mean: torch.Tensor, log_variance: torch.Tensor, z: torch.Tensor, progress: float
    ) -> torch.Tensor:
        """See `AutoencoderObjective`."""
        from optuna_dnas.controller import _losses

        n = max(1, round(self.batch_share * len(z)))
        correlation = _losses.total_correlation(mean[:n], log_variance[:n], z[:n])
        kl = _losses.kl_divergence(mean, log_variance)
        return self.kl_weight * kl.mean() + self.tc_weight * correlation


@dataclass(frozen=True, kw_only=True)
class ControllerConfig:
    """The LSTM autoencoder and its label-free pre-training.

    ``n_steps`` trades seconds for reconstruction. The default is thorough, for a latent space
    that people look at; `quick` suffices for a search.

    Args:
        latent_dim: D.
        hidden_dim: Units of the encoder's (each direction) and the decoder's LSTM.
        step_dim: Size of the decoder's learned step embedding.
        objective: What is minimised beside the reconstruction error.
        n_cells: Architectures to generate for pre-training.
        n_steps: Optimiser steps.
        batch_size: Architectures per step.
        learning_rate: Peak of the one-cycle schedule (Adam).
        warmup: The objective's weight grows linearly from 0 during this share of the steps.
        gradient_clip: Largest norm of a step's gradient.
    """

    latent_dim: int = 16
    hidden_dim: int = 64
    step_dim: int = 32
    objective: AutoencoderObjective = field(default_factory=TotalCorrelationObjective)
    n_cells: int = 20_000
    n_steps: int = 4_000
    batch_size: int = 128
    learning_rate: float = 5e-3
    warmup: float = 0.3
    gradient_clip: float = 5.0

    def __post_init__(self) -> None:
        check_positive(self, "latent_dim", "hidden_dim", "step_dim", "n_cells", "n_steps")
        check_positive(self, "batch_size", "learning_rate", "gradient_clip")
        check_share(self, "warmup")

    @classmethod
    def quick(
        cls, space_size: float, sequence_length: int, *, n_lstm_steps: int = 10_000
    ) -> ControllerConfig:
        """Enough for a search, within seconds, of a latent space that nobody looks at.

        Args:
            space_size: Architectures of the space; may be infinite. The fewer there are, the
                sooner they are learned.
            sequence_length: LSTM steps of an architecture, which a training step is as long as.
            n_lstm_steps: At most so many in the whole training.
        """
        longest = min(1_000, n_lstm_steps / sequence_length)
        n_steps = round(min(longest, 80 * math.log(max(space_size, 4))))
        latent_dim = _latent_dim(space_size)
        is_large = latent_dim > cls.latent_dim
        return cls(
            latent_dim=latent_dim,
            # The penalty is a sum over dimensions.
            objective=KLObjective(weight=1.6 / latent_dim),
            n_cells=6_000,
            n_steps=n_steps,
            learning_rate=1e-2 if is_large else 6e-3,
        )


@dataclass(frozen=True, kw_only=True)
class GuidedConfig(ControllerConfig):
    """A *structure-supervised* autoencoder: it is told which factors its first latents shall be.

    It sees no evaluation. Two terms are added. The guide, the squared distance of a latent's mean
    from its factor, makes latents that *know*. The control makes latents that *act*: moved to
    another value of its factor, the code must decode to an architecture that differs in this
    factor alone (a weak supervision by matched pairs, Shu et al. 2020). A latent that is guided,
    but not controlled, is a read-out that the decoder ignores.

    Args:
        guided_factors: Names of factors; the first latent becomes the first one, and so on.
        guide_weight: Of the squared error in standard deviations.
        control_weight: Of the cross-entropy of controlled architectures.
        control_shares: How often each factor is controlled, relative to the others.
        control_width: Share of the distance between a factor's values in which a latent may lie
            and still say the same value; 1 leaves no point between two of them.
        n_partners: Architectures, the nearest, of which any may come out.
        n_pool: Architectures to draw for finding partners: most of the space, or else what
            comes out depends on which were drawn, and no simple rule is there to learn.
    """

    guided_factors: tuple[str, ...] = ()
    guide_weight: float = 1.0
    control_weight: float = 1.0
    control_shares: tuple[float, ...] = ()
    control_width: float = 0.96
    n_partners: int = 24
    n_pool: int = 1_500_000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_not_negative(self, "guide_weight", "control_weight")
        check_share(self, "control_width")
        check_positive(self, "n_partners", "n_pool")
        n, n_shares = len(self.guided_factors), len(self.control_shares)
        if not 0 < n <= self.latent_dim:
            raise ValueError(
                f"`guided_factors` must be 1 to {self.latent_dim} (`latent_dim`), but got {n}."
            )
        if n_shares != n:
            raise ValueError(
                f"`control_shares` must be as many as `guided_factors`, {n}, but got {n_shares}."
            )


@dataclass(frozen=True, kw_only=True)
class SemiSupervisedConfig:
    """The paper's joint training of autoencoder and predictors (Eq. 5).

    The paper gives no weights; where it is silent the numbers are those of its parent, SemiNAS,
    except for the schedule. SemiNAS trains for 1,000 epochs on 100 labelled architectures, and
    for 500 epochs together with 10,000 pseudo-labelled ones, at the constant rate 1e-3: 56,000
    steps a round, minutes on one core. One cycle of a rate ten times as high takes seconds.

    Args:
        accuracy_weight: l1, of the objectives' squared error.
        cost_weight: l2, of the costs' squared error.
        reconstruction_weight: l3, of the cross-entropy summed over a sequence.
        kl_weight: l4; ``kl_weight / reconstruction_weight`` is the beta of Eq. 1.
        n_steps: Optimiser steps on the labelled architectures alone.
        n_joint_steps: Optimiser steps on labelled and pseudo-labelled architectures together.
        upsampling: How often a labelled architecture occurs among the pseudo-labelled.
        batch_size: Architectures per step.
        learning_rate: Peak of the one-cycle schedule (Adam).
        weight_decay: Added to the gradient.
        predictor_dim: Units of both hidden layers of a predictor.
        dropout: Share of a predictor's hidden units dropped in training.
        gradient_clip: Largest norm of a step's gradient.
    """

    accuracy_weight: float = 1.0
    cost_weight: float = 1.0
    reconstruction_weight: float = 0.1
    kl_weight: float = 0.005
    n_steps: int = 200
    n_joint_steps: int = 900
    upsampling: int = 10
    batch_size: int = 100
    learning_rate: float = 1e-2
    weight_decay: float = 1e-4
    predictor_dim: int = 16
    dropout: float = 0.1
    gradient_clip: float = 5.0

    def __post_init__(self) -> None:
        check_not_negative(self, "accuracy_weight", "cost_weight", "reconstruction_weight")
        check_not_negative(self, "kl_weight", "weight_decay")
        check_positive(self, "n_steps", "n_joint_steps", "upsampling", "batch_size")
        check_positive(self, "learning_rate", "predictor_dim", "gradient_clip")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1), but got {self.dropout}.")


def _latent_dim(space_size: float) -> int:
    """One dimension for each 0.8 nats of an architecture, from 16 to 48."""
    n_nats = math.log(min(max(space_size, 1.0), 1e300))
    return min(48, max(ControllerConfig.latent_dim, round(n_nats / 0.8)))


def replace_infinite(values: FloatArray) -> FloatArray:
    """(n, M) values with each infinity replaced by its column's finite extreme, or by 0."""
    bounded = np.array(values, dtype=np.float64)
    for column in bounded.T:
        finite = column[np.isfinite(column)]
        low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
        np.clip(column, low, high, out=column)
    return bounded


def positive_scale(scale: FloatArray, least: float = 1e-12) -> FloatArray:
    """``scale`` with 1 where it is at most ``least``: too small to divide by."""
    return np.where(scale > least, scale, 1.0)
