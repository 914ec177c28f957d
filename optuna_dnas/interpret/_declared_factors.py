"""The factors of a declared space: its choices, its depths, and what its blocks are like.

N: architectures, T: tokens, F: factors.
"""

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.interpret._factors import COST
from optuna_dnas.interpret._factors import Factor
from optuna_dnas.interpret._factors import FactorModel
from optuna_dnas.interpret._factors import generative_factors
from optuna_dnas.interpret._factors import LAYERS
from optuna_dnas.search_space import ArchitectureSpace
from optuna_dnas.search_space import Leaf


class DeclaredFactors(FactorModel):
    """What can be said of an architecture of a declared space.

    Each choice can change alone. How many blocks have an option, what they have on average, and
    what an architecture costs, follow.

    Args:
        space: The architectures.
    """

    def __init__(self, space: ArchitectureSpace) -> None:
        self._space = space
        self._factors = (
            *(_of_leaf(leaf) for leaf in space.leaves),
            *_of_blocks(space),
            *(
                Factor(name=name, kind=COST, is_derived=True)
                for name in ("multiply-adds", "parameters")
                if space.knows_costs
            ),
        )

    @property
    def factors(self) -> tuple[Factor, ...]:
        return self._factors

    def measure(self, tokens: TokenArray) -> FloatArray:
        columns = [_measure_leaf(leaf, tokens[:, t]) for t, leaf in enumerate(self._space.leaves)]
        for of_field in self._space.repeated_fields.values():
            value = self._space.leaves[of_field[0]].value
            if value.is_ordered:
                values = [_measure_leaf(self._space.leaves[t], tokens[:, t]) for t in of_field]
                columns.append(_mean(np.stack(values, axis=1)))
            else:
                columns += [
                    (tokens[:, of_field] == k).sum(axis=1).astype(float)
                    for k in range(len(value.values))
                ]
        costs = self._space.token_costs(tokens)
        if costs is not None:
            columns += list(costs.T)
        return np.stack(columns, axis=1)


@generative_factors.register
def _(space: ArchitectureSpace) -> FactorModel:
    return DeclaredFactors(space)


def _of_leaf(leaf: Leaf) -> Factor:
    if leaf.depth_of is not None:
        return Factor(name=f"number of {leaf.part}", kind=LAYERS)
    place = leaf.part
    if leaf.block is not None:
        place = f"{_singular(leaf.part)} {leaf.block[1] + 1}"
    name = place if leaf.field is None else f"{leaf.field} of {place}"
    kind = leaf.field or leaf.part
    if leaf.value.is_ordered:
        return Factor(name=name, kind=kind)
    phrases = tuple(f"{name} is {value}" for value in leaf.value.values)
    return Factor(name=name, kind=kind, phrases=phrases)


def _singular(name: str) -> str:
    """Of a name that a repeated block may have: layers, edges."""
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def _measure_leaf(leaf: Leaf, tokens: TokenArray) -> FloatArray:
    """(N,) the number, or the place among the options; NaN where it does not exist."""
    values = leaf.value.values if leaf.value.is_ordered else range(len(leaf.value.values))
    measured: FloatArray = np.array([*values, np.nan], dtype=float)[tokens]
    return measured


def _of_blocks(space: ArchitectureSpace) -> list[Factor]:
    factors = []
    for (part, field), of_field in space.repeated_fields.items():
        value = space.leaves[of_field[0]].value
        kind = field or part
        if value.is_ordered:
            factors.append(Factor(name=f"mean {kind}", kind=kind, is_derived=True))
            continue
        what = part if field is None else f"{part} whose {field}"
        factors += [
            Factor(name=f"number of {what} is {option}", kind=kind, is_derived=True)
            if field is not None
            else Factor(name=f"number of {part} {option}", kind=kind, is_derived=True)
            for option in value.values
        ]
    return factors


def _mean(values: FloatArray) -> FloatArray:
    """(N, K) -> (N,) the mean of those that exist; NaN where none does."""
    n_existing = (~np.isnan(values)).sum(axis=1)
    means: FloatArray = np.full(len(values), np.nan)
    np.divide(np.nan_to_num(values).sum(axis=1), n_existing, out=means, where=n_existing > 0)
    return means
