"""Work in several processes, so that CPU times compare and a kill leaves nothing behind."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import as_completed
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
import os
import threading
from typing import TypeVar


_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def map_unordered(
    function: Callable[[_Item], _Result], items: Iterable[_Item], n_workers: int
) -> Iterator[_Result]:
    """Results in the order in which they are ready; if the caller stops, no more are begun.

    NumPy and PyTorch have one thread in a worker.
    """
    # They are read when NumPy and PyTorch are imported: a worker must not be a fork.
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(n_workers, context, initializer=_end_with_parent)
    try:
        futures = [pool.submit(function, item) for item in items]
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """A worker would wait for ever for a parent that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
