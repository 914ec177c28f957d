"""A space of two digits and a switch, and a latent that holds them as they are."""

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.interpret import Decoded
from optuna_dnas.interpret import Decoding
from optuna_dnas.search_space import Factor
from optuna_dnas.search_space import FactorModel


class DigitFactors(FactorModel):
    """Tokens are the factors: two digits of 0, 1, 2, and a switch; their sum is derived."""

    @property
    def factors(self) -> tuple[Factor, ...]:
        return (
            Factor(name="first digit", kind="digit"),
            Factor(name="second digit", kind="digit"),
            Factor(name="switch", kind="switch", phrases=("off", "on")),
            Factor(name="sum", kind="digit", is_derived=True),
        )

    def measure(self, tokens: TokenArray) -> FloatArray:
        values = tokens.astype(float)
        return np.column_stack([values, values.sum(axis=1)])


MODEL = DigitFactors()
_LAST = np.array([2, 2, 1])


class LinearDecoding(Decoding):
    """Tokens are the rounded product of a code with a matrix; a sum of ``worst`` is invalid."""

    def __init__(self, matrix: FloatArray, worst: int | None = None) -> None:
        self._matrix = matrix
        self._worst = worst

    def __call__(self, codes: FloatArray) -> Decoded:
        tokens = np.clip(np.rint(codes @ self._matrix), 0, _LAST).astype(np.int64)
        return Decoded(tokens, tokens.sum(axis=1) != self._worst)


def sample_digits(n: int, seed: int = 0) -> TokenArray:
    """(n, 3) uniform tokens."""
    return np.random.default_rng(seed).integers(0, _LAST + 1, (n, 3))
