"""A call that goes on while trials run, and ends when the process does."""

from collections.abc import Callable
import threading
from typing import Generic
from typing import TypeVar
from weakref import finalize
from weakref import WeakSet


T = TypeVar("T")

_process_ends = threading.Event()
_threads: WeakSet[threading.Thread] = WeakSet()


class BackgroundCall(Generic[T]):
    """A function that runs in a thread of its own, from now on.

    Args:
        function: Called once; what takes long in it calls `stop_if_process_ends` now and then.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._results: list[T] = []
        self._error: BaseException | None = None
        # A daemon: the interpreter would wait for any other thread before it tells it to stop.
        self._thread = threading.Thread(target=self._run, name="optuna-dnas", daemon=True)
        _threads.add(self._thread)
        self._thread.start()

    def result(self) -> T:
        """Wait for what the function returns.

        Raises:
            BaseException: What the function has raised.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        if not self._results:
            # This process was forked from the one that the thread runs in.
            return self._function()
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._function())
        except BaseException as error:
            self._error = error


def stop_if_process_ends() -> None:
    """Raise `SystemExit` in a background call when the main thread is done; else do nothing."""
    if _process_ends.is_set() and threading.current_thread() in _threads:
        raise SystemExit


def _stop() -> None:
    # An interpreter that goes away while a thread is in native code aborts the process.
    _process_ends.set()
    for thread in tuple(_threads):
        thread.join()


# Not by `atexit`, which leaves out what a thread that imports torch at this moment registers.
finalize(_process_ends, _stop)
