"""What predictors see of an architecture.

N: architectures, T: tokens, D: latent dimensions, F: features.
"""

from typing import Any

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller._config import positive_scale
from optuna_dnas.controller._latent import Latent
from optuna_dnas.controller.predictors import FeatureLayout
from optuna_dnas.exceptions import InvalidSpaceError
from optuna_dnas.search_space import SearchSpace


_N_REFERENCE = 500
_SEED = 0
_TYPICAL_OF_NUMBERS = 1 / 6  # uniform ones in [0, 1]
# Of a token that random architectures hardly ever differ in.
_LEAST_DISTANCE = 0.05


class Features:
    """Codes, and beside them the tokens of an architecture and the descriptors of its space.

    Each token is a category, or a number where the space says so, and a group of its own.
    Descriptors are scaled to the mean 0 and the deviation 1 of random architectures, and are one
    group. How much all of them count beside the code is for the predictor to find out.

    Args:
        latent: Gives the first D features.
        space: Gives the others; `None` leaves them out.
        with_tokens: Whether there are tokens.
        with_descriptors: Whether there are descriptors.
    """

    def __init__(
        self,
        latent: Latent,
        space: SearchSpace[Any] | None = None,
        *,
        with_tokens: bool = False,
        with_descriptors: bool = True,
    ) -> None:
        self.latent = latent
        self._space = space if with_tokens or with_descriptors else None
        self._with_descriptors = with_descriptors
        self._n_tokens = 0
        self._numbers: FloatArray | None = None
        n, distances = 0, np.empty(0)
        is_category: BoolArray = np.empty(0, dtype=bool)
        if self._space is not None:
            tokens = self._space.sample_tokens(_N_REFERENCE, np.random.default_rng(_SEED))
            if with_tokens:
                assert self._space.vocabulary is not None
                self._n_tokens = len(self._space.vocabulary)
                distances = _category_distances(tokens[:, : self._n_tokens])
                is_category = np.ones(self._n_tokens, dtype=bool)
                self._numbers = self._space.numbers_of_choices
                if self._numbers is not None:
                    is_category &= np.isnan(self._numbers).all(axis=1)
                    distances = np.where(is_category, distances, _TYPICAL_OF_NUMBERS)
            if with_descriptors:
                reference = _describe(self._space, tokens)
                self._centre = reference.mean(axis=0)
                self._scale = positive_scale(reference.std(axis=0))
                n = len(self._centre)
        is_token = np.repeat([True, False], [self._n_tokens, n])
        groups = latent.relevance_group
        others = np.minimum(np.arange(self._n_tokens + n), self._n_tokens)
        self.layout = FeatureLayout(
            np.concatenate([latent.is_categorical, is_category, np.zeros(n, dtype=bool)]),
            np.concatenate([latent.typical_distance, distances, np.full(n, 2.0)]),
            np.append(groups, groups.max() + 1 + others),
            np.append(latent.has_effect, is_token),
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
        parts = [codes, self._written(tokens[:, : self._n_tokens])]
        if self._with_descriptors:
            described = _describe(self._space, tokens, len(self._centre))
            parts.append((described - self._centre) / self._scale)
        return np.concatenate(parts, axis=1)

    def _written(self, tokens: TokenArray) -> FloatArray:
        """(N, T) tokens -> (N, T) categories, and numbers in [0, 1]; NaN where one is absent."""
        written = np.asarray(tokens, dtype=float)
        if self._numbers is None:
            return written
        choices = tokens.astype(np.int64)
        numbers = self._numbers[np.arange(self._n_tokens), choices]
        return np.where(np.isnan(self._numbers).all(axis=1), written, numbers)


def _category_distances(tokens: TokenArray) -> FloatArray:
    """(N, T) -> (T,) how often two random architectures differ in a token."""
    shares = [np.unique(column, return_counts=True)[1] / len(tokens) for column in tokens.T]
    return np.maximum([1.0 - (share**2).sum() for share in shares], _LEAST_DISTANCE)


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
        f"{type(space.parts[0]).__name__}.descriptors",
        f"must return finite numbers of shape {(len(tokens), n)}, a row an architecture, but "
        f"returned shape {described.shape}, {np.count_nonzero(~np.isfinite(described))} of them "
        "not finite.",
    )
