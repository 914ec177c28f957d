"""Latency is that of a network, and measured as its settings say."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
import sys
from typing import Any

import pytest
import torch

from optuna_dnas.objectives.training import _latency
from optuna_dnas.objectives.training import CellNetwork
from optuna_dnas.objectives.training import InsufficientMemoryError
from optuna_dnas.objectives.training import LatencyConfig
from optuna_dnas.objectives.training import LatencyMeter
from optuna_dnas.objectives.training import network_shape
from optuna_dnas.objectives.training._network import initialise
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NetworkShape
from tests.controller.toy import DEVICES

from .toy import CHAIN
from .toy import QUICK
from .toy import SPECS
from .toy import toy_data
from .toy import WIDE


SHAPE = network_shape(toy_data(), QUICK)
BRIEF = LatencyConfig(n_repeats=9, n_warm_up=2)


def meter(*, shape: NetworkShape = SHAPE, **options: Any) -> LatencyMeter[ModelSpec]:
    def build(spec: ModelSpec) -> CellNetwork:
        return initialise(CellNetwork(spec, shape), [torch.Generator().manual_seed(0)])

    size = (shape.image_channels, shape.image_size, shape.image_size)
    defaults = {"build": build, "image_shape": size, "config": BRIEF}
    return LatencyMeter(**(defaults | options))


def quietest(meter: LatencyMeter[ModelSpec], spec: ModelSpec = WIDE) -> float:
    """Of three measurements: other processes only make one longer."""
    return min(meter.measure(spec) for _ in range(3))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("spec", SPECS)
def test_latency_is_positive_on_every_device(device: str, spec: Any) -> None:
    assert 0 < meter(device=device).measure(spec) < 60_000


@pytest.mark.parametrize("device", DEVICES)
def test_latency_grows_with_the_network(device: str) -> None:
    """Here by a factor of about 15 on a CPU."""
    large = replace(SHAPE, stem_channels=48, n_modules=4)
    assert quietest(meter(shape=large, device=device)) > 2 * quietest(meter(device=device), CHAIN)


def test_latency_grows_with_the_batch() -> None:
    batch = replace(BRIEF, batch_size=512)
    assert quietest(meter(config=batch)) > 2 * quietest(meter())


def test_latency_is_the_median_of_what_comes_after_the_warm_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every inference is of one network, of the whole batch, and without traces for a gradient."""
    seen: list[tuple[Any, ...]] = []
    forward = CellNetwork.forward

    def spy(network: CellNetwork, images: torch.Tensor) -> torch.Tensor:
        logits = forward(network, images)
        mode = (network.training, torch.is_inference_mode_enabled(), torch.get_num_threads())
        seen.append((tuple(images.shape), network.n_replicas, *mode))
        return logits

    n_before: list[int] = []

    def clock() -> float:
        """Of the three timed inferences, these take 1, 40 and 3 seconds."""
        n_before.append(len(seen))
        return [0.0, 1.0, 2.0, 42.0, 50.0, 53.0][len(n_before) - 1]

    monkeypatch.setattr(CellNetwork, "forward", spy)
    monkeypatch.setattr(_latency.time, "perf_counter", clock)
    config = LatencyConfig(batch_size=5, n_repeats=3, n_warm_up=4)
    assert meter(config=config, n_threads=2).measure(CHAIN) == 3000
    assert n_before == [4, 5, 5, 6, 6, 7]
    assert seen == [((5, 1, 6, 6), 1, False, True, 2)] * 7


def test_measuring_leaves_no_traces() -> None:
    before = torch.get_rng_state()
    meter(n_threads=2).measure(WIDE)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == 1
    assert torch.is_grad_enabled()


def test_conditions_tell_what_cannot_be_compared() -> None:
    conditions = meter().conditions
    assert conditions["latency_batch_size"] == 1
    assert conditions["latency_device"].startswith("cpu: ")
    assert conditions["latency_device"].endswith(", 1 thread")
    assert meter(n_threads=2).conditions["latency_device"].endswith(", 2 threads")
    assert meter(config=LatencyConfig(batch_size=8)).conditions["latency_batch_size"] == 8
    assert meter().conditions == conditions


def test_too_little_memory_has_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr(CellNetwork, "forward", fail)
    with pytest.raises(InsufficientMemoryError, match="inference needs more memory than 'cpu'"):
        meter().measure(CHAIN)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be positive, but got 0"),
        ({"n_repeats": 0}, "`n_repeats` must be positive, but got 0"),
        ({"n_warm_up": -1}, "`n_warm_up` must not be negative, but got -1"),
    ],
)
def test_bad_configurations_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LatencyConfig(**options)


def test_a_latency_is_measured_while_nobody_else_computes() -> None:
    """Others would make it longer: n_jobs would be part of every value."""
    n_within, most = [0], [0]

    class Watched(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            n_within[0] += 1
            most[0] = max(most[0], n_within[0])
            sum(range(2_000))  # Long enough for another thread to take its turn.
            n_within[0] -= 1
            return images

    watched = meter(build=lambda _: Watched())
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as executor:
            list(executor.map(watched.measure, [CHAIN] * 20))
    finally:
        sys.setswitchinterval(interval)
    assert most == [1]


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them, as far as one can tell without using them."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.type}")


@pytest.mark.usefixtures("gpus")
def test_latencies_of_two_gpus_of_one_kind_can_be_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = (meter(device=device).conditions for device in ("cuda:0", "cuda:1"))
    assert first == second == meter(device="cuda").conditions
    assert first["latency_device"] == "cuda: GPU cuda"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert meter(device="cuda:0").conditions != meter(device="cuda:1").conditions
