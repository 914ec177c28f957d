"""The paper's controller: autoencoder and predictors trained together (Eq. 5).

n: labelled architectures, N: architectures, T: tokens, D: latent dimensions, M: objectives,
K: costs, B: batch, H: hidden units of a predictor.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from optuna_dnas._torch_scope import flush_denormal
from optuna_dnas._torch_scope import private_generator
from optuna_dnas._torch_scope import resolve_device
from optuna_dnas._torch_scope import torch_scope
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller._config import ControllerConfig
from optuna_dnas.controller._config import positive_scale
from optuna_dnas.controller._config import replace_infinite
from optuna_dnas.controller._config import SemiSupervisedConfig
from optuna_dnas.controller._disentangled import DisentangledLatent
from optuna_dnas.controller._losses import kl_divergence
from optuna_dnas.controller._losses import squared_error
from optuna_dnas.controller._modules import Autoencoder
from optuna_dnas.controller._modules import initialise
from optuna_dnas.controller._modules import MLP
from optuna_dnas.controller._training import adam
from optuna_dnas.controller._training import build_autoencoder
from optuna_dnas.controller._training import check_tokens
from optuna_dnas.controller._training import descend
from optuna_dnas.controller._training import epoch_batches
from optuna_dnas.controller._training import finite_loss
from optuna_dnas.controller._training import REPORT_INTERVAL
from optuna_dnas.controller._training import standard_normal
from optuna_dnas.controller._training import TokenData
from optuna_dnas.controller.predictors import Predictor
from optuna_dnas.encoding import Vocabulary


class Regression(Predictor):
    """One MLP on the encoder's mean, in the units of the labels. It states no uncertainty.

    Args:
        mlp: Trained on the encoder's raw means and standardised labels; kept, on the CPU.
        latent: Whose codes it will be asked about.
        value_mean: (M,) mean of the observed labels.
        value_deviation: (M,) their standard deviation.
    """

    def __init__(
        self,
        mlp: MLP,
        latent: DisentangledLatent,
        value_mean: FloatArray,
        value_deviation: FloatArray,
    ) -> None:
        self._mlp = mlp.cpu().requires_grad_(False).eval()
        self._code_mean = latent.code_mean
        self._code_deviation = latent.code_deviation
        self._value_mean = value_mean
        self._value_deviation = value_deviation

    def predict(self, codes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(N, D) codes -> (N, M) values and (N, M) zeros."""
        with torch_scope(grad=False):
            scores = self._mlp(self._raw_means(codes)).numpy().astype(np.float64)
        values = scores * self._value_deviation + self._value_mean
        return values, np.zeros_like(values)

    def gradient(self, codes: FloatArray) -> FloatArray:
        """(N, D) codes -> (N, M, D) derivative of the values."""
        with torch_scope():
            means = self._raw_means(codes).requires_grad_()
            totals = self._mlp(means).sum(dim=0)  # (M,)
            slopes = [torch.autograd.grad(t, means, retain_graph=True)[0] for t in totals]
            by_mean = torch.stack(slopes, dim=1).numpy().astype(np.float64)  # (N, M, D)
        gradient: FloatArray = by_mean * self._value_deviation[:, None] * self._code_deviation
        return gradient

    def copy_mlp(self) -> MLP:
        """The network, to train it further without touching this predictor."""
        return copy.deepcopy(self._mlp).requires_grad_()

    def _raw_means(self, codes: FloatArray) -> torch.Tensor:
        means = codes * self._code_deviation + self._code_mean
        return torch.as_tensor(means, dtype=torch.float32, device="cpu")


class JointFit(NamedTuple):
    """The result of joint training."""

    latent: DisentangledLatent
    objectives: Regression
    cost: Regression | None


