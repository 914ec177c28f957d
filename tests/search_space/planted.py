"""A made-up accuracy of mobile networks."""

import numpy as np
import optuna
from optuna.trial import Trial

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.search_space import MobileNetSpace


class Planted:
    """Effects of the layers, of neighbours' kernels, and of depth; in standard deviations.

    Kernel and expansion of each layer count by themselves, the kernels of neighbours together,
    and layers the less the more there are of a stage.

    Args:
        space: The networks. Its limits are recorded as constraints.
        seed: Of the effects.
    """

    def __init__(self, space: MobileNetSpace, seed: int) -> None:
        rng, shape = np.random.default_rng(seed), space.shape
        n_layers, n_kernels = len(shape.layers), len(shape.kernels)
        absent = np.zeros((n_layers, 1))
        self.space = space
        self._kernel = np.hstack([rng.normal(size=(n_layers, n_kernels)), absent])
        self._expansion = np.hstack([rng.normal([0.0, 0.8], size=(n_layers, 2)), absent])
        self._pair = rng.normal(0.0, 0.7, (n_layers - 1, n_kernels + 1, n_kernels + 1))
        self._depth = rng.normal(1.6, 1.0, len(shape.stages))
        self._stage = np.array([layer.stage for layer in shape.layers])
        random = self._raw(space.sample_tokens(5_000, np.random.default_rng(0)))
        self._mean, self._deviation = random.mean(), random.std()

    def __call__(self, trial: Trial) -> float:
        spec = self.space.suggest(trial)
        for key, excess in self.space.limits.excesses(self.space.cost(spec)).items():
            trial.set_constraint(key, excess)
        params = self.space.architecture_to_params(spec)
        (value,) = self._raw(self.space.params_to_tokens([params]))
        return float((value - self._mean) / self._deviation)

    def _raw(self, tokens: TokenArray) -> FloatArray:
        """(N, T) canonical tokens -> (N,)."""
        kernels, expansions = tokens[:, ::2], tokens[:, 1::2]
        k = np.arange(kernels.shape[1])
        is_present = kernels < self._kernel.shape[1] - 1
        depths = np.stack([is_present[:, self._stage == s].sum(axis=1) for s in set(self._stage)])
        values: FloatArray = (
            self._kernel[k, kernels].sum(axis=1)
            + self._expansion[k, expansions].sum(axis=1)
            + self._pair[k[:-1], kernels[:, :-1], kernels[:, 1:]].sum(axis=1)
            + self._depth @ np.sqrt(depths)
        )
        return values


def below_median(space: MobileNetSpace) -> MobileNetSpace:
    """The space with at most the multiply-adds of its median network."""
    tokens = space.sample_tokens(2_000, np.random.default_rng(0))
    limits = {"flops": float(np.median(space.token_costs(tokens)[:, 0]))}
    return MobileNetSpace(space.shape, limits=limits)


def best_allowed(study: optuna.Study) -> float:
    """The best value within all limits."""
    return max(
        trial.value
        for trial in study.trials
        if trial.value is not None and all(c <= 0 for c in trial.constraints.values())
    )
