"""A latent of chains of three operations whose meaning is known."""

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space


SPACE = NASBench101Space(max_vertices=5)
OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
CHAIN = "01000/00100/00010/00001/00000"


def chain(*ops: int) -> ModelSpec:
    """The cell input -> op -> op -> op -> output."""
    return ModelSpec.parse(f"{','.join(OPS[op] for op in ops)}|{CHAIN}")


class Oracle:
    """Latent 0 is the first operation, latent 1 tells the second, latent 2 is nothing.

    Every code decodes to a chain; latent 1 is not listened to.
    """

    def encode(self, tokens: IntArray) -> FloatArray:
        """(N, T) -> (N, 3)."""
        ops = tokens[:, -3:-1].astype(float)
        return np.column_stack([ops - 1.0, np.zeros(len(tokens))])

    def decode(self, codes: FloatArray) -> IntArray:
        """(N, 3) -> (N, T)."""
        likeliest: IntArray = self.log_probabilities(codes).argmax(axis=2)
        return likeliest

    def log_probabilities(self, codes: FloatArray) -> FloatArray:
        """(N, 3) -> (N, T, 4)."""
        first = np.clip(np.rint(codes[:, 0]) + 1, 0, 2).astype(int)
        tokens = SPACE.architectures_to_tokens([chain(op, 0, 0) for op in first])
        certain = np.full((*tokens.shape, 4), -20.0)
        np.put_along_axis(certain, tokens[:, :, None], 0.0, axis=2)
        return np.where(SPACE.vocabulary.legal, certain, -np.inf)

    def sample_prior(self, n: int, rng: np.random.Generator) -> FloatArray:
        """(n, 3)."""
        return rng.standard_normal((n, 3))
