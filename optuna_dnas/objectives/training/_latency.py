"""How long the network of a cell takes to answer.

B: batch, C: channels, H and W: pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
import statistics
import time
from typing import Any

import torch

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
from optuna_dnas.objectives.training._network import CellNetwork
from optuna_dnas.objectives.training._network import initialise
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NetworkShape


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
class LatencyMeter:
    """Measures cells in one network, on one device.

    Weights do not matter: they are drawn, and nothing is trained. Numbers are of single
    precision, on CUDA of the shorter format that training mixes in.

    Args:
        shape: The network around the cells.
        config: How to measure.
        device: ``"cpu"``, ``"mps"``, or ``"cuda"``.
        n_threads: CPU threads.
    """

    shape: NetworkShape
    config: LatencyConfig
    device: str
    n_threads: int

    @property
    def conditions(self) -> dict[str, Any]:
        """What must be equal for latencies to be compared, as user attributes of a trial."""
        name = f"{self.device}: {device_name(resolve_device(self.device))}"
        if self.device == "cpu":
            name += f", {self.n_threads} thread" + "s" * (self.n_threads > 1)
        return {"latency_batch_size": self.config.batch_size, "latency_device": name}

    def measure(self, spec: ModelSpec) -> float:
        """Milliseconds of an inference. Other work on the device makes it longer.

        Raises:
            InsufficientMemoryError: The device has not enough memory.
        """

        def run(device: torch.device) -> float:
            with cudnn_settings(device, deterministic=False), torch.inference_mode():
                return self._measure(spec, device)

        return run_on_device(run, "The inference", device=self.device, n_threads=self.n_threads)

    def _measure(self, spec: ModelSpec, device: torch.device) -> float:
        generator = private_generator(0)
        dtype, layout = mixed_dtype(device) or torch.float32, memory_layout(device)
        network = initialise(CellNetwork(spec, self.shape), [generator]).eval()
        network = network.to(device, dtype).to(memory_format=layout)  # type: ignore[call-overload]
        size, channels = self.shape.image_size, self.shape.image_channels
        images = torch.randn(
            (self.config.batch_size, channels, size, size),  # (B, C, H, W)
            generator=generator,
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
