"""Torch without traces: nothing that a user has set leaks in, nothing that we set leaks out.

Tensors name their dtype and device where they are created, and every draw comes from a
`private_generator`. The default dtype is therefore neither read nor set: it belongs to the whole
process, where a concurrent thread would notice.
"""

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import nullcontext
from functools import partial
import threading
from typing import TypeVar

import torch


T = TypeVar("T")

_threads_lock = threading.Lock()


@contextmanager
def torch_scope(n_threads: int = 1, *, grad: bool = True) -> Iterator[None]:
    """Run torch with our settings, whatever the caller has set.

    Args:
        n_threads: 1 unless training is worth more: a process that has run torch on several
            threads must not fork afterwards.
        grad: Whether operations are recorded for differentiation.
    """
    with (
        _limit_threads(n_threads),
        _default_device_cpu(),
        torch.inference_mode(False),
        torch.set_grad_enabled(grad),
        _autocast_off(),
    ):
        yield


@contextmanager
def flush_denormal() -> Iterator[None]:
    """Treat denormal numbers as 0, which LSTMs with vanishing gradients run faster on."""
    before = _flushes_denormal()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def private_generator(seed: int) -> torch.Generator:
    """A generator on the CPU, so that a seed means the same draws on every device."""
    return torch.Generator("cpu").manual_seed(seed)


def resolve_device(device: str) -> torch.device:
    """``device`` by name.

    Raises:
        ValueError: It is not "cpu", "cuda", "cuda:<index>" or "mps", or not on this machine.
    """
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not index.isdecimal()):
        raise ValueError(f'`device` must be "cpu", "cuda" or "mps", but got {device!r}.')
    n_devices = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }[kind]
    if int(index or 0) >= n_devices:
        raise ValueError(f"`device` is {device!r}, but PyTorch finds {n_devices} such devices.")
    return torch.device(device)


@contextmanager
def _limit_threads(n_threads: int) -> Iterator[None]:
    outer = torch.get_num_threads()
    if outer == n_threads:
        yield
        return
    _set_own_n_threads(n_threads)
    try:
        yield
    finally:
        _set_own_n_threads(outer)


def _set_own_n_threads(n_threads: int) -> None:
    """`torch.set_num_threads` for the calling thread, and no other.

    A thread takes the number that was set last, by anybody, when it first uses torch, and keeps
    it. What is set for us must not become the number of a thread that the user starts meanwhile;
    a new thread can put back what such threads get, without changing ours.
    """
    with _threads_lock:
        of_new_threads = _in_new_thread(torch.get_num_threads)
        torch.set_num_threads(n_threads)
        _in_new_thread(partial(torch.set_num_threads, of_new_threads))


def _in_new_thread(function: Callable[[], T]) -> T:
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def _autocast_off() -> AbstractContextManager[object]:
    """Leaving an autocast context empties a cache that all threads share: avoid entering one."""
    is_off = not torch.is_autocast_enabled("cpu")
    return nullcontext() if is_off else torch.autocast("cpu", enabled=False)


def _default_device_cpu() -> AbstractContextManager[object]:
    """A device context slows every operation down: enter one only if the user has set another."""
    is_default = torch.empty(0).device.type == "cpu"
    return nullcontext() if is_default else torch.device("cpu")


def _flushes_denormal() -> bool:
    denormal = torch.tensor([1e-40], dtype=torch.float32, device="cpu")
    return not bool((denormal * 1.0).item())
