"""What depends on the device: number formats, waiting, its name, and the lack of its memory."""

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import nullcontext
from functools import cache
from pathlib import Path
import platform
import re
import threading
from typing import Any
from typing import NamedTuple
from typing import TypeVar

import torch

from optuna_dnas._torch_scope import resolve_device
from optuna_dnas._torch_scope import torch_scope
from optuna_dnas.objectives._turns import computing


T = TypeVar("T")

PRECISIONS = ("auto", "single", "float16", "bfloat16")

# Since PyTorch 2.9; the names before fail where both have been used.
_HAS_FP32_PRECISION = hasattr(torch.backends.cudnn, "conv")
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


class _CudnnSettings(NamedTuple):
    enabled: bool
    benchmark: bool
    deterministic: bool
    tf32: Any  # of convolutions, as this PyTorch says it

    @classmethod
    def read(cls) -> "_CudnnSettings":
        cudnn: Any = torch.backends.cudnn
        tf32 = cudnn.conv.fp32_precision if _HAS_FP32_PRECISION else cudnn.allow_tf32
        return cls(cudnn.enabled, cudnn.benchmark, cudnn.deterministic, tf32)

    def write(self) -> None:
        cudnn: Any = torch.backends.cudnn
        cudnn.enabled, cudnn.benchmark = self.enabled, self.benchmark
        cudnn.deterministic = self.deterministic
        if _HAS_FP32_PRECISION:
            cudnn.conv.fp32_precision = self.tf32
        else:
            cudnn.allow_tf32 = bool(self.tf32)


class InsufficientMemoryError(MemoryError):
    """A network needs more memory than its device has."""


def run_on_device(
    function: Callable[[torch.device], T],
    what: str,
    *,
    device: str,
    n_threads: int,
    alone: bool = False,
) -> T:
    """What ``function`` gives on a device.

    Args:
        function: Is told the device.
        what: Needs the memory, for messages.
        device: By name.
        n_threads: CPU threads.
        alone: Whether other threads of this process that call this have to wait meanwhile, and
            this one for them: it measures time.

    Raises:
        InsufficientMemoryError: The device has not enough memory.
        ValueError: An argument is not what it should be; the message names it.
    """
    if n_threads < 1:
        raise ValueError(f"`n_threads` must be positive, but got {n_threads}.")
    target = resolve_device(device)
    try:
        with computing(alone=alone), torch_scope(n_threads):
            return function(target)
    except (MemoryError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        message = str(error) or type(error).__name__
    # Outside of the handler: the new error must not hold on to the frames that hold the tensors.
    raise InsufficientMemoryError(f"{what} needs more memory than {device!r} has: {message}")


def mixed_dtype(device: torch.device) -> torch.dtype | None:
    """The shorter number format of a device; `None`: single precision for all."""
    if device.type != "cuda":
        return None
    has_bfloat16 = torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.bfloat16 if has_bfloat16 else torch.float16


def resolve_precision(precision: str, device: torch.device) -> torch.dtype | None:
    """The shorter number format of one of `PRECISIONS`; `None`: single precision for all.

    Raises:
        ValueError: There is no such precision, or the device cannot do it.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"`precision` must be of {PRECISIONS}, but got {precision!r}.")
    if precision == "auto":
        return mixed_dtype(device)
    if precision == "float16" and device.type != "cuda":
        raise ValueError(
            f"`precision` must not be 'float16' on {device.type!r}: only CUDA computes in it."
        )
    return {"single": None, "float16": torch.float16, "bfloat16": torch.bfloat16}[precision]


def precision_name(dtype: torch.dtype | None) -> str:
    """The inverse: one of `PRECISIONS`, but not "auto"."""
    return "single" if dtype is None else str(dtype).removeprefix("torch.")


def precision_text(precision: str, device: str) -> str:
    """What a digest adds for numbers that are not of single precision, and give other results.

    Empty in single precision: digests of studies that used no other stay what they were.
    """
    target = resolve_device(device)
    dtype = resolve_precision(precision, target)
    if dtype is not None:
        return f" {precision_name(dtype)}"
    return " tf32" if target.type == "cuda" and _multiplies_in_tf32() else ""


def memory_layout(device: torch.device) -> torch.memory_format:
    """The faster layout of convolutions."""
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def cudnn_settings(device: torch.device, *, deterministic: bool) -> AbstractContextManager[None]:
    """Ours, whatever the user has set; those that are deterministic may be slower.

    To be used within :func:`run_on_device`: they are of the whole process, so that what computes
    at the same time must want the same.
    """
    return _cudnn_settings(deterministic) if device.type == "cuda" else nullcontext()


_cudnn_lock = threading.Lock()
_cudnn_found: list[_CudnnSettings] = []  # by the threads that are within, the first one first


@contextmanager
def _cudnn_settings(deterministic: bool) -> Iterator[None]:
    """Those of the user are what the first thread finds, and the last one puts back.

    Not `torch.backends.cudnn.flags`: it knows one thread, and fails where TF32 is set for one kind
    of operator.
    """
    ours = _CudnnSettings(enabled=True, benchmark=False, deterministic=deterministic, tf32="tf32")
    with _cudnn_lock:
        _cudnn_found.append(_CudnnSettings.read())
        ours.write()
    try:
        yield
    finally:
        with _cudnn_lock:
            found = _cudnn_found[0]
            _cudnn_found.pop()
            if not _cudnn_found:
                found.write()


def synchronize(device: torch.device) -> None:
    """Wait for what the device has been given to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def device_name(device: torch.device) -> str:
    """The kind of hardware."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return cpu_kind() if device.type == "cpu" else platform.processor()


@cache
def cpu_kind() -> str:
    """CPUs of one kind round alike."""
    name, info = platform.processor(), Path("/proc/cpuinfo")
    if info.exists():
        name = dict(re.findall(r"(.+?)\s*: (.+)", info.read_text())).get("model name", name)
    return f"{name} {torch.backends.cpu.get_cpu_capability()}".strip()


def _multiplies_in_tf32() -> bool:
    """Whether the user has allowed it; convolutions do, see :func:`cudnn_settings`."""
    matmul: Any = torch.backends.cuda.matmul
    if _HAS_FP32_PRECISION:
        return bool(matmul.fp32_precision == "tf32")
    return bool(matmul.allow_tf32)


def is_lack_of_memory(error: Exception) -> bool:
    """Whether this is what a device, or Python, says of it."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return any(text in str(error).lower() for text in _NO_MEMORY)
