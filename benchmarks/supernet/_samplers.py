"""The searches that are compared."""

from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from benchmarks.contenders import CONTENDERS
from optuna_dnas.benchmarking import SamplerFactory
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
        while True:
            tokens = self._space.sample_tokens(_N_DRAWS, rng)
            within = self._space.limits.allow(self._space.token_costs(tokens))
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


SEARCHES: dict[str, SamplerFactory] = {
    "Random": lambda seed, space: UniformSampler(space, seed),  # type: ignore[arg-type]
    "SemiNAS": CONTENDERS["SemiNAS"],
    "DNAS": CONTENDERS["DNAS"],
}
"""In the order of the table."""
