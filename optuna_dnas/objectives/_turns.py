"""Which threads of a process may work at the same time.

Locks are kept here and not in what they guard, which stays free to be pickled, copied, and written
by users.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import os
import threading
from typing import TypeVar


T = TypeVar("T")


class _Turn:
    """Of one object."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.n_threads = 0  # that hold or await it


class _Turns:
    """All of a process, by the identity of an object; only those that a thread holds or awaits.

    Whoever does, refers to the object: its identity is not that of another one meanwhile.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._turns: dict[int, _Turn] = {}

    @contextmanager
    def taken(self, thing: object) -> Iterator[None]:
        with self._guard:
            turn = self._turns.setdefault(id(thing), _Turn())
            turn.n_threads += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._guard:
                turn.n_threads -= 1
                if turn.n_threads == 0:
                    del self._turns[id(thing)]


class _Room:
    """Threads that work side by side, or one that is alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._n_within = self._n_waiting = 0
        self._is_taken = False
        self._own = threading.local()

    @contextmanager
    def entered(self, *, alone: bool) -> Iterator[None]:
        if getattr(self._own, "is_within", False):
            yield
            return
        self._enter(alone=alone)
        self._own.is_within = True
        try:
            yield
        finally:
            self._own.is_within = False
            self._leave()

    def _enter(self, *, alone: bool) -> None:
        with self._changed:
            if not alone:
                # Those who come later would keep out for ever who waits for an empty room.
                self._changed.wait_for(lambda: not self._is_taken and self._n_waiting == 0)
            else:
                self._n_waiting += 1
                try:
                    self._changed.wait_for(lambda: self._n_within == 0)
                    self._is_taken = True
                finally:
                    self._n_waiting -= 1
                    self._changed.notify_all()
            self._n_within += 1

    def _leave(self) -> None:
        with self._changed:
            self._n_within -= 1
            self._is_taken = False
            self._changed.notify_all()


_turns, _room = _Turns(), _Room()


@contextmanager
def exclusive(thing: T) -> Iterator[T]:
    """Give an object to one thread of this process at a time; the others wait.

    A thread may take again what it has.
    """
    with _turns.taken(thing):
        yield thing


@contextmanager
def computing(*, alone: bool = False) -> Iterator[None]:
    """Compute beside other threads, or ``alone``: when they have done, and before others begin.

    A thread that computes already goes on as it is.
    """
    with _room.entered(alone=alone):
        yield


def _forget() -> None:
    """A forked process has one thread: the others will never give back what they hold."""
    global _turns, _room
    _turns, _room = _Turns(), _Room()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
