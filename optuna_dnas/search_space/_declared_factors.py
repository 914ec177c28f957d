"""The factors of a declared space: its choices, its depths, and what its parts are like.

N: architectures, F: factors.
"""

import itertools
from typing import TYPE_CHECKING

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.search_space._cost import cost_title
from optuna_dnas.search_space._factors import COST
from optuna_dnas.search_space._factors import Factor
from optuna_dnas.search_space._factors import FactorModel


if TYPE_CHECKING:
    from optuna_dnas.search_space._declared import ArchitectureSpace


class DeclaredFactors(FactorModel):
    """What can be said of an architecture of a declared space.

    Each choice can change alone. What parts are like, how many blocks have an option, say, and
    what an architecture costs, follow.

    Args:
        space: The architectures.
    """

    def __init__(self, space: "ArchitectureSpace") -> None:
        self._space = space
        parts = [part.factors(name) for name, part in space.declared.items()]
        self._factors = (
            *itertools.chain.from_iterable(basic for basic, _ in parts),
            *itertools.chain.from_iterable(derived for _, derived in parts),
            *(
                Factor(name=cost_title(name), kind=COST, is_derived=True)
                for name in space.cost_names
            ),
        )

    @property
    def factors(self) -> tuple[Factor, ...]:
        return self._factors

    def measure(self, tokens: TokenArray) -> FloatArray:
        tokens = np.asarray(tokens, dtype=np.int64)
        parts = [
            self._space.declared[name].measure(tokens[:, columns])
            for name, columns in self._space.columns_of.items()
        ]
        measured = [*(basic for basic, _ in parts), *(derived for _, derived in parts)]
        costs = self._space.token_costs(tokens)
        return np.concatenate(measured if costs is None else [*measured, costs], axis=1)
