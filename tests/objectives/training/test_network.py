"""The network that is built is the published one, and replicas of it do not meet."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from optuna_dnas.objectives.training._network import CellNetwork
from optuna_dnas.objectives.training._network import initialise
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import NetworkShape

from .toy import CONV1
from .toy import CONV3
from .toy import POOL
from .toy import SPECS
from .toy import TRUNCATED
from .toy import WIDE


SMALL = NetworkShape(
    stem_channels=7, n_stacks=2, n_modules=1, image_size=9, image_channels=2, n_classes=4
)


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


def images(n: int, n_channels: int = 2, size: int = 9) -> torch.Tensor:
    return torch.randn(n, n_channels, size, size, generator=generators(9)[0])


@pytest.mark.parametrize("n_replicas", [1, 3])
@pytest.mark.parametrize("shape", [SMALL, NetworkShape()])
def test_cost_is_that_of_the_space(shape: NetworkShape, n_replicas: int) -> None:
    space = NASBench101Space(network=shape)
    for spec in [TRUNCATED, *space.sample(np.random.default_rng(n_replicas), 4)]:
        network = CellNetwork(spec, shape, n_replicas=n_replicas)
        n_channels = n_replicas * shape.image_channels
        batch = torch.empty(1, n_channels, shape.image_size, shape.image_size, device="meta")
        counter = FlopCounterMode(display=False)
        with counter:
            assert network(batch).shape == (n_replicas, 1, shape.n_classes)
        cost = space.cost(spec)
        assert counter.get_total_flops() == 2 * n_replicas * cost.flops
        assert sum(p.numel() for p in network.parameters()) == n_replicas * cost.params


def test_published_parameters() -> None:
    spec = ModelSpec.parse(
        f"{CONV3},{CONV1},{POOL},{CONV3},{CONV3}"
        "|0111100/0000001/0000001/0000001/0000010/0000001/0000000"
    )
    network = CellNetwork(spec, NetworkShape())
    assert sum(p.numel() for p in network.parameters()) == 2_694_282


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("is_training", [True, False])
def test_replica_is_the_network_alone(spec: ModelSpec, is_training: bool) -> None:
    together = initialise(CellNetwork(spec, SMALL, n_replicas=3), generators(5, 6, 7))
    batches = images(4, 6)  # (B, R * C, H, W)
    logits = together.train(is_training)(batches)
    for r, seed in enumerate((5, 6, 7)):
        alone = initialise(CellNetwork(spec, SMALL), generators(seed)).train(is_training)
        batch = batches[:, 2 * r : 2 * r + 2]
        torch.testing.assert_close(alone(batch)[0], logits[r])


def test_replicas_have_gradients_of_their_own() -> None:
    network = initialise(CellNetwork(TRUNCATED, SMALL, n_replicas=2), generators(1, 2))
    network(images(4, 4))[0].square().sum().backward()
    for parameter in network.parameters():
        assert parameter.grad.chunk(2)[1].abs().max() == 0
    assert network.dense.weight.grad[0].abs().max() > 0


def test_initial_weights_have_the_published_variance() -> None:
    shape = NetworkShape(stem_channels=64, n_stacks=1, n_modules=1)
    network = initialise(CellNetwork(WIDE, shape), generators(0))
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    for layer in convolutions:
        fan_in = layer.weight[0].numel()
        sd = layer.weight.std().item()
        assert sd == pytest.approx(fan_in**-0.5, rel=0.1)
        assert layer.weight.abs().max().item() <= 2 * fan_in**-0.5 / 0.8796
    assert len(convolutions) == 6
    assert network.dense.bias.abs().max() == 0


def test_one_pixel_more_or_less_is_pooled() -> None:
    shape = NetworkShape(stem_channels=4, n_stacks=4, n_modules=1, image_size=5, image_channels=1)
    network = initialise(CellNetwork(WIDE, shape), generators(0)).eval()
    assert network(images(2, 1, 5)).shape == (1, 2, 10)


def test_stem_must_feed_every_vertex() -> None:
    with pytest.raises(ValueError, match=r"`stem_channels` must be at least 3 .* but got 2"):
        CellNetwork(WIDE, NetworkShape(stem_channels=2))