class SemiSupervisedController:
    """Trains a latent space together with the predictors that work on it.

    Args:
        vocabulary: Of the architectures' tokens.
        config: The weights and the schedule.
        autoencoder_config: Sizes of the encoder and the decoder; the rest of it is unused.
        latent: A trained latent to start from, which stays as it is; its config decides then.
        device: Where to train: "cpu", "cuda" or "mps".
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        config: SemiSupervisedConfig | None = None,
        *,
        autoencoder_config: ControllerConfig | None = None,
        latent: DisentangledLatent | None = None,
        device: str = "cpu",
    ) -> None:
        if latent is not None and latent.vocabulary != vocabulary:
            raise ValueError("`latent` was made for another search space.")
        self._vocabulary = vocabulary
        self._config = config or SemiSupervisedConfig()
        self._autoencoder_config = autoencoder_config or ControllerConfig()
        if latent is not None:
            self._autoencoder_config = latent.config
        self._latent = latent
        self._device = device

    def fit(
        self,
        tokens: TokenArray,  # (n, T)
        values: FloatArray,  # (n, M), minimised, perhaps infinite
        costs: FloatArray | None = None,  # (n, K)
        *,
        pseudo_tokens: TokenArray | None = None,  # (N, T)
        pseudo_values: FloatArray | None = None,  # (N, M)
        pseudo_costs: FloatArray | None = None,  # (N, K)
        start: JointFit | None = None,
        seed: int,
    ) -> JointFit:
        """Train on labelled architectures alone, or together with pseudo-labelled ones.

        ``start`` is an earlier result to continue from, as the paper does from the first kind of
        training to the second.

        Raises:
            ValueError: Tokens are illegal, shapes do not agree, or a label is NaN.
            RuntimeError: Training diverged.
        """
        if costs is None and pseudo_costs is not None:
            raise ValueError("`pseudo_costs` must not be given without `costs`.")
        value_labels = _Labels.of(values, pseudo_values)
        cost_labels = None if costs is None else _Labels.of(costs, pseudo_costs)
        n_labelled = len(tokens)
        if pseudo_tokens is not None:
            tokens = np.concatenate([tokens, pseudo_tokens])
        check_tokens(self._vocabulary, tokens)
        _check_lengths(len(tokens), value_labels, cost_labels)
        with torch_scope(), flush_denormal():
            generator = private_generator(seed)
            model = self._starting_model(start, value_labels, cost_labels, generator)
            self._train(model, tokens, n_labelled, value_labels, cost_labels, generator)
            return self._freeze(model, tokens, value_labels, cost_labels)

    def _starting_model(
        self,
        start: JointFit | None,
        values: _Labels,
        costs: _Labels | None,
        generator: torch.Generator,
    ) -> _JointModel:
        latent = self._latent if start is None else start.latent
        objectives = None if start is None else start.objectives
        cost = None if start is None else start.cost
        model = _JointModel(
            self._starting_autoencoder(latent, generator),
            self._starting_mlp(objectives, values, generator),
            None if costs is None else self._starting_mlp(cost, costs, generator),
        )
        return model.to(resolve_device(self._device)).train()

    def _starting_autoencoder(
        self, latent: DisentangledLatent | None, generator: torch.Generator
    ) -> Autoencoder:
        if latent is not None:
            return latent.copy_autoencoder()
        return build_autoencoder(self._vocabulary, self._autoencoder_config, generator)

    def _starting_mlp(
        self, earlier: Regression | None, labels: _Labels, generator: torch.Generator
    ) -> MLP:
        if earlier is not None:
            return earlier.copy_mlp()
        mlp = MLP(
            input_dim=self._autoencoder_config.latent_dim,
            hidden_dim=self._config.predictor_dim,
            output_dim=len(labels.mean),
        )
        return initialise(mlp, generator)

    def _train(
        self,
        model: _JointModel,
        tokens: TokenArray,  # (N, T)
        n_labelled: int,
        values: _Labels,
        costs: _Labels | None,
        generator: torch.Generator,
    ) -> None:
        config, device = self._config, resolve_device(self._device)
        data = TokenData(self._vocabulary, tokens, device)
        targets = _Targets.of(values, costs, device)
        optimizer = adam(model, config.learning_rate, config.weight_decay)
        rows = _upsampled(n_labelled, len(tokens), config.upsampling).to(device)
        n_steps = config.n_steps if len(tokens) == n_labelled else config.n_joint_steps
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=config.learning_rate, total_steps=n_steps + 1
        )
        batches = epoch_batches(len(rows), config.batch_size, generator, device)
        for step, batch in zip(range(1, n_steps + 1), batches, strict=False):
            loss = self._loss(model, data, targets, rows[batch], generator)
            descend(loss, model, optimizer, config.gradient_clip)
            schedule.step()
            if step % REPORT_INTERVAL == 0 or step == n_steps:
                finite_loss(loss, step)

    def _loss(
        self,
        model: _JointModel,
        data: TokenData,
        targets: _Targets,
        batch: torch.Tensor,  # (B,)
        generator: torch.Generator,
    ) -> torch.Tensor:  # ()
        """Eq. 5."""
        config = self._config
        latent_dim = self._autoencoder_config.latent_dim
        noise = standard_normal(len(batch), latent_dim, generator, batch.device)
        logits, mean, log_variance, _ = model.autoencoder(data.features[batch], noise)
        loss = config.reconstruction_weight * data.reconstruction_error(logits, batch)
        loss = loss + config.kl_weight * kl_divergence(mean, log_variance).mean()
        error = self._regression_error(model.objectives, mean, targets.values[batch], generator)
        loss = loss + config.accuracy_weight * error
        if model.cost is None or targets.costs is None:
            return loss
        error = self._regression_error(model.cost, mean, targets.costs[batch], generator)
        return loss + config.cost_weight * error

    def _regression_error(
        self, mlp: MLP, mean: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Eq. 2 or 3: () squared error of a predictor on the means, averaged over its outputs."""
        shape = (2, len(mean), self._config.predictor_dim)
        share = 1.0 - self._config.dropout
        keep = torch.empty(shape, dtype=torch.float32, device="cpu")
        keep.bernoulli_(share, generator=generator).div_(share)
        return squared_error(mlp(mean, keep.to(mean.device)).T, targets.T).mean()

    def _freeze(
        self, model: _JointModel, tokens: TokenArray, values: _Labels, costs: _Labels | None
    ) -> JointFit:
        latent = DisentangledLatent.standardised(
            self._vocabulary,
            tokens,
            self._autoencoder_config,
            model.autoencoder,
            device=self._device,
        )
        cost = None
        if model.cost is not None and costs is not None:
            cost = Regression(model.cost, latent, costs.mean, costs.deviation)
        objectives = Regression(model.objectives, latent, values.mean, values.deviation)
        return JointFit(latent, objectives, cost)


