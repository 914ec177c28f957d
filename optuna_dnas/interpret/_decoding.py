"""From codes to canonical architectures.

N: codes, D: latent dimensions, T: tokens, C: choices of a token, K: sequences for one code.
"""

import abc
import itertools
from typing import Any
from typing import NamedTuple
from typing import Protocol

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller import Latent
from optuna_dnas.search_space import SearchSpace


_N_DOUBTFUL = 8  # Tokens of a sequence that may differ from the likeliest one.


class LatentWithProbabilities(Protocol):
    """A latent that tells how sure its decoder is; that of the LSTM autoencoder is one."""

    def encode(self, tokens: TokenArray) -> FloatArray:
        """(N, T) tokens -> (N, D) codes."""

    def decode(self, codes: FloatArray) -> TokenArray:
        """(N, D) codes -> (N, T) tokens: the likeliest legal choice of each position."""

    def log_probabilities(self, codes: FloatArray) -> FloatArray:
        """(N, D) codes -> (N, T, C) of each position's choices; -inf for those not legal."""

    def sample_prior(self, n: int, rng: np.random.Generator) -> FloatArray:
        """(n, D) codes from the whole space."""


class Decoded(NamedTuple):
    """Architectures of N codes."""

    tokens: TokenArray  # (N, T) canonical
    valid: BoolArray  # (N,) the tokens of the others mean nothing


class Decoding(abc.ABC):
    """A way from codes to canonical architectures."""

    @abc.abstractmethod
    def __call__(self, codes: FloatArray) -> Decoded:
        """(N, D) codes -> N architectures."""


class LikeliestDecoding(Decoding):
    """What the decoder says, right or wrong.

    Args:
        latent: Decodes.
        space: Canonicalises, and knows what is valid.
    """

    def __init__(self, latent: Latent | LatentWithProbabilities, space: SearchSpace[Any]) -> None:
        self._latent = latent
        self._space = space

    def __call__(self, codes: FloatArray) -> Decoded:
        return Decoded(*self._space.canonicalize(self._latent.decode(codes)))


class ValidDecoding(Decoding):
    """The likeliest *valid* architecture: what the decoder means, with what the space knows.

    Looked for among the likeliest sequences that differ in the most doubtful tokens.

    Args:
        latent: Gives probabilities.
        space: Canonicalises, and knows what is valid.
        n_sequences: How many to try for a code; where none is valid, the code is not.
    """

    def __init__(
        self,
        latent: LatentWithProbabilities,
        space: SearchSpace[Any],
        *,
        n_sequences: int = 128,
    ) -> None:
        self._latent = latent
        self._space = space
        self._n_sequences = n_sequences

    def __call__(self, codes: FloatArray) -> Decoded:
        tokens, valid = self._space.canonicalize(self._latent.decode(codes))
        wrong = np.flatnonzero(~valid)
        if not len(wrong):
            return Decoded(tokens, valid)
        likely = likeliest_sequences(
            self._latent.log_probabilities(codes[wrong]), self._n_sequences
        )
        n, k, t = likely.shape
        repaired, is_valid = self._space.canonicalize(likely.reshape(n * k, t))
        is_valid = is_valid.reshape(n, k)
        first = is_valid.argmax(axis=1)
        tokens[wrong] = repaired.reshape(n, k, t)[np.arange(n), first]
        valid[wrong] = is_valid.any(axis=1)
        return Decoded(tokens, valid)


def likeliest_sequences(
    log_probabilities: FloatArray,  # (N, T, C), -inf for illegal choices
    n_sequences: int,  # K
) -> IntArray:
    """(N, K, T) the likeliest sequences of independent tokens, the likeliest first.

    Only the tokens with the smallest lead of the first over the second choice may take the
    second. K is at most two to the number of those.
    """
    order = np.argsort(-log_probabilities, axis=2, kind="stable")[:, :, :2]  # (N, T, 2)
    if order.shape[2] < 2:
        return order.transpose(0, 2, 1)
    best = np.take_along_axis(log_probabilities, order, axis=2)
    lead = best[:, :, 0] - best[:, :, 1]  # (N, T), infinite where there is no second choice
    second = np.where(np.isinf(lead), order[:, :, 0], order[:, :, 1])
    doubtful = np.argsort(lead, axis=1, kind="stable")[:, :_N_DOUBTFUL]  # (N, M)
    lead = np.take_along_axis(lead, doubtful, axis=1)
    flips = np.array(list(itertools.product((False, True), repeat=doubtful.shape[1])))
    cost = np.where(flips, lead[:, None], 0.0).sum(axis=2)  # (N, 2 ** M) nats lost
    chosen = np.argsort(cost, axis=1, kind="stable")[:, :n_sequences]  # (N, K)
    flipped = np.zeros((*chosen.shape, order.shape[1]), dtype=bool)  # (N, K, T)
    places = np.broadcast_to(doubtful[:, None], flips[chosen].shape)
    np.put_along_axis(flipped, places, flips[chosen], axis=2)
    sequences: IntArray = np.where(flipped, second[:, None], order[:, None, :, 0])
    return sequences
