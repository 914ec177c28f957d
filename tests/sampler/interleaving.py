"""Workers in threads of one process, which take the steps that a schedule says."""

from collections.abc import Callable
from collections.abc import Container
from collections.abc import Iterator
from collections.abc import Sequence
import threading
from typing import Any

from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial
from optuna.trial import TrialState


class StepwiseStorage(InMemoryStorage):
    """Its workers wait for their turn before they read trials, or write a system attribute."""

    def __init__(self) -> None:
        super().__init__()
        self._worker = threading.local()

    def run(self, tasks: Sequence[Callable[[], None]], choose: Callable[[int], int]) -> None:
        """Run tasks, one step of one of them at a time.

        Args:
            tasks: One a worker.
            choose: Which of so many workers that are not done takes the next step.
        """
        workers = [_Worker(task, self._worker) for task in tasks]
        for worker in workers:
            worker.step()
        while alive := [worker for worker in workers if worker.is_alive()]:
            alive[choose(len(alive))].step()
        for worker in workers:
            if worker.error is not None:
                raise worker.error

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        self._wait()
        return super().get_all_trials(study_id, deepcopy, states)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._wait()
        super().set_trial_system_attr(trial_id, key, value)

    def _wait(self) -> None:
        worker = getattr(self._worker, "worker", None)
        if worker is not None:
            worker.wait()


class _Worker(threading.Thread):
    def __init__(self, task: Callable[[], None], local: threading.local) -> None:
        super().__init__(daemon=True)
        self._task, self._local = task, local
        self._go, self._rests = threading.Semaphore(0), threading.Semaphore(0)
        self.error: BaseException | None = None

    def step(self) -> None:
        """Until before its next step, or its end."""
        if self.ident is None:
            self.start()
        else:
            self._go.release()
        assert self._rests.acquire(timeout=60)
        if self._is_done:
            self.join()

    _is_done = False

    def wait(self) -> None:
        self._rests.release()
        self._go.acquire()

    def run(self) -> None:
        self._local.worker = self
        try:
            self._task()
        except BaseException as error:
            self.error = error
        self._is_done = True
        self._rests.release()


def all_schedules() -> Iterator[Callable[[int], int]]:
    """One after the other: to be used before the next one is asked for."""
    prefix: list[int] = []
    while True:
        sizes: list[int] = []
        choices: list[int] = []

        def choose(n: int, prefix: list[int] = prefix) -> int:
            choices.append(prefix[len(choices)] if len(choices) < len(prefix) else 0)  # noqa: B023
            sizes.append(n)  # noqa: B023
            return choices[-1]  # noqa: B023

        yield choose
        while choices and choices[-1] == sizes[-1] - 1:
            choices.pop()
            sizes.pop()
        if not choices:
            return
        prefix = [*choices[:-1], choices[-1] + 1]
