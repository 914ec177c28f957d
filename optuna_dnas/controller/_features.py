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
from optuna_dnas.exceptions import InvalidSpaceError
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
            reference = _describe(space, tokens)
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
        described = _describe(self._space, tokens, len(self._centre))
        return np.concatenate([codes, (described - self._centre) / self._scale], axis=1)


def _describe(
    space: SearchSpace[Any], tokens: TokenArray, n_descriptors: int | None = None
) -> FloatArray:
    """(N, T) -> (N, F) descriptors of a space that a user may have written.

    Raises:
        InvalidSpaceError: They are not of this shape, or not finite.
    """
    described: FloatArray = np.asarray(space.descriptors(tokens), dtype=float)
    n = described.shape[-1] if n_descriptors is None else n_descriptors
    if described.shape == (len(tokens), n) and np.isfinite(described).all():
        return described
    raise InvalidSpaceError(
        f"{type(space).__name__}.descriptors",
        f"must return finite numbers of shape {(len(tokens), n)}, a row an architecture, but "
        f"returned shape {described.shape}, {np.count_nonzero(~np.isfinite(described))} of them "
        "not finite.",
    )
