"""What structure-supervised training is told of its architectures.

N: architectures of training, M: architectures among which there are partners, T: tokens,
G: guided factors, V: values of a factor, K: partners.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray


@dataclass(frozen=True)
class GuidedFactor:
    """What latent number g shall be.

    Args:
        of_architectures: (N,) values of the architectures of training; NaN where the factor does
            not apply.
        values: (V,) all values, ascending.
        partners: (N, V, K) for each architecture and value the architectures, by their number
            among the M, that are the same but for this value.
        exist: (N, V, K) which of the K there are; at least one.
    """

    of_architectures: FloatArray
    values: FloatArray
    partners: IntArray
    exist: BoolArray


@dataclass(frozen=True)
class GuidanceData:
    """What is known of the architectures of training.

    Args:
        factors: G of them, for the first G latents.
        tokens: (M, T) architectures among which there are partners.
    """

    factors: Sequence[GuidedFactor]
    tokens: TokenArray
