"""The NASBench-101 table: what 423,624 cells achieve on CIFAR-10.

Source: Ying et al., *NAS-Bench-101: Towards Reproducible Neural Architecture Search*, 2019. The
query semantics are those of ``api.py`` of google-research/nasbench, without its budget counters
and its random choice of a run: both belong to the caller.

N: cells, R: runs of a cell at most.
"""

from collections.abc import Sequence
import errno
from functools import cached_property
import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from optuna_dnas._files import cache_directory
from optuna_dnas._progress import progress_bar
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.objectives._cell_table import CellTable
from optuna_dnas.objectives._cell_table import METRIC_NAMES
from optuna_dnas.objectives._cell_table import Metrics
from optuna_dnas.objectives._nasbench101_store import convert
from optuna_dnas.objectives._nasbench101_store import is_current
from optuna_dnas.objectives._nasbench101_store import open_store
from optuna_dnas.objectives._stored_cell import cells_to_tokens
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space


# Costs are computed of so many cells at a time.
_CHUNK = 10_000


class NASBench101Table(CellTable):
    """A memory-mapped table of NASBench-101. Make one with :meth:`open`.

    It may be used by several threads, by forked processes, and pickled: a copy maps the same
    files again.

    Args:
        store: The directory of the store.
        metrics: The metrics to offer; the others are NaN.
    """

    def __init__(self, store: Path, *, metrics: Sequence[str] = METRIC_NAMES) -> None:
        for name in metrics:
            if name not in METRIC_NAMES:
                raise ValueError(f"`metrics` must be of {METRIC_NAMES}, but got {name!r}.")
        self._path = Path(store).absolute()
        cells, self._runs = open_store(self._path)
        super().__init__(cells, metric_names=metrics, source=self._path)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        metrics: Sequence[str] = METRIC_NAMES,
        store: str | os.PathLike[str] | None = None,
        progress: bool = False,
    ) -> "NASBench101Table":
        """Open an official TFRecord file, or the store that an earlier call made from it.

        The first call for a file converts it, within a minute, into a store beside it, or in the
        user's cache directory if that folder is not writable. Later calls reuse the store, unless
        the file is newer or has another size.

        Args:
            path: ``nasbench_only108.tfrecord``, ``nasbench_full.tfrecord``, or a store.
            metrics: The metrics to offer, of ``"training_time"``, ``"train_accuracy"``,
                ``"validation_accuracy"`` and ``"test_accuracy"``. The others are NaN in every
                answer, so that a search without test accuracy cannot see it by accident.
            store: Where a conversion puts the store, instead of these two places.
            progress: Whether a conversion shows a progress bar.

        Raises:
            FileNotFoundError: ``path`` does not exist.
            CorruptFileError: It is neither, or damaged; the message says where.
            FileExistsError: Something else has the name of the store.
        """
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        if path.is_dir():
            return cls(path, metrics=metrics)
        target = None if store is None else Path(store).absolute()
        return cls(_file_to_store(path, target, progress), metrics=metrics)

    def __repr__(self) -> str:
        return f"NASBench101Table.open({str(self._path)!r}, metrics={self._metric_names!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self._path, self._metric_names)

    @property
    def path(self) -> Path:
        """The directory of the store."""
        return self._path

    @property
    def epochs(self) -> tuple[int, ...]:
        """The available numbers of epochs, ascending."""
        return tuple(sorted(self._runs))

    @property
    def n_repeats(self) -> int:
        """The number of runs of a cell; some cells may have fewer."""
        return max(int(metrics.shape[1]) for metrics in self._runs.values())

    def query(
        self,
        spec: ModelSpec,
        *,
        epochs: int = 108,
        repeat: int | None = None,
        stop: str = "final",
    ) -> Metrics:
        """What training a cell gives.

        Args:
            spec: The cell, or one that is isomorphic to it.
            epochs: How long it was trained, one of :attr:`epochs`.
            repeat: Which of the runs, from 0; `None` is the mean over all of them.
            stop: ``"final"``, or ``"halfway"`` for the metrics after half of the epochs.

        Raises:
            OutOfDomainError: The table does not hold this cell, or no run of it with so many
                epochs.
            ValueError: One of the options is none of the table's.
        """
        return self._query(
            spec,
            self._runs[self._check_epochs(epochs)],
            repeat=repeat,
            stop=stop,
            description=f"run of {epochs} epochs",
        )

    def mean(self, metric: str, *, epochs: int = 108, stop: str = "final") -> FloatArray:
        """(N,) mean over the runs of every cell, in the order of `hashes`; NaN without a run.

        Instead of a metric it may be ``"flops"`` or ``"params"``, which take some seconds.

        For analysis and ground truth only: a search must never see this, it asks :meth:`query`
        about the cells that it proposes.

        Raises:
            ValueError: One of the arguments is none of the table's, or the table was opened
                without ``metric``.
        """
        cost_names = NASBench101Space.cost_names
        if metric in cost_names:
            return self._costs[:, cost_names.index(metric)]
        if metric not in self._metric_names:
            raise ValueError(f"`metric` must be of {self._metric_names}, but got {metric!r}.")
        return self._mean(metric, self._runs[self._check_epochs(epochs)], stop=stop)

    def tokens(self, rows: IntArray | slice) -> IntArray:
        """(n,) places in `hashes` -> (n, 26) tokens of `NASBench101Space`, as they were written.

        Not canonical; the output is moved to the last slot.
        """
        return cells_to_tokens(self._cells[rows])

    @cached_property
    def _costs(self) -> FloatArray:
        """(N, 2) multiply-adds and parameters of the cells as the authors wrote them down."""
        space = NASBench101Space()
        chunks = [slice(k, k + _CHUNK) for k in range(0, len(self), _CHUNK)]
        return np.concatenate([space.token_costs(self.tokens(rows)) for rows in chunks])

    def _check_epochs(self, epochs: int) -> int:
        if epochs not in self._runs:
            raise ValueError(f"`epochs` must be one of {self.epochs}, but got {epochs!r}.")
        return epochs


def _reopen(store: Path, metrics: tuple[str, ...]) -> NASBench101Table:
    return NASBench101Table(store, metrics=metrics)


def _file_to_store(path: Path, target: Path | None, progress: bool) -> Path:
    path = path.absolute()
    beside, cached = path.with_name(f"{path.name}.store"), _cached_store(path)
    for store in (beside, cached) if target is None else (target,):
        if is_current(store, path):
            return store
    store = target or (beside if os.access(path.parent, os.W_OK) else cached)
    store.parent.mkdir(parents=True, exist_ok=True)
    with progress_bar(
        total=path.stat().st_size,
        unit="B",
        unit_scale=True,
        desc=f"Converting {path.name}",
        disable=not progress,
    ) as bar:
        convert(path, store, on_progress=lambda done: _advance(bar, done))
    return store


def _cached_store(path: Path) -> Path:
    """Files of different folders may have one name."""
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return cache_directory() / f"{path.name}-{digest}.store"


def _advance(bar: Any, done: int) -> None:
    bar.update(done - bar.n)
