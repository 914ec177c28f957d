"""Problems whose space is not declared: plain Optuna parameters, and their optimum is known."""

import itertools
import math
from pathlib import Path
from typing import Any
from typing import ClassVar

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.study import StudyDirection

from optuna_dnas.benchmarking import Problem
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.objectives import NASBench101Objective


REGRESSION_TABLE = Path(__file__).with_name("regression.npz")
REGRESSION_GRID: dict[str, list[Any]] = {
    "kernel": ["rbf", "laplace", "quadratic", "cubic"],
    "scaling": ["none", "standard", "range", "ranks"],
    "target": ["plain", "log", "root"],
    "components": list(range(1, 11)),
    "gamma": [10.0**k for k in range(-4, 3)],
    "alpha": [10.0**k for k in range(-4, 3)],
}


class Hartmann6(Problem):
    """The six-dimensional Hartmann function on [0, 1]^6."""

    optimum = -3.32237
    _ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
    _A = np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    )
    _P = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )

    def __call__(self, trial: optuna.Trial) -> float:
        x = np.array([trial.suggest_float(f"x{i}", 0.0, 1.0) for i in range(6)])
        exponents = (self._A * (x - self._P) ** 2).sum(axis=1)
        return float(-(self._ALPHA * np.exp(-exponents)).sum())


class Mixed(Problem):
    """Two floats (one logarithmic), an integer, a category, and a branch for one of them.

    The minimum is at rate 0.01, width 48, momentum 0.9 and the optimizer "sgd".
    """

    optimum = 0.0

    def __call__(self, trial: optuna.Trial) -> float:
        rate = trial.suggest_float("rate", 1e-5, 1.0, log=True)
        width = trial.suggest_int("width", 8, 128, step=8)
        optimizer = trial.suggest_categorical("optimizer", ["adam", "sgd", "rmsprop", "lion"])
        loss = (math.log10(rate) + 2) ** 2 / 4 + ((width - 48) / 60) ** 2
        if optimizer == "sgd":
            return loss + (trial.suggest_float("momentum", 0.0, 1.0) - 0.9) ** 2
        return loss + {"adam": 0.1, "rmsprop": 0.3, "lion": 0.5}[optimizer]


class CategoryTable(Problem):
    """Six categories of five values: random main effects, and half as large ones of pairs.

    The unit is the standard deviation of the 15,625 values.

    Args:
        seed: Of the effects.
    """

    _N_PARAMETERS, _N_CHOICES = 6, 5

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        n, c = self._N_PARAMETERS, self._N_CHOICES
        choices = np.stack(np.meshgrid(*[np.arange(c)] * n, indexing="ij"))  # (n, c, .., c)
        values = sum(rng.standard_normal(c)[choices[i]] for i in range(n))
        for i, j in itertools.combinations(range(n), 2):
            values = values + 0.5 * rng.standard_normal((c, c))[choices[i], choices[j]]
        self._values = (values - values.mean()) / values.std()
        self.optimum = float(self._values.min())

    def __call__(self, trial: optuna.Trial) -> float:
        names = [f"c{i}" for i in range(self._N_PARAMETERS)]
        index = tuple(trial.suggest_categorical(n, list("abcde")) for n in names)
        return float(self._values[tuple("abcde".index(letter) for letter in index)])


class Regression(Problem):
    """Kernel ridge regression on scikit-learn's diabetes: its cross-validated error.

    Measured on a grid (`benchmarks.build_regression`), and interpolated linearly in the logarithms
    of gamma and alpha: no point between is better than the best of the grid.
    """

    def __init__(self) -> None:
        with np.load(REGRESSION_TABLE) as file:
            self._errors = file["errors"].astype(float)
        self.optimum = float(self._errors.min())

    def __call__(self, trial: optuna.Trial) -> float:
        grid = REGRESSION_GRID
        names = ("kernel", "scaling", "target")
        index = [grid[n].index(trial.suggest_categorical(n, grid[n])) for n in names]
        index.append(trial.suggest_int("components", 1, 10) - 1)
        gamma = trial.suggest_float("gamma", grid["gamma"][0], grid["gamma"][-1], log=True)
        alpha = trial.suggest_float("alpha", grid["alpha"][0], grid["alpha"][-1], log=True)
        errors = self._errors[tuple(index)]  # (gamma, alpha)
        return float(_hat(gamma, grid["gamma"]) @ errors @ _hat(alpha, grid["alpha"]))


def _hat(value: float, grid: list[float]) -> np.ndarray:
    """The weights of a grid's values in linear interpolation by the logarithm."""
    log, logs = math.log(value), np.log(grid)
    weights = np.maximum(1 - np.abs(log - logs) / (logs[1] - logs[0]), 0.0)
    normalised: np.ndarray = weights / weights.sum()
    return normalised


