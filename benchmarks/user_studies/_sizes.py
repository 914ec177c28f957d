"""Studies of a size that few have: what sampling costs. Values are formulas, and cheap."""

from collections.abc import Callable
from collections.abc import Sequence
import functools
import itertools
import math

import optuna

from benchmarks.user_studies._case import Case


class Constraints(Case):
    """A sphere in three dimensions, and so many linear constraints that its optimum meets."""

    n_trials = 60

    def __init__(self, seed: int, n_constraints: int) -> None:
        super().__init__(seed)
        self._n_constraints = n_constraints

    def __call__(self, trial: optuna.Trial) -> float:
        point = _suggest(trial)
        for k in range(self._n_constraints):
            trial.set_constraint(f"c{k}", point[k % 3] - 0.6 - 0.3 * (k + 1) / self._n_constraints)
        return sum((x - 0.4) ** 2 for x in point)


class Objectives(Case):
    """So many distances from points on a circle."""

    n_trials = 60
    optimum = None

    def __init__(self, seed: int, n_objectives: int) -> None:
        super().__init__(seed)
        self.n_objectives = n_objectives

    def __call__(self, trial: optuna.Trial) -> Sequence[float]:
        x, y, z = _suggest(trial)
        angles = [2 * math.pi * k / self.n_objectives for k in range(self.n_objectives)]
        return [(x - math.cos(a)) ** 2 + (y - math.sin(a)) ** 2 + z for a in angles]


class Names(Case):
    """A parameter of a new name with every trial."""

    n_trials = 150

    def __call__(self, trial: optuna.Trial) -> float:
        trial.suggest_float(f"of trial {trial.number}", 0.0, 1.0)
        return sum((x - 0.4) ** 2 for x in _suggest(trial))


class Choices(Case):
    """One category: an order of seven, or a code of six letters."""

    n_trials = 60

    def __init__(self, seed: int, choices: Sequence[str]) -> None:
        super().__init__(seed)
        self._choices = choices
        self.optimum = min(map(_score, choices))

    def __call__(self, trial: optuna.Trial) -> float:
        return _score(trial.suggest_categorical("choice", self._choices)) + _suggest(trial)[0]


def _score(code: str) -> float:
    return float(sum(k * "abcdefg".index(letter) for k, letter in enumerate(code)))


def _suggest(trial: optuna.Trial) -> list[float]:
    return [trial.suggest_float(name, 0.0, 1.0) for name in "xyz"]


_ORDERS = ["".join(order) for order in itertools.permutations("abcdefg")]
_CODES = ["".join(code) for code in itertools.product("abcde", repeat=6)]

SIZES: dict[str, Callable[[int], Case]] = {"names": Names}
for _n in (1, 5, 10, 50, 100):
    SIZES[f"constraints-{_n}"] = functools.partial(Constraints, n_constraints=_n)
for _n in (3, 7, 10, 20):
    SIZES[f"objectives-{_n}"] = functools.partial(Objectives, n_objectives=_n)
for _choices in (_ORDERS, _CODES):
    SIZES[f"choices-{len(_choices)}"] = functools.partial(Choices, choices=_choices)
