"""Workers have one thread, and begin nothing more once their caller has stopped."""

from pathlib import Path

import pytest

from benchmarks.workers import _THREADS
from benchmarks.workers import map_unordered


@pytest.fixture(autouse=True)
def private_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _THREADS:
        monkeypatch.setenv(name, "2")


def n_threads(_: int) -> int:
    import torch

    return torch.get_num_threads()


def touch(path: Path) -> None:
    path.touch()


def fail(_: int) -> None:
    raise ArithmeticError


def test_workers_have_one_thread() -> None:
    assert list(map_unordered(n_threads, range(2), 1)) == [1, 1]


def test_a_caller_that_stops_is_obeyed(tmp_path: Path) -> None:
    paths = [tmp_path / str(k) for k in range(2_000)]
    results = map_unordered(touch, paths, 1)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert not paths[-1].exists()


def test_errors_are_the_callers() -> None:
    with pytest.raises(ArithmeticError):
        list(map_unordered(fail, range(2), 1))