class Sparse24(Problem):
    """8 floats, 8 integers and 8 categories, half of the numbers on log scales; 8 matter.

    Two floats are coupled, the best value of a third and of an integer hangs on a category, and
    two categories interact. What does not matter much adds one hundredth as much.

    Args:
        seed: Of where the minimum, 0, lies, and of the effects.
    """

    optimum = 0.0
    _N_CHOICES = (2, 3, 4, 5, 6, 3, 4, 5)

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        reals, linear, powers = rng.uniform(0.15, 0.85, (3, 8))
        # Best values of integers are on their grids: 0 .. 20, and the powers of 2 to 1024.
        integers = np.where(np.arange(8) % 2, np.rint(powers * 10) / 10, np.rint(linear * 20) / 20)
        self._centre = np.concatenate([reals, integers])
        self._best = [int(rng.integers(n)) for n in self._N_CHOICES]
        self._tables = [rng.uniform(0.3, 1.0, n) for n in self._N_CHOICES]
        for table, best in zip(self._tables, self._best, strict=True):
            table[best] = 0.0
        self._pair = rng.uniform(0.0, 1.0, self._N_CHOICES[2:4])
        self._pair[self._best[2], self._best[3]] = 0.0
        self._shift = rng.uniform(-0.3, 0.3, (2, self._N_CHOICES[4]))
        self._shift[:, self._best[4]] = 0.0

    def __call__(self, trial: optuna.Trial) -> float:
        numbers, choices = self._suggest(trial)
        gaps = numbers - self._centre
        gaps[[2, 8]] -= self._shift[:, choices[4]]
        a, b, c, d, e = gaps[[0, 1, 2, 8, 9]]
        losses = [t[k] for t, k in zip(self._tables, choices, strict=True)]
        loss = 4 * (a + b) ** 2 + (a - b) ** 2 + 6 * c**2 + 4 * d**2 + 3 * e**2
        loss += losses[2] + losses[4] + self._pair[choices[2], choices[3]]
        rest = np.delete(gaps, [0, 1, 2, 8, 9])
        return float(loss + 0.01 * ((rest**2).sum() + sum(losses)))

    def _suggest(self, trial: optuna.Trial) -> tuple[np.ndarray, list[int]]:
        """16 numbers in [0, 1], on their scale, and 8 categories."""
        numbers = []
        for i in range(4):
            numbers.append(trial.suggest_float(f"f{i}", -5.0, 5.0) / 10 + 0.5)
            numbers.append(math.log10(trial.suggest_float(f"g{i}", 1e-5, 1e0, log=True)) / 5 + 1)
        for i in range(4):
            numbers.append(trial.suggest_int(f"i{i}", 0, 20) / 20)
            numbers.append(math.log2(trial.suggest_int(f"j{i}", 1, 1024, log=True)) / 10)
        choices = [
            trial.suggest_categorical(f"k{i}", list(range(n)))
            for i, n in enumerate(self._N_CHOICES)
        ]
        return np.array(numbers), choices


class Divergence(Problem):
    """A formula like that of a training, which diverges where its rate is too large.

    How large it may be hangs on depth and normalisation. What diverges has the loss infinity,
    which every sampler sees; NaN would be seen by some of them only. It costs a query.

    The minimum is at rate 10^-1.6, decay 0.001, depth 12, width 300, dropout 0.2 and "gelu",
    and needs "batch".
    """

    optimum = 0.0
    _LARGEST: ClassVar[dict[str, float]] = {"none": -2.5, "batch": -0.7, "layer": -1.2}

    def __call__(self, trial: optuna.Trial) -> float:
        rate = math.log10(trial.suggest_float("rate", 1e-5, 1.0, log=True))
        decay = math.log10(trial.suggest_float("decay", 1e-6, 1e-1, log=True))
        depth = trial.suggest_int("depth", 2, 20)
        width = trial.suggest_int("width", 8, 512, log=True)
        dropout = trial.suggest_float("dropout", 0.0, 0.6)
        normalisation = trial.suggest_categorical("normalisation", list(self._LARGEST))
        activation = trial.suggest_categorical("activation", ["relu", "gelu", "tanh"])
        if rate > self._LARGEST[normalisation] - depth / 20:
            return math.inf
        loss = abs(rate + 1.6) + abs(decay + 3) / 3 + abs(depth - 12) / 10
        loss += abs(math.log(width / 300)) / 2 + 2 * abs(dropout - 0.2)
        return loss + 0.2 * (activation != "gelu")


class AnonymousCells(Problem):
    """The accuracy of cells of a table, as categories whose names tell nothing.

    Invalid cells are pruned. Limits of the objective are told when a cell has been evaluated.

    Args:
        objective: Has one metric, an accuracy.
        optimum: The best accuracy within the limits; `None`: the best of the table.
    """

    direction = StudyDirection.MAXIMIZE

    def __init__(
        self,
        objective: DigitsCellObjective | NASBench101Objective,
        optimum: float | None = None,
    ) -> None:
        self._objective = objective
        (metric,) = objective.metric_names
        best = float(np.nanmax(objective.table.mean(metric)))
        self.optimum = best if optimum is None else optimum

    def __call__(self, trial: optuna.Trial) -> float:
        params = {}
        for i, (name, distribution) in enumerate(self._objective.search_space.items()):
            assert isinstance(distribution, CategoricalDistribution)
            params[name] = trial.suggest_categorical(f"p{i:02}", distribution.choices)
        try:
            value = self._objective.evaluate(params)
        except OutOfDomainError as error:
            raise optuna.TrialPruned(str(error)) from None
        assert isinstance(value, float)
        for k, excess in enumerate(self._objective.evaluate_constraints(params).values()):
            trial.set_constraint(f"c{k}", excess)
        return value
