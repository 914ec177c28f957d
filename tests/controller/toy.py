"""A small search space: chains of an operation and two switches, two operations at the end."""

import numpy as np
import pytest
import torch

from optuna_dnas._typing import IntArray
from optuna_dnas.controller._config import ControllerConfig
from optuna_dnas.controller._disentangled import DisentangledLatent
from optuna_dnas.controller._modules import Autoencoder
from optuna_dnas.encoding import Token
from optuna_dnas.encoding import Vocabulary


DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
    ),
]

VOCABULARY = Vocabulary(
    [
        *[Token(f"switch_{i}_{step}", 2, step, i) for step in range(3) for i in range(2)],
        *[Token(f"op_{step}", 4, step, 2) for step in range(3)],
        Token("last_op", 3, 3, 2),
    ]
)

SMALL = ControllerConfig(latent_dim=4, hidden_dim=16, step_dim=8, n_steps=30, batch_size=32)


def sample_tokens(n: int, seed: int = 0) -> IntArray:
    """(n, T) uniform tokens."""
    n_choices = VOCABULARY.legal.sum(axis=1)
    return np.random.default_rng(seed).integers(n_choices, size=(n, len(VOCABULARY)))


def untrained_latent(device: str = "cpu", seed: int = 0) -> DisentangledLatent:
    """A latent after a single training step."""
    config = ControllerConfig(latent_dim=4, hidden_dim=16, step_dim=8, n_steps=1)
    return DisentangledLatent.pretrained(
        VOCABULARY, sample_tokens(64), config, seed=seed, device=device
    )


def same_weights(one: Autoencoder, other: Autoencoder) -> bool:
    """Whether all weights are equal to the last bit."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
