"""What depends on the device: number formats, waiting, its name, and the lack of its memory."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextlib import nullcontext
from functools import cache
from pathlib import Path
import platform
import re
from typing import TypeVar

import torch

from optuna_dnas._torch_scope import resolve_device
from optuna_dnas._torch_scope import torch_scope


T = TypeVar("T")

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


class InsufficientMemoryError(MemoryError):
    """A network needs more memory than its device has."""


def run_on_device(
    function: Callable[[torch.device], T], what: str, *, device: str, n_threads: int
) -> T:
    """What ``function`` gives on a device.

    Args:
        function: Is told the device.
        what: Needs the memory, for messages.
        device: By name.
        n_threads: CPU threads.

    Raises:
        InsufficientMemoryError: The device has not enough memory.
        ValueError: An argument is not what it should be; the message names it.
    """
    if n_threads < 1:
        raise ValueError(f"`n_threads` must be positive, but got {n_threads}.")
    target = resolve_device(device)
    try:
        with torch_scope(n_threads):
            return function(target)
    except (MemoryError, RuntimeError) as error:
        if not _is_lack_of_memory(error):
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


def memory_layout(device: torch.device) -> torch.memory_format:
    """The faster layout of convolutions."""
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def cudnn_settings(device: torch.device, *, deterministic: bool) -> AbstractContextManager[None]:
    """Ours, whatever the user has set; those that are deterministic may be slower."""
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=deterministic)


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


def _is_lack_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return any(text in str(error).lower() for text in _NO_MEMORY)
