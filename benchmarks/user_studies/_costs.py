"""Limits of a cost that users count themselves, and those of our own objectives."""

from collections.abc import Callable
import functools
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.study import StudyDirection

from benchmarks.options import open_table
from benchmarks.user_studies._case import Case
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.objectives import NASBench101Objective
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import NASBench101Space


DIGITS_LIMITS = {"params-4706": 4706, "params-15890": 15890, "flops-43840": 43840}


class PackageObjective(Case):
    """The accuracy of digits' cells within a limit, by the objective of the package.

    Args:
        seed: Not used.
        cost: ``"params"`` or ``"flops"``.
        limit: Of it.
    """

    n_trials = 60
    direction = StudyDirection.MAXIMIZE

    def __init__(self, seed: int, cost: str, limit: int) -> None:
        super().__init__(seed)
        self._objective: DigitsCellObjective = DigitsCellObjective(limits={cost: limit})
        self.space = self._objective.space
        self.optimum = _best_of_digits(cost, limit)

    def __call__(self, trial: optuna.Trial) -> float:
        value = self._objective(trial)
        assert isinstance(value, float)
        return value


class OwnCount(Case):
    """The same cells and limit; the user counts, in thousands and with what is around the cells.

    The constraint has the name that the package's objective would give it.
    """

    n_trials = 60
    direction = StudyDirection.MAXIMIZE

    def __init__(self, seed: int, cost: str, limit: int) -> None:
        super().__init__(seed)
        self._cost, self._limit = cost, limit
        self._objective = DigitsCellObjective()
        self.optimum = _best_of_digits(cost, limit)

    def __call__(self, trial: optuna.Trial) -> float:
        params = suggest(trial, self._objective)
        value = evaluate(self._objective, params)
        cell = self._objective.space.params_to_architecture(params)
        cost = self._objective.space.cost(cell)
        assert cost is not None
        count = cost[self._cost]
        trial.set_constraint(f"max_{self._cost}", (1.1 * (count - self._limit)) / 1000)
        return value


class Millions(Case):
    """Cells of NASBench-101, and a limit of parameters in millions."""

    n_trials = 60
    direction = StudyDirection.MAXIMIZE
    _LIMIT = 2.5

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._objective = NASBench101Objective(open_table(), metrics=["test_accuracy"])
        self.optimum = _best_of_nasbench101(self._LIMIT)

    def __call__(self, trial: optuna.Trial) -> float:
        params = suggest(trial, self._objective)
        value = evaluate(self._objective, params)
        cell = self._objective.space.params_to_architecture(params)
        cost = self._objective.space.cost(cell)
        assert cost is not None
        trial.set_constraint("max_params", cost.params / 1e6 - self._LIMIT)
        return value


class OtherImages(Case):
    """Mobile networks of images of 96 pixels, within 60 million multiply-adds.

    Recognized are networks for 224 pixels. The accuracy is a formula: saturating returns of the
    kernel and the expansion of each layer, with weights by chance.
    """

    n_trials = 60
    direction = StudyDirection.MAXIMIZE
    optimum = 80.0  # No network comes there.
    _LIMIT = 60e6

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._own = MobileNetSpace(MobileNetShape(image_size=96))
        rng = np.random.default_rng(seed)
        self._weights = [
            {choice: rng.uniform(0.5, 1.5) * gain for choice, gain in _GAINS.items()}
            for _ in self._own.distributions
        ]

    def __call__(self, trial: optuna.Trial) -> float:
        params: dict[str, Any] = {}
        for name, distribution in self._own.distributions.items():
            assert isinstance(distribution, CategoricalDistribution)
            params[name] = trial.suggest_categorical(name, distribution.choices)
        cost = self._own.cost(self._own.params_to_architecture(params))
        trial.set_constraint("max_flops", (cost.flops - self._LIMIT) / 1e6)
        gains = [of[choice] for of, choice in zip(self._weights, params.values(), strict=True)]
        return 80 - 30 * float(np.exp(-sum(gains) / len(gains)))


_GAINS = {
    "skip": 0.0,
    "k3e3": 1.0,
    "k5e3": 1.2,
    "k7e3": 1.3,
    "k3e6": 1.4,
    "k5e6": 1.6,
    "k7e6": 1.7,
}


def suggest(
    trial: optuna.Trial,
    objective: DigitsCellObjective | NASBench101Objective,
    *,
    is_anonymous: bool = False,
) -> dict[str, Any]:
    """The parameters of a cell, as a user asks for them who has copied their names, or has not."""
    params = {}
    for k, (name, distribution) in enumerate(objective.space.distributions.items()):
        assert isinstance(distribution, CategoricalDistribution)
        asked = f"p{k:02}" if is_anonymous else name
        params[name] = trial.suggest_categorical(asked, distribution.choices)
    return params


def evaluate(
    objective: DigitsCellObjective | NASBench101Objective, params: dict[str, Any]
) -> float:
    """An accuracy; parameters that make no cell are pruned."""
    try:
        value = objective.evaluate(params)
    except OutOfDomainError as error:
        raise optuna.TrialPruned(str(error)) from None
    assert isinstance(value, float)
    return value


@functools.cache
def _best_of_digits(cost: str, limit: int) -> float:
    table = DigitsTable.load()
    accuracies = table.mean("validation_accuracy")
    return float(accuracies[table.mean(cost) <= limit].max())


@functools.cache
def _best_of_nasbench101(limit: float) -> float:
    """Of cells in the vertex order in which a search evaluates them."""
    table, space = open_table(), NASBench101Space()
    accuracies = table.mean("test_accuracy")
    best_rows = np.argsort(-accuracies)[:50_000]
    tokens, _ = space.canonicalize(table.tokens(best_rows))
    _, params = space.token_costs(tokens).T
    return float(accuracies[best_rows][params <= 1e6 * limit].max())


COSTS: dict[str, Callable[[int], Case]] = {
    "own-count-params-millions": Millions,
    "own-count-images": OtherImages,
}
for _name, _limit in DIGITS_LIMITS.items():
    _cost = _name.partition("-")[0]
    COSTS[f"limit-{_name}"] = functools.partial(PackageObjective, cost=_cost, limit=_limit)
    COSTS[f"own-count-{_name}"] = functools.partial(OwnCount, cost=_cost, limit=_limit)
