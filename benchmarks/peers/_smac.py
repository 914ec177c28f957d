"""SMAC3 (Lindauer et al., JMLR 2022): Bayesian optimisation with a random forest."""

from collections.abc import Mapping
from collections.abc import Sequence
import math
import tempfile
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
from optuna.samplers import BaseSampler
from optuna.samplers import RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState


class SMACSampler(BaseSampler):
    """`HyperparameterOptimizationFacade` as its authors set it up, asked and told.

    It needs the package ``smac``. The first trial is random, and tells which parameters there are;
    then come the facade's own initial design, a quarter of ``n_trials`` at most, and its search.

    Args:
        seed: Of all draws.
        n_trials: How long the study will be.
    """

    def __init__(self, seed: int, *, n_trials: int = 100) -> None:
        self._seed, self._n_trials = seed, n_trials
        self._random = RandomSampler(seed=seed)
        self._asked: dict[int, Any] = {}
        self._smac: Any = None
        self._intersection = IntersectionSearchSpace()
        self._worst = -math.inf

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Parameters that all trials have."""
        return self._intersection.calculate(study)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """What SMAC asks for."""
        if not search_space:
            return {}
        if self._smac is None:
            self._smac = self._start(search_space)
            for earlier in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
                self._tell(self._info(earlier.params, search_space), study, earlier.values)
        info = self._smac.ask()
        self._asked[trial.number] = info
        return to_params(dict(info.config), search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A random value, in the first trial."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tell SMAC the value; one without is as bad as the worst, which is what can be told."""
        info = self._asked.pop(trial.number, None)
        has_value = state == TrialState.COMPLETE
        if info is not None and (has_value or self._worst > -math.inf):
            self._tell(info, study, values if has_value else None)

    def _start(self, search_space: Mapping[str, BaseDistribution]) -> Any:
        from ConfigSpace import ConfigurationSpace
        from smac import HyperparameterOptimizationFacade
        from smac import Scenario

        space = ConfigurationSpace(seed=self._seed)
        space.add([to_hyperparameter(name, d) for name, d in search_space.items()])
        scenario = Scenario(
            space,
            deterministic=True,
            n_trials=self._n_trials,
            seed=self._seed,
            output_directory=tempfile.mkdtemp(),
        )

        def never_called(config: object, seed: int = 0) -> float:
            raise AssertionError

        return HyperparameterOptimizationFacade(
            scenario, never_called, logging_level=False, overwrite=True
        )

    def _info(
        self, params: Mapping[str, Any], search_space: Mapping[str, BaseDistribution]
    ) -> Any:
        from ConfigSpace import Configuration
        from smac.runhistory import TrialInfo

        values = {name: to_value(params[name], d) for name, d in search_space.items()}
        return TrialInfo(Configuration(self._smac.scenario.configspace, values), seed=0)

    def _tell(self, info: Any, study: Study, values: Sequence[float] | None) -> None:
        from smac.runhistory import TrialValue

        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        cost = self._worst if values is None else sign * values[0]
        self._worst = max(self._worst, cost)
        self._smac.tell(info, TrialValue(cost), save=False)


def to_hyperparameter(name: str, distribution: BaseDistribution) -> Any:
    """For SMAC; categories are their places, as choices may be of any type."""
    from ConfigSpace import CategoricalHyperparameter
    from ConfigSpace import UniformFloatHyperparameter
    from ConfigSpace import UniformIntegerHyperparameter

    if isinstance(distribution, CategoricalDistribution):
        return CategoricalHyperparameter(name, [str(k) for k in range(len(distribution.choices))])
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high, log = distribution.low, distribution.high, distribution.log
    if isinstance(distribution, IntDistribution):
        n_steps = (distribution.high - distribution.low) // distribution.step
        if distribution.step > 1:
            return UniformIntegerHyperparameter(name, 0, n_steps)
        return UniformIntegerHyperparameter(name, low, high, log=log)
    if distribution.step is not None:
        n_steps = round((distribution.high - distribution.low) / distribution.step)
        return UniformIntegerHyperparameter(name, 0, n_steps)
    return UniformFloatHyperparameter(name, low, high, log=log)


def to_value(value: Any, distribution: BaseDistribution) -> Any:
    """What SMAC calls a value: the place of a category, or of a step."""
    if isinstance(distribution, CategoricalDistribution):
        return str(distribution.choices.index(value))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    if distribution.step is not None and distribution.step != 1:
        return round((value - distribution.low) / distribution.step)
    return value


def to_params(
    values: Mapping[str, Any], search_space: Mapping[str, BaseDistribution]
) -> dict[str, Any]:
    """The inverse of `to_value`."""
    params: dict[str, Any] = {}
    for name, distribution in search_space.items():
        value = values[name]
        if isinstance(distribution, CategoricalDistribution):
            params[name] = distribution.choices[int(value)]
            continue
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        if distribution.step is not None and distribution.step != 1:
            params[name] = distribution.low + int(value) * distribution.step
        else:
            params[name] = type(distribution.low)(value)
    return params
