"""What tables of trained cells have in common: how they are asked, and what they answer.

N: cells, R: runs of a cell at most. Runs are (N, R, 2, 4): cell, run, one of `STOPS`, one of
`METRIC_NAMES`; NaN where there was no run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optuna_dnas._metric import Metric
from optuna_dnas._metric import SHARE
from optuna_dnas._typing import FloatArray
from optuna_dnas.exceptions import CorruptFileError
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives._stored_cell import cell_to_graph
from optuna_dnas.search_space import ModelSpec


TRAINING_METRICS = (
    Metric("training_time", "minimize", "s"),
    Metric("train_accuracy", unit=SHARE),
    Metric("validation_accuracy", unit=SHARE),
    Metric("test_accuracy", unit=SHARE),
)
"""Of a cell that is trained, in the order of the tables' columns."""

METRIC_NAMES = tuple(metric.name for metric in TRAINING_METRICS)
STOPS = ("halfway", "final")


@dataclass(frozen=True)
class Metrics:
    """What a cell achieved, of one run or as the mean over runs.

    Args:
        validation_accuracy: Between 0 and 1; NaN if the table was opened without this metric, as
            are the next three.
        test_accuracy: Between 0 and 1.
        train_accuracy: Between 0 and 1.
        training_time: Seconds of one run from its start: on a TPU v2 chip in NASBench-101, of CPU
            time in the table of digits.
        trainable_parameters: Of the whole network.
    """

    validation_accuracy: float
    test_accuracy: float
    train_accuracy: float
    training_time: float
    trainable_parameters: int

    def by_name(self) -> dict[str, float]:
        """Those of `METRIC_NAMES`."""
        return {name: getattr(self, name) for name in METRIC_NAMES}


class CellTable:
    """Cells sorted by hash.

    Args:
        cells: (N,) of `CELL_DTYPE`.
        metric_names: The metrics to offer, of `METRIC_NAMES`; the others are NaN.
        source: Where the cells were read, for messages.

    Raises:
        CorruptFileError: The cells are not sorted.
    """

    def __init__(
        self, cells: npt.NDArray[np.void], *, metric_names: Sequence[str], source: object
    ) -> None:
        self._cells = cells
        self._metric_names = tuple(metric_names)
        # A binary search wants native numbers side by side; 8 of the 16 bytes suffice.
        self._prefixes = self.hashes[:, :8].copy().view(">u8")[:, 0].astype(np.uint64)  # (N,)
        if (self._prefixes[1:] < self._prefixes[:-1]).any():
            raise CorruptFileError(f"{source}: the cells are not sorted by hash.")

    def __len__(self) -> int:
        """The number of unique cells."""
        return len(self._cells)

    def __contains__(self, spec: object) -> bool:
        return isinstance(spec, ModelSpec) and self._find(spec) is not None

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The metrics that the table offers."""
        return self._metric_names

    @property
    def hashes(self) -> npt.NDArray[np.uint8]:
        """(N, 16) the bytes of the hashes, ascending."""
        hashes: npt.NDArray[np.uint8] = self._cells["hash"]
        return hashes

    def cell(self, index: int) -> ModelSpec:
        """The cell whose hash is ``hashes[index]``."""
        return ModelSpec(*cell_to_graph(self._cells[index]))

    def _query(
        self,
        spec: ModelSpec,
        runs: FloatArray,  # (N, R, 2, 4)
        *,
        repeat: int | None,
        stop: str,
        description: str = "run",
    ) -> Metrics:
        stop_index = _stop_index(stop)
        index = self._find(spec)
        if index is None:
            raise OutOfDomainError(f"The table does not hold the cell {spec}.")
        values = _select(runs[index, :, stop_index], repeat)
        if values is None:
            raise OutOfDomainError(f"The table holds no {description} of {spec}.")
        by_name = dict(zip(METRIC_NAMES, values.tolist(), strict=True))
        return Metrics(
            **{name: by_name[name] if name in self._metric_names else np.nan for name in by_name},
            trainable_parameters=int(self._cells[index]["trainable_parameters"]),
        )

    def _mean(
        self,
        metric: str,
        runs: FloatArray,  # (N, R, 2, 4)
        *,
        stop: str,
    ) -> FloatArray:
        """(N,) mean over the runs of every cell; NaN without a run."""
        values = runs[:, :, _stop_index(stop), METRIC_NAMES.index(metric)]  # (N, R)
        n_runs = np.count_nonzero(~np.isnan(values), axis=1)
        means = np.full(len(values), np.nan)
        np.divide(np.nansum(values, axis=1), n_runs, out=means, where=n_runs > 0)
        return means

    def _find(self, spec: ModelSpec) -> int | None:
        digest = bytes.fromhex(spec.hash())
        prefix = np.uint64(int.from_bytes(digest[:8], "big"))
        index = int(np.searchsorted(self._prefixes, prefix))
        while index < len(self) and self._prefixes[index] == prefix:
            if self._cells[index]["hash"].tobytes() == digest:
                return index
            index += 1
        return None


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
