"""The table of digits: what all 2,532 cells of up to 5 vertices achieve on scikit-learn's digits.

The cells of NASBench-101 of this size, each trained with three seeds by
``benchmarks/build_digits.py`` and packed by ``benchmarks/pack_digits.py``.

N: cells, R: runs of a cell.
"""

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas.objectives._cell_table import CellTable
from optuna_dnas.objectives._cell_table import METRIC_NAMES
from optuna_dnas.objectives._cell_table import Metrics
from optuna_dnas.objectives._digits_archive import DigitsSettings
from optuna_dnas.objectives._digits_archive import read_archive
from optuna_dnas.search_space import ModelSpec


_FILE = "digits.npz"


class DigitsTable(CellTable):
    """The table of digits, which comes with the package. Get it with :meth:`load`.

    It is read-only, and may be used by several threads, by forked processes, and pickled: a copy
    is loaded again.

    Args:
        path: Another file of the same format; `None` is the one that comes with the package.

    Raises:
        CorruptFileError: The file is damaged.
    """

    def __init__(self, path: Traversable | None = None) -> None:
        self._path = path
        source = path or resources.files(__package__).joinpath(_FILE)
        archive = read_archive(source)
        super().__init__(archive.cells, metric_names=METRIC_NAMES, source=source)
        self._settings = archive.settings
        self._costs = {"flops": archive.flops, "params": archive.cells["trainable_parameters"]}
        accuracies = archive.n_correct / archive.settings.image_counts()
        self._runs: FloatArray = np.concatenate(  # (N, R, 2, 4)
            [archive.training_time[..., None], accuracies], axis=3
        )
        for array in (self._cells, self._runs):
            array.flags.writeable = False

    @classmethod
    def load(cls) -> "DigitsTable":
        """The table; a process reads it once."""
        return _load()

    def __repr__(self) -> str:
        return "DigitsTable.load()" if self._path is None else f"DigitsTable({self._path!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_load, ()) if self._path is None else (DigitsTable, (self._path,))

    @property
    def settings(self) -> DigitsSettings:
        """How the cells were trained."""
        return self._settings

    @property
    def n_repeats(self) -> int:
        """The number of runs of every cell."""
        return len(self._settings.seeds)

    def query(self, spec: ModelSpec, *, repeat: int | None = None, stop: str = "final") -> Metrics:
        """What training a cell gives.

        Args:
            spec: The cell, or one that is isomorphic to it.
            repeat: Which of the runs, from 0; `None` is the mean over all of them.
            stop: ``"final"``, or ``"halfway"`` for the metrics after half of the epochs.

        Raises:
            OutOfDomainError: The table does not hold this cell.
            ValueError: One of the options is none of the table's.
        """
        return self._query(spec, self._runs, repeat=repeat, stop=stop)

    def mean(self, metric: str, *, stop: str = "final") -> FloatArray:
        """(N,) mean over the runs of every cell, or its cost, in the order of `hashes`.

        For analysis and ground truth only: a search must never see this, it asks :meth:`query`
        about the cells that it proposes.

        Args:
            metric: One of :attr:`metric_names`, ``"flops"`` or ``"params"``.
            stop: ``"final"`` or ``"halfway"``.

        Raises:
            ValueError: One of the arguments is none of the table's.
        """
        names = (*self.metric_names, *self._costs)
        if metric not in names:
            raise ValueError(f"`metric` must be of {names}, but got {metric!r}.")
        if metric in self._costs:
            return self._costs[metric].astype(float)
        return self._mean(metric, self._runs, stop=stop)


@cache
def _load() -> DigitsTable:
    return DigitsTable()
