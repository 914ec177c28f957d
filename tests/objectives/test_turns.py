"""Threads that may work at the same time, and those that may not."""

from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
import multiprocessing
import os
import threading

import pytest

from optuna_dnas.objectives._turns import computing
from optuna_dnas.objectives._turns import exclusive


LONG = 30.0
"""Seconds until a test gives up."""
SHORT = 0.05
"""Seconds in which what is free would begin."""


class Unhashable:
    """Equal to all others, without hash, weak references or a place for a lock."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True


def begun(executor: ThreadPoolExecutor, work: Callable[[], None]) -> tuple[Future[None], bool]:
    """Whether ``work`` ends while the caller goes on holding what it holds."""
    future = executor.submit(work)
    try:
        future.result(timeout=SHORT)
    except TimeoutError:
        return future, False
    return future, True


def use(thing: object) -> None:
    with exclusive(thing):
        pass


def compute(*, alone: bool) -> None:
    with computing(alone=alone):
        pass


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def test_an_object_is_of_one_thread_at_a_time(executor: ThreadPoolExecutor) -> None:
    thing, other = Unhashable(), Unhashable()
    with exclusive(thing) as given:
        assert given is thing
        use(thing)  # Again in the same thread.
        future, has_begun = begun(executor, lambda: use(thing))
        assert not has_begun
        assert begun(executor, lambda: use(other))[1]
    future.result(LONG)


def test_what_raises_gives_back_what_it_has(executor: ThreadPoolExecutor) -> None:
    thing = Unhashable()
    with pytest.raises(ZeroDivisionError), exclusive(thing), computing(alone=True):
        _ = 1 / 0
    executor.submit(lambda: use(thing)).result(LONG)
    executor.submit(lambda: compute(alone=False)).result(LONG)


def test_computations_are_side_by_side_or_alone(executor: ThreadPoolExecutor) -> None:
    with computing():
        assert begun(executor, lambda: compute(alone=False))[1]
        waiting, has_begun = begun(executor, lambda: compute(alone=True))
        assert not has_begun
        later, has_begun = begun(executor, lambda: compute(alone=False))
        assert not has_begun  # Else who wants to be alone might wait for ever.
        compute(alone=False)  # But who is within already goes on.
        compute(alone=True)
    waiting.result(LONG)
    later.result(LONG)
    with computing(alone=True):
        future, has_begun = begun(executor, lambda: compute(alone=False))
        assert not has_begun
    future.result(LONG)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork.")
def test_a_forked_process_does_not_wait_for_threads_that_it_has_not() -> None:
    thing, is_held, is_done = Unhashable(), threading.Event(), threading.Event()

    def hold() -> None:
        with exclusive(thing), computing(alone=True):
            is_held.set()
            is_done.wait(LONG)

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait(LONG)
    process = multiprocessing.get_context("fork").Process(target=_work, args=(thing,))
    process.start()
    process.join(LONG)
    is_done.set()
    thread.join(LONG)
    assert process.exitcode == 0


def _work(thing: object) -> None:
    use(thing)
    compute(alone=True)
