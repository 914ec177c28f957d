"""Latent spaces to compare: ours, and what disentanglement has to be better than.

N: architectures, T: tokens, L: steps, F: features of a step, C: choices, D: latent dimensions.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.options import open_table
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.controller import ControllerConfig
from optuna_dnas.controller import DisentangledLatent
from optuna_dnas.controller import EnsembleConfig
from optuna_dnas.controller import GuidedConfig
from optuna_dnas.controller import KLObjective
from optuna_dnas.controller import Labelled
from optuna_dnas.controller import load_or_pretrain
from optuna_dnas.controller import make_controller
from optuna_dnas.controller import SemiSupervisedConfig
from optuna_dnas.controller import TotalCorrelationObjective
from optuna_dnas.interpret import guided_config
from optuna_dnas.interpret import LatentWithProbabilities
from optuna_dnas.interpret import pretrain_guided
from optuna_dnas.search_space import NASBench101Space


Progress = Callable[[int, float], None]

_N_LABELS = 100  # SemiNAS's first architectures.


class Request(NamedTuple):
    """Which latent space to make."""

    space: NASBench101Space
    seed: int
    directory: Path  # Where weights are kept
    on_progress: Progress


class Representation(NamedTuple):
    """A kind of latent space."""

    make: Callable[[Request], LatentWithProbabilities]
    n_steps: int = 0  # of training
    has_seeds: bool = True
    needs_table: bool = False


class PrincipalComponents:
    """The principal components of one-hot tokens.

    Args:
        space: Of the architectures.
        tokens: (N, T) architectures that they are of.
        dim: D.
    """

    def __init__(self, space: NASBench101Space, tokens: IntArray, dim: int) -> None:
        self._vocabulary = space.vocabulary
        one_hot = self._one_hot(tokens)
        self._centre = one_hot.mean(axis=0)
        _, singular, axes = np.linalg.svd(one_hot - self._centre, full_matrices=False)
        self._scale = singular[:dim] / np.sqrt(len(tokens))
        self._axes = axes[:dim]

    def encode(self, tokens: IntArray) -> FloatArray:
        """(N, T) -> (N, D) of mean 0 and deviation 1."""
        codes: FloatArray = (self._one_hot(tokens) - self._centre) @ self._axes.T / self._scale
        return codes

    def decode(self, codes: FloatArray) -> IntArray:
        """(N, D) -> (N, T)."""
        likeliest: IntArray = self.log_probabilities(codes).argmax(axis=2)
        return likeliest

    def log_probabilities(self, codes: FloatArray) -> FloatArray:
        """(N, D) -> (N, T, C): the linear reconstruction of the one-hot code."""
        features = (codes * self._scale) @ self._axes + self._centre  # (N, L * F)
        return np.where(
            self._vocabulary.legal, features[:, self._vocabulary.feature_index], -np.inf
        )

    def sample_prior(self, n: int, rng: np.random.Generator) -> FloatArray:
        """(n, D) standard normal."""
        return rng.standard_normal((n, len(self._axes)))

    def _one_hot(self, tokens: IntArray) -> FloatArray:
        return self._vocabulary.one_hot(tokens).reshape(len(tokens), -1).astype(float)


def training_tokens(space: NASBench101Space, n: int) -> IntArray:
    """What an autoencoder without guidance is trained on."""
    return space.sample_tokens(n, np.random.default_rng(0))


def _autoencoder(config: ControllerConfig) -> Callable[[Request], DisentangledLatent]:
    def train(request: Request) -> DisentangledLatent:
        return DisentangledLatent.pretrained(
            request.space.vocabulary,
            training_tokens(request.space, config.n_cells),
            config,
            seed=request.seed,
            on_progress=request.on_progress,
        )

    return _kept(config, train)


def _guided(request: Request) -> DisentangledLatent:
    return pretrain_guided(
        request.space, _GUIDED, seed=request.seed, on_progress=request.on_progress
    )


def _kept(
    config: ControllerConfig, train: Callable[[Request], DisentangledLatent]
) -> Callable[[Request], DisentangledLatent]:
    """Train once, and keep the weights."""

    def load_or_train(request: Request) -> DisentangledLatent:
        kind = type(config).__name__ + type(config.objective).__name__
        path = request.directory / f"{kind}-{config.n_steps}-{request.seed}.safetensors"
        vocabulary = request.space.vocabulary
        if path.exists():
            return DisentangledLatent.load(path, vocabulary, config)
        latent = train(request)
        latent.save(path)
        return latent

    return load_or_train


def _shipped(request: Request) -> DisentangledLatent:
    return load_or_pretrain(request.space, None, device="cpu", on_progress=request.on_progress)


def _principal_components(request: Request) -> PrincipalComponents:
    config = ControllerConfig()
    tokens = training_tokens(request.space, config.n_cells)
    return PrincipalComponents(request.space, tokens, config.latent_dim)


def _seminas(request: Request) -> LatentWithProbabilities:
    """An autoencoder trained with accuracies, without a prior: the parent of DNAS."""
    rng, table = np.random.default_rng(request.seed), open_table()
    rows = rng.choice(len(table), _N_LABELS, replace=False)
    tokens, _ = request.space.canonicalize(table.tokens(rows))
    losses = 1.0 - table.mean("validation_accuracy")[rows]
    controller = make_controller(
        request.space,
        predictor=EnsembleConfig(),
        with_costs=False,
        with_tokens=False,
        with_descriptors=False,
        config=None,
        semi_supervised=SemiSupervisedConfig(kl_weight=0.0, n_steps=2_000),
        device="cpu",
    )
    latent = controller.fit(Labelled(tokens, losses[:, None], None), rng=rng).latent
    assert isinstance(latent, DisentangledLatent)
    return latent


def _guided_config() -> GuidedConfig:
    config = guided_config(NASBench101Space())
    assert config is not None
    return config


_UNREGULARISED = ControllerConfig(objective=KLObjective(weight=0.0))
_UNTRAINED = ControllerConfig(n_steps=1, n_cells=2_000)
_GUIDED = _guided_config()
# The best disentanglement of NASBench-101 that was found without telling any factor. A small KL
# weight leaves room for a strong total correlation, which is what makes latents independent. There
# is not much room: with a weight of 1 hardly any cell is reconstructed.
_UNGUIDED = ControllerConfig(
    objective=TotalCorrelationObjective(kl_weight=0.02, tc_weight=0.5),
    hidden_dim=128,
    n_cells=60_000,
    n_steps=8_000,
    learning_rate=4e-3,
)

REPRESENTATIONS = {
    "shipped": Representation(_shipped, has_seeds=False),
    "structure-supervised": Representation(_kept(_GUIDED, _guided), _GUIDED.n_steps),
    "beta-TC-VAE, best": Representation(
        _kept(_UNGUIDED, _autoencoder(_UNGUIDED)), _UNGUIDED.n_steps
    ),
    "beta-TC-VAE, as shipped": Representation(
        _kept(ControllerConfig(), _autoencoder(ControllerConfig())), ControllerConfig().n_steps
    ),
    "plain autoencoder": Representation(
        _kept(_UNREGULARISED, _autoencoder(_UNREGULARISED)), _UNREGULARISED.n_steps
    ),
    "SemiNAS embedding": Representation(_seminas, needs_table=True),
    "PCA of the one-hot": Representation(_principal_components, has_seeds=False),
    "untrained encoder": Representation(_kept(_UNTRAINED, _autoencoder(_UNTRAINED))),
}
