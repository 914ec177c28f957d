"""Which subnets a step trains: a function of seed and step alone, the same in every process."""

from collections.abc import Callable

import numpy as np

from optuna_dnas._typing import IntArray
from optuna_dnas.search_space import MBConv
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpec


Paths = tuple[MobileNetSpec, ...]
"""The subnets of a step, whose gradients are averaged."""

_PathSampler = Callable[[MobileNetShape, np.random.Generator, int], Paths]


def paths_of_step(
    shape: MobileNetShape, *, sampling: str, n_random: int, seed: int, step: int
) -> Paths:
    """The subnets of a step; see `SupernetConfig`."""
    rng = np.random.default_rng([seed, step])
    return PATH_SAMPLERS[sampling](shape, rng, n_random)


def _uniform(shape: MobileNetShape, rng: np.random.Generator, n_random: int) -> Paths:
    """One subnet: every depth of a stage, every choice of a layer is as likely as another."""
    n_choices = len(shape.choices)
    return (_spec(shape, rng.integers(n_choices, size=len(shape.layers)), _depths(shape, rng)),)


def _fair(shape: MobileNetShape, rng: np.random.Generator, n_random: int) -> Paths:
    """Strict fairness (Chu et al., *FairNAS*, 2019): every choice of every layer exactly once.

    The depths are drawn once for all subnets of the step: otherwise some choices of a layer that
    may be skipped would be trained, and others not.
    """
    depths, n_choices = _depths(shape, rng), len(shape.choices)
    orders = np.stack([rng.permutation(n_choices) for _ in shape.layers], axis=1)
    return tuple(_spec(shape, row, depths) for row in orders)


def _sandwich(shape: MobileNetShape, rng: np.random.Generator, n_random: int) -> Paths:
    """The dearest, the cheapest, and some between (Yu & Huang, 2019)."""
    largest = MBConv(max(shape.kernels), max(shape.expansions))
    smallest = MBConv(min(shape.kernels), min(shape.expansions))
    between = (_uniform(shape, rng, n_random)[0] for _ in range(n_random))
    return (
        MobileNetSpec((largest,) * len(shape.layers)),
        MobileNetSpec(tuple(None if skip else smallest for skip in shape.may_skip)),
        *between,
    )


PATH_SAMPLERS: dict[str, _PathSampler] = {
    "uniform": _uniform,
    "fair": _fair,
    "sandwich": _sandwich,
}
"""By their names."""


def _depths(shape: MobileNetShape, rng: np.random.Generator) -> list[int]:
    return [1 + int(rng.integers(stage.n_layers)) for stage in shape.stages]


def _spec(shape: MobileNetShape, choices: IntArray, depths: list[int]) -> MobileNetSpec:
    """The first layers of each stage: where it is skipped makes no difference to a network."""
    is_present = [
        n < depth
        for stage, depth in zip(shape.stages, depths, strict=True)
        for n in range(stage.n_layers)
    ]
    layers = [
        shape.choices[c] if present else None
        for c, present in zip(choices.tolist(), is_present, strict=True)
    ]
    return MobileNetSpec(tuple(layers))
