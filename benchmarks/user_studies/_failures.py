"""Trials that end for no reason of their own: by chance, or because somebody stopped them."""

from collections.abc import Callable

import numpy as np
import optuna
from optuna.study import StudyDirection

from benchmarks.user_studies._case import Case
from benchmarks.user_studies._case import SimulatedError
from optuna_dnas.objectives import DigitsCellObjective


class Chance(Case):
    """A table of 144 points: two categories of twelve values. Three in ten trials end by an error.

    Args:
        seed: Of the table, and of the errors.
    """

    n_trials = 80
    _N_VALUES, _FAILING = 12, 0.3

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        rng = np.random.default_rng(1_000 + seed)
        n = self._N_VALUES
        table = np.add.outer(rng.normal(size=n), rng.normal(size=n))
        self._table = table + 0.5 * rng.normal(size=(n, n))
        self._fails = rng.random(10 * self.n_trials) < self._FAILING
        self.optimum = float(self._table.min())

    def __call__(self, trial: optuna.Trial) -> float:
        values = list(range(self._N_VALUES))
        point = tuple(trial.suggest_categorical(name, values) for name in ("a", "b"))
        if self._fails[trial.number]:
            return self.fail()
        return float(self._table[point])

    def fail(self) -> float:
        """End the trial."""
        raise SimulatedError("Out of memory.")


class ChanceNaN(Chance):
    """The same; what fails returns NaN."""

    def fail(self) -> float:
        return float("nan")


class Interrupted(Case):
    """Digits' cells; somebody presses Ctrl-C in the first trial of the best one, and goes on."""

    n_trials = 70
    direction = StudyDirection.MAXIMIZE
    _N_INTERRUPTIONS = 1

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._objective = DigitsCellObjective()
        self.space = self._objective.space
        self.optimum = float(np.nanmax(self._objective.table.mean("validation_accuracy")))
        self._n_left = self._N_INTERRUPTIONS

    def __call__(self, trial: optuna.Trial) -> float:
        value = self._objective(trial)
        assert isinstance(value, float)
        if value == self.optimum and self._n_left:
            self._n_left -= 1
            raise KeyboardInterrupt
        return value


class Uninterrupted(Interrupted):
    """The same, to compare with."""

    _N_INTERRUPTIONS = 0


FAILURES: dict[str, Callable[[int], Case]] = {
    "chance-errors": Chance,
    "chance-nan": ChanceNaN,
    "interrupted": Interrupted,
    "uninterrupted": Uninterrupted,
}
