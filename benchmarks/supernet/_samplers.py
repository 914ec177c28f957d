"""The searches that are compared."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from benchmarks.contenders import ablated
from optuna_dnas import DNASSampler
from optuna_dnas.search_space import MobileNetSpace


_N_DRAWS = 100


class UniformSampler(BaseSampler):
    """Uniform architectures within the limits of the space.

    Args:
        space: Has the limits.
        seed: Of all draws.
    """

    def __init__(self, space: MobileNetSpace, seed: int) -> None:
        self._space = space
        self._seed = seed

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """All parameters of the space."""
        return self._space.distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw until one is within the limits."""
        rng = np.random.default_rng([self._seed, trial.number])
        limits, names = self._space.limits, self._space.cost_names
        while True:
            tokens = self._space.sample_tokens(_N_DRAWS, rng)
            within = limits.allow(self._space.token_costs(tokens), names)
            if within.any():
                return self._space.tokens_to_params(tokens[within][:1])[0]

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Raise `ValueError`: the space holds every parameter."""
        raise ValueError(f"`{param_name}` is no parameter of {self._space}.")


def _seminas(seed: int, space: MobileNetSpace, n_evaluations: int) -> DNASSampler:
    """As on ImageNet: a quarter at random, then three rounds of as many."""
    config = ablated(dense=False, disentangled=False)
    size = max(1, n_evaluations // 4)
    declared = replace(config.declared, n_startup_trials=size, round_size=size)
    return DNASSampler(seed=seed, space=space, config=replace(config, declared=declared))


SEARCHES: dict[str, Callable[[int, MobileNetSpace, int], BaseSampler]] = {
    "Random": lambda seed, space, _: UniformSampler(space, seed),
    "SemiNAS": _seminas,
    "DNAS": lambda seed, space, _: DNASSampler(seed=seed, space=space),
}
"""In the order of the table; made of a seed, a space, and the number of evaluations."""
