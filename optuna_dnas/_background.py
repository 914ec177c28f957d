"""A call that goes on while trials run, and ends when the process does."""

from collections.abc import Callable
import threading
from typing import Generic
from typing import TypeVar


T = TypeVar("T")


class BackgroundCall(Generic[T]):
    """A function that runs in a thread of its own, from now on.

    Args:
        function: What takes long in it calls `stop_if_process_ends` now and then.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._thread = _Thread(target=self._run)
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
            # The thread was stopped, or is in the process that this one was forked from.
            return self._function()
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._function())
        except SystemExit:
            pass
        except BaseException as error:
            self._error = error


class _Thread(threading.Thread):
    """Not a daemon: the interpreter waits for it before it takes down what it uses.

    Native code that is in the middle of something would abort the whole process.
    """

    def __init__(self, target: Callable[[], None]) -> None:
        super().__init__(target=target, name="optuna-dnas", daemon=False)


def stop_if_process_ends() -> None:
    """Raise `SystemExit` in a background call if the main thread is done; else do nothing."""
    is_background = isinstance(threading.current_thread(), _Thread)
    if is_background and not threading.main_thread().is_alive():
        raise SystemExit
