"""Names of the array types that cross module boundaries."""

from typing import Any

import numpy as np
import numpy.typing as npt


FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
TokenArray = npt.NDArray[Any]
"""(N, T) tokens: integers of a `Vocabulary`, or the floats of a flat space (NaN: inactive)."""
