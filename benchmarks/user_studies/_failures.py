"""Trials that fail by chance, whatever their parameters."""

from collections.abc import Callable

import numpy as np
import optuna

from benchmarks.user_studies._case import Case
from benchmarks.user_studies._case import SimulatedError


class Chance(Case):
    """A table of 144 points: two numbers of twelve values. Three in ten trials end by an error.

    Args:
        seed: Of the table, and of the errors.
    """

    n_trials = 80
    _N_VALUES, _FAILING = 12, 0.3

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        rng = np.random.default_rng(seed)
        places = np.stack(np.meshgrid(*[np.arange(self._N_VALUES)] * 2, indexing="ij"))
        best = rng.integers(self._N_VALUES, size=(2, 1, 1))
        table = (((places - best) / self._N_VALUES) ** 2).sum(axis=0)
        self._table = table + 0.02 * rng.uniform(size=table.shape) * (table > 0)
        self._fails = rng.uniform(size=10 * self.n_trials) < self._FAILING

    def __call__(self, trial: optuna.Trial) -> float:
        point = tuple(trial.suggest_int(name, 0, self._N_VALUES - 1) for name in ("a", "b"))
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


FAILURES: dict[str, Callable[[int], Case]] = {
    "chance-errors": Chance,
    "chance-nan": ChanceNaN,
}
