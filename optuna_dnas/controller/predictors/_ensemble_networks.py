"""The networks of an ensemble, fitted and asked.

n: observations, N: queried ones, F: features, X: inputs of a network, M: values, E: members,
K = M * E: networks, B: batch.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
import torch

from optuna_dnas._torch_scope import private_generator
from optuna_dnas._torch_scope import torch_scope
from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas.controller._config import positive_scale
from optuna_dnas.controller._modules import EnsembleMLP
from optuna_dnas.controller._modules import initialise
from optuna_dnas.controller.predictors._base import FeatureLayout
from optuna_dnas.controller.predictors._base import Predictor
from optuna_dnas.controller.predictors._ensemble import EnsembleConfig


@dataclass(frozen=True)
class _Inputs:
    """Features as inputs: numbers at the spread of a standard normal, categories one-hot."""

    is_categorical: BoolArray  # (F,)
    centre: FloatArray  # (numbers,)
    scale: FloatArray  # (numbers,)
    n_categories: tuple[int, ...]  # per category, as far as observed

    @classmethod
    def of(cls, features: FloatArray, layout: FeatureLayout) -> _Inputs:
        is_categorical = layout.is_categorical
        numbers, categories = features[:, ~is_categorical], features[:, is_categorical]
        scale = positive_scale(np.sqrt(layout.typical_distance[~is_categorical] / 2.0))
        n_categories = tuple(int(n) + 1 for n in categories.max(axis=0))
        return cls(is_categorical, numbers.mean(axis=0), scale, n_categories)

    @property
    def n_numbers(self) -> int:
        return len(self.scale)

    def __call__(self, features: FloatArray) -> torch.Tensor:
        """(N, F) -> (N, X) float32, numbers first; an unknown category is all zeros."""
        numbers = (features[:, ~self.is_categorical] - self.centre) / self.scale
        categories = features[:, self.is_categorical]
        one_hot = [
            categories[:, [j]] == np.arange(n) for j, n in enumerate(self.n_categories)
        ]  # (N, categories of j) each
        inputs = np.concatenate([numbers, *one_hot], axis=1)
        return torch.as_tensor(inputs, dtype=torch.float32, device="cpu")

    def pull_back(self, gradient: FloatArray) -> FloatArray:
        """(N, M, X) derivative by inputs -> (N, M, F) by features, 0 along categories."""
        by_feature = np.zeros((*gradient.shape[:2], len(self.is_categorical)))
        by_feature[:, :, ~self.is_categorical] = gradient[:, :, : self.n_numbers] / self.scale
        return by_feature


class Ensemble(Predictor):
    """Networks whose mean is the prediction and whose disagreement is its deviation.

    Each network's output is standardised over what was observed: scores have no unit, mean 0 and
    deviation 1 there, the lower the better. Only so are members comparable, since a ranking loss
    leaves a network's offset and scale open; and only so have the M values a common scale.

    Args:
        network: K networks, the E members of value 0 first.
        inputs: How features become a network's input.
        observed: (n, F) what outputs are standardised over.
        n_values: M.
    """

    def __init__(
        self, network: EnsembleMLP, inputs: _Inputs, observed: FloatArray, n_values: int
    ) -> None:
        self._network = network.requires_grad_(False)
        self._inputs = inputs
        self._n_values = n_values
        with torch_scope(grad=False):
            raw = self._raw_scores(inputs(observed))  # (K, n)
            deviation, self._offset = torch.std_mean(raw, dim=1, correction=0, keepdim=True)
            self._scale = torch.where(deviation > 1e-6, deviation, torch.ones_like(deviation))

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(N, F) features -> mean and standard deviation over the members, (N, M) each."""
        with torch_scope(grad=False):
            scores = self._scores(self._inputs(features)).numpy().astype(np.float64)
        n_members = scores.shape[1]
        deviation = scores.std(axis=1, ddof=min(1, n_members - 1))
        return scores.mean(axis=1).T, deviation.T

    def gradient(self, features: FloatArray) -> FloatArray:
        """(N, F) features -> (N, M, F) derivative of the mean score; 0 along categories."""
        with torch_scope():
            inputs = self._expand(self._inputs(features)).clone().requires_grad_()  # (K, N, X)
            scores = (self._network(inputs) - self._offset) / self._scale
            (slopes,) = torch.autograd.grad(scores.sum(), inputs)
        mean = self._by_value(slopes).mean(dim=1).movedim(1, 0).numpy().astype(np.float64)
        return self._inputs.pull_back(mean)

    def _scores(self, inputs: torch.Tensor) -> torch.Tensor:
        """(N, X) -> (M, E, N)."""
        scores = (self._raw_scores(inputs) - self._offset) / self._scale
        return self._by_value(scores)

    def _raw_scores(self, inputs: torch.Tensor) -> torch.Tensor:
        """(N, X) -> (K, N)."""
        scores: torch.Tensor = self._network(self._expand(inputs))
        return scores

    def _by_value(self, result: torch.Tensor) -> torch.Tensor:
        """(K, ...) -> (M, E, ...)."""
        n_members = len(result) // self._n_values
        return result.reshape(self._n_values, n_members, *result.shape[1:])

    def _expand(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.expand(len(self._network.head.weight), -1, -1)


def fit_ensemble(
    config: EnsembleConfig,
    features: FloatArray,  # (n, F)
    values: FloatArray,  # (n, M)
    *,
    layout: FeatureLayout,
    seed: int,
) -> Ensemble:
    """Fit ``config``'s ensemble. See `EnsembleConfig.fit`."""
    _check_observations(features, values)
    inputs = _Inputs.of(features, layout)
    targets = np.repeat(config.loss.targets(values).T, config.n_members, axis=0)  # (K, n)
    with torch_scope():
        generator = private_generator(seed)
        x = inputs(features)
        network = EnsembleMLP(
            n_networks=len(targets), input_dim=x.shape[1], hidden_dim=config.hidden_dim
        )
        initialise(network, generator)
        y = torch.as_tensor(targets, dtype=torch.float32, device="cpu")
        _train(network, x, y, inputs.n_numbers, config, generator)
    return Ensemble(network, inputs, features, values.shape[1])


def _train(
    network: EnsembleMLP,
    x: torch.Tensor,  # (n, X)
    y: torch.Tensor,  # (K, n)
    n_numbers: int,
    config: EnsembleConfig,
    generator: torch.Generator,
) -> None:
    optimizer = torch.optim.AdamW(
        network.parameters(), weight_decay=config.weight_decay, fused=True
    )
    shape = (config.n_steps, len(y), config.batch_size)  # (steps, K, B)
    batches = torch.randint(len(x), shape, generator=generator, device="cpu")
    for step, batch in enumerate(batches):
        inputs = x[batch]  # (K, B, X)
        noise = torch.empty(*batch.shape, n_numbers, dtype=torch.float32, device="cpu")
        inputs[..., :n_numbers] += config.input_noise * noise.normal_(generator=generator)
        loss = config.loss.loss(network(inputs), y.gather(1, batch))
        share = step / config.n_steps
        optimizer.param_groups[0]["lr"] = (
            config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))
        )
        network.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _check_observations(features: FloatArray, values: FloatArray) -> None:
    if features.ndim != 2 or values.ndim != 2 or len(features) != len(values):
        shapes = f"{features.shape} and {values.shape}"
        raise ValueError(f"Features and values must be (n, F) and (n, M), but got {shapes}.")
    if not len(features) or not values.shape[1]:
        raise ValueError("There must be an observation and a value.")
    if np.isnan(features).any() or np.isnan(values).any():
        raise ValueError("Features and values must not be NaN.")