class _JointModel(nn.Module):
    """What Eq. 5 trains."""

    def __init__(self, autoencoder: Autoencoder, objectives: MLP, cost: MLP | None) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.objectives = objectives
        self.cost = cost


class _Labels(NamedTuple):
    """Labels, standardised by the moments of the observed ones."""

    standardised: FloatArray  # (N, M), observed ones first
    mean: FloatArray  # (M,)
    deviation: FloatArray  # (M,)

    @classmethod
    def of(cls, observed: FloatArray, pseudo: FloatArray | None) -> _Labels:
        if observed.ndim != 2 or not observed.size or np.isnan(observed).any():
            raise ValueError(f"Labels must be (n, M) numbers, but got shape {observed.shape}.")
        finite = replace_infinite(observed)
        mean, deviation = finite.mean(axis=0), positive_scale(finite.std(axis=0))
        labels = finite if pseudo is None else np.concatenate([finite, pseudo])
        return cls((labels - mean) / deviation, mean, deviation)


class _Targets(NamedTuple):
    """Standardised labels on a device."""

    values: torch.Tensor  # (N, M)
    costs: torch.Tensor | None  # (N, K)

    @classmethod
    def of(cls, values: _Labels, costs: _Labels | None, device: torch.device) -> _Targets:
        cost_targets = None if costs is None else _to_tensor(costs.standardised, device)
        return cls(_to_tensor(values.standardised, device), cost_targets)


def _check_lengths(n: int, *all_labels: _Labels | None) -> None:
    for labels in all_labels:
        if labels is not None and len(labels.standardised) != n:
            raise ValueError(
                f"There are {n} architectures, but labels of {len(labels.standardised)}."
            )


def _upsampled(n_labelled: int, n: int, factor: int) -> torch.Tensor:
    """Row numbers of an epoch: the labelled ``factor`` times if there are others."""
    labelled = torch.arange(n_labelled, device="cpu").repeat(factor if n > n_labelled else 1)
    return torch.cat([labelled, torch.arange(n_labelled, n, device="cpu")])


def _to_tensor(array: FloatArray, device: torch.device) -> torch.Tensor:
    return torch.as_tensor(array, dtype=torch.float32, device=device)
