"""The factors of a mobile network, in its canonical form.

N: networks, T: tokens, F: factors, L: searched layers, S: stages.
"""

from typing import TYPE_CHECKING

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.search_space._factors import COST
from optuna_dnas.search_space._factors import Factor
from optuna_dnas.search_space._factors import FactorModel
from optuna_dnas.search_space._factors import LAYERS
from optuna_dnas.search_space._mobilenet_shape import MobileNetShape


if TYPE_CHECKING:
    from optuna_dnas.search_space._mobilenet import MobileNetSpace


KERNEL = "kernel size"
EXPANSION = "expansion ratio"


class MobileNetFactors(FactorModel):
    """What can be said of a mobile network.

    Kernel and expansion of each layer, and the number of layers of each stage, can change alone;
    all else follows from them.

    Args:
        space: The networks.
    """

    def __init__(self, space: "MobileNetSpace") -> None:
        self._space = space
        self._factors = _basic_factors(space.shape) + _derived_factors(space.shape)

    @property
    def factors(self) -> tuple[Factor, ...]:
        return self._factors

    def measure(self, tokens: TokenArray) -> FloatArray:
        shape = self._space.shape
        kernels = _values(tokens[:, ::2], shape.kernels)
        expansions = _values(tokens[:, 1::2], shape.expansions)
        stages = np.array([layer.stage for layer in shape.layers])
        is_present = ~np.isnan(kernels)
        columns = [
            *kernels.T,
            *expansions.T,
            *(is_present[:, stages == s].sum(axis=1) for s in range(len(shape.stages))),
            is_present.sum(axis=1),
            *((kernels == kernel).sum(axis=1) for kernel in shape.kernels),
            *((expansions == expansion).sum(axis=1) for expansion in shape.expansions),
            *self._space.token_costs(tokens).T,
        ]
        return np.stack(columns, axis=1).astype(float)


def _values(tokens: TokenArray, choices: tuple[int, ...]) -> FloatArray:
    """(N, L) tokens -> (N, L) what they stand for; NaN for a layer that is skipped."""
    values: FloatArray = np.array([*choices, np.nan])[tokens]
    return values


def _basic_factors(shape: MobileNetShape) -> tuple[Factor, ...]:
    layers, stages = range(len(shape.layers)), range(1, len(shape.stages) + 1)
    return (
        *(Factor(name=f"kernel of layer {k}", kind=KERNEL) for k in layers),
        *(Factor(name=f"expansion of layer {k}", kind=EXPANSION) for k in layers),
        *(Factor(name=f"layers of stage {s}", kind=LAYERS) for s in stages),
    )


def _derived_factors(shape: MobileNetShape) -> tuple[Factor, ...]:
    named = (
        ("number of layers", LAYERS),
        *((f"layers of kernel {kernel}", KERNEL) for kernel in shape.kernels),
        *((f"layers of expansion {expansion}", EXPANSION) for expansion in shape.expansions),
        ("multiply-adds", COST),
        ("parameters", COST),
    )
    return tuple(Factor(name=name, kind=kind, is_derived=True) for name, kind in named)
