"""How long a network takes to answer.

B: batch, C: channels, H and W: pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
import statistics
import time
from typing import Any
from typing import Generic
from typing import TypeVar

import torch
from torch import nn

from optuna_dnas._checks import check_not_negative
from optuna_dnas._checks import check_positive
from optuna_dnas._torch_scope import private_generator
from optuna_dnas._torch_scope import resolve_device
from optuna_dnas.objectives.training._device import cudnn_settings
from optuna_dnas.objectives.training._device import device_name
from optuna_dnas.objectives.training._device import memory_layout
from optuna_dnas.objectives.training._device import mixed_dtype
from optuna_dnas.objectives.training._device import run_on_device
from optuna_dnas.objectives.training._device import synchronize


ArchitectureT = TypeVar("ArchitectureT")


@dataclass(frozen=True, kw_only=True)
class LatencyConfig:
    """How a latency is measured: as the median of several inferences.

    Args:
        batch_size: Images of an inference.
        n_repeats: Inferences that are timed.
        n_warm_up: Inferences before them that are not.
    """

    batch_size: int = 1
    n_repeats: int = 50
    n_warm_up: int = 10

    def __post_init__(self) -> None:
        check_positive(self, "batch_size", "n_repeats")
        check_not_negative(self, "n_warm_up")


@dataclass(frozen=True, kw_only=True)
class LatencyMeter(Generic[ArchitectureT]):
    """Measures networks on one device.

    Nothing is trained: weights do not matter. Numbers are of single precision, on CUDA of the
    shorter format that training mixes in.

    Args:
        build: Makes the network of an architecture, new for each: its weights move to the device,
            and into its number format.
        image_shape: (C, H, W) of the network's input.
        config: How to measure.
        device: ``"cpu"``, ``"mps"``, or ``"cuda"``.
        n_threads: CPU threads.
    """

    build: Callable[[ArchitectureT], nn.Module]
    image_shape: tuple[int, int, int]
    config: LatencyConfig = LatencyConfig()
    device: str = "cpu"
    n_threads: int = 1

    @property
    def conditions(self) -> dict[str, Any]:
        """What must be equal for latencies to be compared, as user attributes of a trial."""
        # Not which one of several: every process has its own, and they are of one kind.
        device = resolve_device(self.device)
        name = f"{device.type}: {device_name(device)}"
        if device.type == "cpu":
            name += f", {self.n_threads} thread" + "s" * (self.n_threads > 1)
        return {"latency_batch_size": self.config.batch_size, "latency_device": name}

    def measure(self, architecture: ArchitectureT) -> float:
        """Milliseconds of an inference. Other work on the device makes it longer.

        Other threads of this process that train or evaluate wait meanwhile.

        Raises:
            InsufficientMemoryError: The device has not enough memory.
        """

        def run(device: torch.device) -> float:
            with cudnn_settings(device, deterministic=False), torch.inference_mode():
                return self._measure(self.build(architecture), device)

        return run_on_device(
            run, "The inference", device=self.device, n_threads=self.n_threads, alone=True
        )

    def _measure(self, network: nn.Module, device: torch.device) -> float:
        dtype, layout = mixed_dtype(device) or torch.float32, memory_layout(device)
        network = network.eval().to(device, dtype)
        network = network.to(memory_format=layout)  # type: ignore[call-overload]
        images = torch.randn(
            (self.config.batch_size, *self.image_shape),  # (B, C, H, W)
            generator=private_generator(0),
            dtype=torch.float32,
            device="cpu",
        )
        images = images.to(device, dtype).contiguous(memory_format=layout)

        def infer() -> None:
            network(images)
            synchronize(device)

        for _ in range(self.config.n_warm_up):
            infer()
        return statistics.median(_milliseconds(infer) for _ in range(self.config.n_repeats))


def _milliseconds(function: Callable[[], None]) -> float:
    start = time.perf_counter()
    function()
    return 1e3 * (time.perf_counter() - start)
