"""Torch without traces: nothing that a user has set leaks in, nothing that we set leaks out.

Tensors name their dtype and device where they are created, and every draw comes from a
`private_generator`. The default dtype is therefore neither read nor set: it belongs to the whole
process, where a concurrent thread would notice.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import nullcontext
import threading

import torch


class _ThreadLimit:
    """Reference-counted `torch.set_num_threads`: overlapping scopes restore the user's number."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_active = 0
        self._n_outside = 1
        self._local = threading.local()

    @contextmanager
    def __call__(self, n_threads: int) -> Iterator[None]:
        outer = getattr(self._local, "n_threads", None)  # None: not nested in this thread
        self._enter(n_threads)
        try:
            yield
        finally:
            self._exit(outer)

    def _enter(self, n_threads: int) -> None:
        with self._lock:
            if self._n_active == 0:
                self._n_outside = torch.get_num_threads()
            self._n_active += 1
            self._local.n_threads = n_threads
            torch.set_num_threads(n_threads)

    def _exit(self, outer: int | None) -> None:
        with self._lock:
            self._n_active -= 1
            self._local.n_threads = outer
            torch.set_num_threads(self._n_outside if outer is None else outer)


_limit_threads = _ThreadLimit()


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
        torch.autocast("cpu", enabled=False),
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


def _default_device_cpu() -> AbstractContextManager[object]:
    """A device context slows every operation down: enter one only if the user has set another."""
    is_default = torch.empty(0).device.type == "cpu"
    return nullcontext() if is_default else torch.device("cpu")


def _flushes_denormal() -> bool:
    denormal = torch.tensor([1e-40], dtype=torch.float32, device="cpu")
    return not bool((denormal * 1.0).item())
