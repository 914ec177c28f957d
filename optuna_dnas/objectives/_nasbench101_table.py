"""The NASBench-101 table: what 423,624 cells achieve on CIFAR-10.

Source: Ying et al., *NAS-Bench-101: Towards Reproducible Neural Architecture Search*, 2019. The
query semantics are those of ``api.py`` of google-research/nasbench, without its budget counters
and its random choice of a run: both belong to the caller.

N: cells, R: runs of a cell at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs
from tqdm import tqdm

from optuna_dnas._typing import FloatArray
from optuna_dnas.exceptions import CorruptFileError
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives._nasbench101_record import cell_to_graph
from optuna_dnas.objectives._nasbench101_record import METRIC_NAMES
from optuna_dnas.objectives._nasbench101_record import STOPS
from optuna_dnas.objectives._nasbench101_store import convert
from optuna_dnas.objectives._nasbench101_store import is_current
from optuna_dnas.objectives._nasbench101_store import open_store
from optuna_dnas.search_space import ModelSpec


@dataclass(frozen=True)
class Metrics:
    """What a cell achieved, of one run or as the mean over runs.

    Args:
        validation_accuracy: Between 0 and 1; NaN if the table was opened without this metric, as
            are the next three.
        test_accuracy: Between 0 and 1.
        train_accuracy: Between 0 and 1.
        training_time: Seconds on a TPU v2 chip, from the start of the training.
        trainable_parameters: Of the whole network.
    """

    validation_accuracy: float
    test_accuracy: float
    train_accuracy: float
    training_time: float
    trainable_parameters: int


class NASBench101Table:
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
        self._metric_names = tuple(metrics)
        self._cells, self._metrics = open_store(self._path)
        # A binary search wants native numbers side by side; 8 of the 16 bytes suffice.
        self._prefixes = self.hashes[:, :8].copy().view(">u8")[:, 0].astype(np.uint64)  # (N,)
        if (self._prefixes[1:] < self._prefixes[:-1]).any():
            raise CorruptFileError(f"{self._path}: the cells are not sorted by hash.")

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

    def __len__(self) -> int:
        """The number of unique cells."""
        return len(self._cells)

    def __contains__(self, spec: object) -> bool:
        return isinstance(spec, ModelSpec) and self._find(spec) is not None

    def __repr__(self) -> str:
        return f"NASBench101Table.open({str(self._path)!r}, metrics={self._metric_names!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self._path, self._metric_names)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The metrics that the table was opened with."""
        return self._metric_names

    @property
    def path(self) -> Path:
        """The directory of the store."""
        return self._path

    @property
    def epochs(self) -> tuple[int, ...]:
        """The available numbers of epochs, ascending."""
        return tuple(sorted(self._metrics))

    @property
    def n_repeats(self) -> int:
        """The number of runs of a cell; some cells may have fewer."""
        return max(int(metrics.shape[1]) for metrics in self._metrics.values())

    @property
    def hashes(self) -> npt.NDArray[np.uint8]:
        """(N, 16) the bytes of the hashes, ascending; a memory map."""
        hashes: npt.NDArray[np.uint8] = self._cells["hash"]
        return hashes

    def cell(self, index: int) -> ModelSpec:
        """The cell whose hash is ``hashes[index]``."""
        return ModelSpec(*cell_to_graph(self._cells[index]))

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
        runs = self._metrics[self._check_epochs(epochs)]
        stop_index = _stop_index(stop)
        index = self._find(spec)
        if index is None:
            raise OutOfDomainError(f"The table does not hold the cell {spec}.")
        values = _select(runs[index, :, stop_index], repeat)  # (4,)
        if values is None:
            raise OutOfDomainError(f"The table holds no run of {epochs} epochs of {spec}.")
        by_name = dict(zip(METRIC_NAMES, values.tolist(), strict=True))
        return Metrics(
            **{name: by_name[name] if name in self._metric_names else np.nan for name in by_name},
            trainable_parameters=int(self._cells[index]["trainable_parameters"]),
        )

    def mean(self, metric: str, *, epochs: int = 108, stop: str = "final") -> FloatArray:
        """(N,) mean over the runs of every cell, in the order of `hashes`; NaN without a run.

        For analysis and ground truth only: a search must never see this, it asks :meth:`query`
        about the cells that it proposes.

        Raises:
            ValueError: One of the arguments is none of the table's, or the table was opened
                without ``metric``.
        """
        if metric not in self._metric_names:
            raise ValueError(f"`metric` must be of {self._metric_names}, but got {metric!r}.")
        runs = self._metrics[self._check_epochs(epochs)]
        values = runs[:, :, _stop_index(stop), METRIC_NAMES.index(metric)]  # (N, R)
        n_runs = np.count_nonzero(~np.isnan(values), axis=1)
        means = np.full(len(values), np.nan)
        np.divide(np.nansum(values, axis=1), n_runs, out=means, where=n_runs > 0)
        return means

    def _check_epochs(self, epochs: int) -> int:
        if epochs not in self._metrics:
            raise ValueError(f"`epochs` must be one of {self.epochs}, but got {epochs!r}.")
        return epochs

    def _find(self, spec: ModelSpec) -> int | None:
        digest = bytes.fromhex(spec.hash())
        prefix = np.uint64(int.from_bytes(digest[:8], "big"))
        index = int(np.searchsorted(self._prefixes, prefix))
        while index < len(self) and self._prefixes[index] == prefix:
            if self._cells[index]["hash"].tobytes() == digest:
                return index
            index += 1
        return None


def _reopen(store: Path, metrics: tuple[str, ...]) -> NASBench101Table:
    return NASBench101Table(store, metrics=metrics)


def _stop_index(stop: str) -> int:
    if stop not in STOPS:
        raise ValueError(f"`stop` must be one of {STOPS}, but got {stop!r}.")
    return STOPS.index(stop)


def _select(
    runs: FloatArray,  # (R, 4)
    repeat: int | None,
) -> FloatArray | None:
    """(4,) of one run or of the mean; `None` if there is no run at all."""
    present = runs[~np.isnan(runs[:, 0])]
    if not len(present):
        return None
    if repeat is None:
        mean: FloatArray = present.mean(axis=0)
        return mean
    if not 0 <= repeat < len(present):
        raise ValueError(f"`repeat` must be in 0..{len(present) - 1}, but got {repeat!r}.")
    run: FloatArray = present[repeat]
    return run


def _file_to_store(path: Path, target: Path | None, progress: bool) -> Path:
    path = path.absolute()
    beside, cached = path.with_name(f"{path.name}.store"), _cached_store(path)
    for store in (beside, cached) if target is None else (target,):
        if is_current(store, path):
            return store
    store = target or (beside if os.access(path.parent, os.W_OK) else cached)
    store.parent.mkdir(parents=True, exist_ok=True)
    with tqdm(
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
    return Path(platformdirs.user_cache_dir("optuna-dnas")) / f"{path.name}-{digest}.store"


def _advance(bar: Any, done: int) -> None:
    bar.update(done - bar.n)
