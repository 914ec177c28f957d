"""What predictors see of an architecture.

N: architectures, T: tokens, D: latent dimensions, F: features.
"""

from typing import Any

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller._config import positive_scale
from optuna_dnas.controller._latent import Latent
from optuna_dnas.controller.predictors import FeatureLayout
from optuna_dnas.search_space import SearchSpace


_N_REFERENCE = 500
_SEED = 0


class Features:
    """Codes, and beside them the space's descriptors where it has some.

    Descriptors are scaled to the mean 0 and the deviation 1 of random architectures, and are one
    group: how much they count beside the code is for the predictor to find out.

    Args:
        latent: Gives the first D features.
        space: Gives the descriptors; `None` leaves them out.
    """

    def __init__(self, latent: Latent, space: SearchSpace[Any] | None = None) -> None:
        self.latent = latent
        self._space = space
        if space is not None:
            tokens = space.sample_tokens(_N_REFERENCE, np.random.default_rng(_SEED))
            reference = space.descriptors(tokens)
            self._centre = reference.mean(axis=0)
            self._scale = positive_scale(reference.std(axis=0))
        n = 0 if space is None else len(self._centre)
        groups = latent.relevance_group
        self.layout = FeatureLayout(
            np.append(latent.is_categorical, np.zeros(n, dtype=bool)),
            np.append(latent.typical_distance, np.full(n, 2.0)),
            np.append(groups, np.full(n, groups.max() + 1)),
        )

    def __call__(self, tokens: TokenArray) -> FloatArray:
        """(N, T) canonical tokens -> (N, F)."""
        return self._join(self.latent.encode(tokens), tokens)

    def of_codes(self, codes: FloatArray) -> FloatArray:
        """(N, D) codes -> (N, F), with the descriptors of what they decode to."""
        if self._space is None:
            return codes
        canonical, _ = self._space.canonicalize(self.latent.decode(codes))
        return self._join(codes, canonical)

    def _join(self, codes: FloatArray, tokens: TokenArray) -> FloatArray:
        if self._space is None:
            return codes
        described = (self._space.descriptors(tokens) - self._centre) / self._scale
        return np.concatenate([codes, described], axis=1)
