"""Spaces that are no box: branches, depths, parameters that come later."""

from collections.abc import Callable
import functools
import math
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution

from benchmarks.user_studies._case import Case


class Branches(Case):
    """Rate and decay have another range in each of two branches.

    The minimum is at Adam with the rate 10^-3.5 and the decay 0.01.
    """

    n_trials = 100
    _BRANCHES = {  # noqa: RUF012
        # Ranges of the logarithms of rate and decay, their best values, and the loss there.
        "sgd": ((-2.0, 0.0), (-4.0, -2.0), (-1.0, -3.0), 0.1),
        "adam": ((-5.0, -3.0), (-3.0, 0.0), (-3.5, -2.0), 0.0),
    }

    def __call__(self, trial: optuna.Trial) -> float:
        name = trial.suggest_categorical("optimizer", list(self._BRANCHES))
        rates, decays, best, loss = self._BRANCHES[name]
        rate = trial.suggest_float("rate", *(10**k for k in rates), log=True)
        decay = trial.suggest_float("decay", *(10**k for k in decays), log=True)
        gaps = [math.log10(x) - at for x, at in zip((rate, decay), best, strict=True)]
        return loss + sum(gap**2 for gap in gaps)


class Depth(Case):
    """A depth decides which of three parameters there are.

    The minimum is at five eighths of the largest depth, where two of them exist.

    Args:
        seed: Not used.
        largest: Depth.
    """

    n_trials = 80

    def __init__(self, seed: int, largest: int) -> None:
        super().__init__(seed)
        self._largest = largest

    def __call__(self, trial: optuna.Trial) -> float:
        depth = trial.suggest_int("depth", 1, self._largest)
        loss = (math.log10(trial.suggest_float("rate", 1e-5, 1.0, log=True)) + 2) ** 2 / 4
        loss += 4 * ((depth - round(0.625 * self._largest)) / self._largest) ** 2
        for start, best in ((0.25, 0.2), (0.5, 0.7), (0.75, 0.4)):
            if depth >= start * self._largest:
                loss += 4 * (trial.suggest_float(f"from {start}", 0.0, 1.0) - best) ** 2
        return loss


_EARLY: dict[str, BaseDistribution] = {
    "x": FloatDistribution(0.0, 1.0),
    "kind": CategoricalDistribution(("a", "b", "c")),
}
_LATE: dict[str, BaseDistribution] = {
    "y": FloatDistribution(0.0, 1.0),
    "z": FloatDistribution(0.0, 1.0),
}
_KINDS = {"a": 0.3, "b": 0.0, "c": 0.1}


class Late(Case):
    """Two more parameters, after so many trials without them.

    Args:
        seed: Of the trials without them.
        n_before: How many there are.
    """

    n_trials = 60

    def __init__(self, seed: int, n_before: int) -> None:
        super().__init__(seed)
        self._n_before = n_before

    def earlier_trials(self) -> list[optuna.trial.FrozenTrial]:
        sampler = optuna.samplers.TPESampler(seed=self.seed)
        early = optuna.create_study(sampler=sampler)
        # Where the late parameters had a fixed value.
        early.optimize(lambda t: self._loss(_ask(t, _EARLY)) + 0.5, n_trials=self._n_before)
        return early.trials

    def __call__(self, trial: optuna.Trial) -> float:
        return self._loss(_ask(trial, _EARLY | _LATE))

    def _loss(self, params: dict[str, Any]) -> float:
        loss = float(_KINDS[params["kind"]] + (params["x"] - 0.3) ** 2)
        for name, best in (("y", 0.8), ("z", 0.15)):
            loss += (params.get(name, best) - best) ** 2
        return loss


class Imported(Late):
    """Trials of another program: they miss one parameter, and have one that is not asked for."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, n_before=40)

    def earlier_trials(self) -> list[optuna.trial.FrozenTrial]:
        space = {"x": _EARLY["x"], **_LATE, "threads": FloatDistribution(1.0, 8.0)}
        random = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=self.seed))
        random.optimize(lambda t: self._loss({"kind": "c"} | _ask(t, space)), self._n_before)
        return random.trials


def _ask(trial: optuna.Trial, distributions: dict[str, BaseDistribution]) -> dict[str, Any]:
    return {
        name: trial._suggest(name, distribution) for name, distribution in distributions.items()
    }


SPACES: dict[str, Callable[[int], Case]] = {"branches": Branches, "imported": Imported}
for _largest in (32, 33, 64):
    SPACES[f"depth-{_largest}"] = functools.partial(Depth, largest=_largest)
for _n_before in (0, 100, 300):
    SPACES[f"late-{_n_before}"] = functools.partial(Late, n_before=_n_before)
