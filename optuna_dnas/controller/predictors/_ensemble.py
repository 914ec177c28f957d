"""The settings of an ensemble of small MLPs, free of torch until it is fitted.

n: observations, F: features, M: values, E: members, K: networks, B: batch.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

import numpy as np

from optuna_dnas._checks import check_not_negative
from optuna_dnas._checks import check_positive
from optuna_dnas._typing import FloatArray
from optuna_dnas.controller._config import positive_scale
from optuna_dnas.controller._config import replace_infinite
from optuna_dnas.controller.predictors._base import FeatureLayout
from optuna_dnas.controller.predictors._base import Predictor
from optuna_dnas.controller.predictors._base import PredictorConfig


if TYPE_CHECKING:
    import torch


class PredictorLoss(abc.ABC):
    """What the networks of an ensemble minimise."""

    @abc.abstractmethod
    def targets(self, values: FloatArray) -> FloatArray:
        """(n, M) values, infinite ones allowed -> (n, M) finite targets, the lower the better."""

    @abc.abstractmethod
    def loss(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(K, B) scores and targets -> () the sum over the K networks."""


@dataclass(frozen=True, kw_only=True)
class RankingLoss(PredictorLoss):
    """Pairwise logistic loss: only the order of the values counts."""

    def targets(self, values: FloatArray) -> FloatArray:
        """Ranks; equal values share one."""
        ranks = [np.unique(column, return_inverse=True)[1].ravel() for column in values.T]
        return np.stack(ranks, axis=1).astype(np.float64)

    def loss(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """See `PredictorLoss`."""
        from optuna_dnas.controller import _losses

        return _losses.pairwise_logistic(scores, targets).sum()


@dataclass(frozen=True, kw_only=True)
class SquaredLoss(PredictorLoss):
    """Squared error on standardised values.

    Args:
        clip: Standardise by median and median absolute deviation and clip there, which keeps a
            few very bad architectures from deciding everything; `None` is the plain mean and
            standard deviation.
    """

    clip: float | None = 3.0

    def __post_init__(self) -> None:
        if self.clip is not None:
            check_positive(self, "clip")

    def targets(self, values: FloatArray) -> FloatArray:
        """Standardised values; an infinite one counts as the nearest finite one."""
        finite = replace_infinite(values)
        finite = finite / positive_scale(np.abs(finite).max(axis=0), least=0.0)
        if self.clip is None:
            plain: FloatArray = finite - finite.mean(axis=0)
            return plain / positive_scale(finite.std(axis=0))
        centred = finite - np.median(finite, axis=0)
        spread = 1.4826 * np.median(np.abs(centred), axis=0)  # = sd for normal data
        scale = positive_scale(np.where(spread > 0, spread, centred.std(axis=0)))
        clipped: FloatArray = np.clip(centred / scale, -self.clip, self.clip)
        return clipped

    def loss(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """See `PredictorLoss`."""
        from optuna_dnas.controller import _losses

        return _losses.squared_error(scores, targets).sum()


@dataclass(frozen=True, kw_only=True)
class EnsembleConfig(PredictorConfig):
    """An ensemble of small MLPs; its disagreement is the deviation.

    Every value has its own ``n_members`` networks: inputs -> hidden -> hidden -> 1 with tanh.

    Args:
        n_members: E.
        hidden_dim: Units of both hidden layers.
        n_steps: Optimiser steps (AdamW, cosine schedule to 0).
        batch_size: Observations per step and network, drawn with replacement.
        input_noise: Standard deviation of the noise on each step's numbers, in units of
            their standard deviation over random architectures.
        learning_rate: At the start.
        weight_decay: Decoupled.
        loss: Ranking or squared error.
    """

    n_members: int = 5
    hidden_dim: int = 32
    n_steps: int = 100
    batch_size: int = 48
    input_noise: float = 0.05
    learning_rate: float = 1e-2
    weight_decay: float = 1e-3
    loss: PredictorLoss = field(default_factory=RankingLoss)

    def __post_init__(self) -> None:
        check_positive(self, "n_members", "hidden_dim", "n_steps", "batch_size", "learning_rate")
        check_not_negative(self, "input_noise", "weight_decay")

    def fit(
        self,
        features: FloatArray,  # (n, F)
        values: FloatArray,  # (n, M)
        *,
        layout: FeatureLayout,
        rng: np.random.Generator,
    ) -> Predictor:
        """Fit to values that are minimised. See `PredictorConfig`.

        Raises:
            ValueError: There are no observations, or a feature or value is NaN.
        """
        from optuna_dnas.controller.predictors._ensemble_networks import fit_ensemble

        return fit_ensemble(
            self,
            features,
            values,
            layout=layout,
            seed=int(rng.integers(2**63)),
        )
