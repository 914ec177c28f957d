"""What a latent space is worth as a map of its search space (Zhang et al. 2019, D-VAE, Table 1).

N: architectures, T: tokens, n: samples.
"""

from typing import Any
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import TokenArray
from optuna_dnas.interpret._decoding import LatentWithProbabilities
from optuna_dnas.interpret._decoding import LikeliestDecoding
from optuna_dnas.interpret._decoding import ValidDecoding
from optuna_dnas.search_space import SearchSpace


class LatentQuality(NamedTuple):
    """Shares of architectures."""

    reconstruction: float
    """Of unseen architectures that are encoded and decoded, exactly the same."""
    validity: float
    """Of decoded samples of the prior, the likeliest sequence is an architecture."""
    repaired_validity: float
    """Of the same samples, some likely sequence is: with what the space knows."""
    uniqueness: float
    """Of the valid ones, counted once each."""
    novelty: float
    """Of the unique ones, not among the architectures of training."""


def latent_quality(
    latent: LatentWithProbabilities,
    space: SearchSpace[Any],
    *,
    unseen: TokenArray,  # (N, T) canonical
    trained: TokenArray,  # (N, T) canonical
    n_samples: int,
    rng: np.random.Generator,
) -> LatentQuality:
    """Measure it; the last two shares are of architectures that the space has repaired.

    Raises:
        ValueError: ``unseen`` is empty.
    """
    if not len(unseen):
        raise ValueError("`unseen` must not be empty.")
    again = latent.decode(latent.encode(unseen))
    prior = latent.sample_prior(n_samples, rng)
    likeliest = LikeliestDecoding(latent, space)(prior)
    decoded = ValidDecoding(latent, space)(prior)
    unique = {row.tobytes() for row in decoded.tokens[decoded.valid]}
    known = {row.tobytes() for row in trained.astype(decoded.tokens.dtype)}
    return LatentQuality(
        reconstruction=float((again == unseen).all(axis=1).mean()),
        validity=float(likeliest.valid.mean()),
        repaired_validity=float(decoded.valid.mean()),
        uniqueness=len(unique) / max(1, int(decoded.valid.sum())),
        novelty=len(unique - known) / max(1, len(unique)),
    )
