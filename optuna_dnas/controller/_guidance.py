"""Structure-supervised training: some latents are told which factor they shall be.

It needs no evaluation of any architecture, but it is told the factors: what it achieves must not
be compared with what an autoencoder finds on its own.

N: architectures of training, M: architectures among which there are partners, T: tokens, B: batch,
D: latent dimensions, G: guided factors, V: values of a factor, K: partners, C: choices.
"""

from typing import NamedTuple

import numpy as np
import torch

from optuna_dnas.controller._config import GuidedConfig
from optuna_dnas.controller._config import positive_scale
from optuna_dnas.controller._guidance_data import GuidanceData
from optuna_dnas.controller._guidance_data import GuidedFactor
from optuna_dnas.controller._losses import guide_error
from optuna_dnas.controller._losses import set_error
from optuna_dnas.controller._losses import token_logits
from optuna_dnas.controller._modules import Decoder
from optuna_dnas.controller._modules import Reconstruction


_REACH = 3.2  # Standard deviations of a factor: its values beyond are too rare to be asked for.


class Guidance:
    """The guided factors on a device.

    Args:
        data: The factors.
        config: Weights.
        feature_index: (T, C), see `token_logits`.
        legal: (T, C), see `token_logits`.
    """

    def __init__(
        self,
        data: GuidanceData,
        config: GuidedConfig,
        feature_index: torch.Tensor,
        legal: torch.Tensor,
    ) -> None:
        self._config = config
        self._feature_index = feature_index
        self._legal = legal
        self._device = device = legal.device
        # Small integers: the partners of a large space would not fit otherwise.
        self._tokens = torch.as_tensor(data.tokens.astype(np.int8), device=device)
        self._factors = [_ScaledFactor(factor, device) for factor in data.factors]
        shares = np.array(config.control_shares, dtype=float)
        self._shares = torch.as_tensor(shares / shares.sum(), device="cpu")
        self._targets = torch.stack([f.targets for f in self._factors], dim=1)  # (N, G)

    def penalty(
        self,
        decoder: Decoder,
        reconstruction: Reconstruction,
        batch: torch.Tensor,  # (B,) numbers of architectures
        generator: torch.Generator,
        warmth: float,
    ) -> torch.Tensor:
        """() nats per example: the guide's and, times ``warmth``, the control's error."""
        config = self._config
        guide = guide_error(reconstruction.mean, self._targets[batch])
        control = self._control_error(decoder, reconstruction.z, batch, generator)
        return config.guide_weight * guide + warmth * config.control_weight * control

    def _control_error(
        self, decoder: Decoder, z: torch.Tensor, batch: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """() Move one guided latent of each code: a partner must come out, no matter which."""
        chosen = torch.multinomial(
            self._shares, len(batch), replacement=True, generator=generator
        ).to(self._device)
        asked = []
        for g, factor in enumerate(self._factors):
            rows = torch.nonzero(chosen == g)[:, 0]
            asked.append(factor.ask(batch[rows], rows, self._config.control_width, generator))
        rows = torch.cat([a.rows for a in asked])
        moved = z[rows].clone()
        moved[torch.arange(len(rows), device=self._device), chosen[rows]] = torch.cat(
            [a.codes for a in asked]
        )
        logits = token_logits(decoder(moved), self._feature_index, self._legal)
        tokens = self._tokens[torch.cat([a.partners for a in asked])].long()  # (B, K, T)
        errors = set_error(logits, tokens, torch.cat([a.exist for a in asked]))
        return (errors * torch.cat([a.applies for a in asked])).mean()


class _Asked(NamedTuple):
    """What is asked of some architectures: another value of one factor."""

    rows: torch.Tensor  # (n,) of the batch
    codes: torch.Tensor  # (n,) where their latent goes
    partners: torch.Tensor  # (n, K)
    exist: torch.Tensor  # (n, K)
    applies: torch.Tensor  # (n,)


class _ScaledFactor:
    """A factor in standard deviations, as tensors."""

    def __init__(self, factor: GuidedFactor, device: torch.device) -> None:
        centre = np.nanmean(factor.of_architectures)
        scale = positive_scale(np.array([np.nanstd(factor.of_architectures)]))[0]
        values = (factor.values - centre) / scale
        asked = np.flatnonzero(np.abs(values) <= _REACH)

        def to_tensor(array: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
            return torch.as_tensor(array, dtype=dtype, device=device)

        of_architectures = (factor.of_architectures - centre) / scale
        self.targets = to_tensor(of_architectures, torch.float32)  # (N,)
        self._values = to_tensor(values[asked], torch.float32)  # (V',)
        self._partners = to_tensor(factor.partners[:, asked], torch.int32)  # (N, V', K)
        self._exist = to_tensor(factor.exist[:, asked], torch.bool)  # (N, V', K)
        self._gap = 1.0 / float(scale)

    def ask(
        self,
        architectures: torch.Tensor,  # (n,)
        rows: torch.Tensor,  # (n,)
        width: float,
        generator: torch.Generator,
    ) -> _Asked:
        """A random value for each, and a code in the share ``width`` of the values' distance."""
        n, device = len(rows), rows.device
        at = torch.randint(len(self._values), (n,), generator=generator, device="cpu").to(device)
        uniform = torch.rand(n, generator=generator, dtype=torch.float32, device="cpu")
        offset = width * self._gap * (uniform.to(device) - 0.5)
        return _Asked(
            rows,
            self._values[at] + offset,
            self._partners[architectures, at].long(),
            self._exist[architectures, at],
            ~torch.isnan(self.targets[architectures]),
        )
