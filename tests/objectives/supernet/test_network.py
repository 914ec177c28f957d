"""A supernet is all of its networks, and each of them is MobileNetV2's."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from optuna_dnas._torch_scope import private_generator
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives.supernet import MobileNetwork
from optuna_dnas.objectives.supernet import Supernet
from optuna_dnas.objectives.supernet._network import initialise
from optuna_dnas.objectives.supernet._network import InvertedResidual
from optuna_dnas.objectives.supernet._network import split_by_decay
from optuna_dnas.search_space import LayerShape
from optuna_dnas.search_space import MBConv
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpec

from .toy import random_images
from .toy import sample_specs
from .toy import SHAPE
from .toy import SPEC
from .toy import supernet


def built(layer: LayerShape, choice: MBConv) -> InvertedResidual:
    with torch.device("meta"):
        block = InvertedResidual(layer, choice)
    initialise(block, private_generator(0))
    return block.eval()


def test_subnet_computes_what_the_supernet_does_on_its_path() -> None:
    network, images = supernet().eval(), random_images(4)
    for spec in sample_specs(20):
        expected = network(images, spec)
        assert torch.equal(network.subnet(spec)(images), expected)
        assert expected.shape == (4, SHAPE.n_classes)


def test_subnets_share_the_modules_of_the_supernet() -> None:
    network = supernet()
    modules = set(network.modules())
    for spec in sample_specs(5):
        subnet = network.subnet(spec)
        assert len(subnet.layers) == sum(layer is not None for layer in spec.layers)
        assert set(subnet.layers) | set(subnet.frame.modules()) <= modules


def test_only_weights_of_the_path_get_gradients() -> None:
    for spec in sample_specs(5):
        network = supernet()
        network(random_images(4), spec).sum().backward()
        trained = {p for p in network.parameters() if p.grad is not None}
        assert trained == set(network.subnet(spec).parameters())


def test_every_choice_has_weights_of_its_own() -> None:
    network = supernet()
    blocks = [block for modules in network.choices for block in modules.values()]
    assert len(blocks) == len(SHAPE.layers) * len(SHAPE.choices)
    tensors = [p.data_ptr() for block in blocks for p in block.parameters()]
    assert len(set(tensors)) == len(tensors)


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize(("stride", "out_channels"), [(1, 8), (2, 8), (1, 16)])
def test_inverted_residual_is_expand_filter_project(
    kernel: int, stride: int, out_channels: int
) -> None:
    layer = LayerShape(0, 8, out_channels, stride, 9)
    block = built(layer, MBConv(kernel, 3))
    nn.init.ones_(block.last_norm.weight)
    (expand, _, _), (depthwise, _, _), (project, _) = block.blocks
    x = random_images(2, shape=MobileNetShape(image_channels=8, image_size=9))
    scale = 1 / math.sqrt(1 + 1e-5)  # of batch normalisation that has seen nothing
    y = F.relu6(F.conv2d(x, expand.weight) * scale)
    y = F.conv2d(y, depthwise.weight, stride=stride, padding=kernel // 2, groups=24)
    y = F.conv2d(F.relu6(y * scale), project.weight) * scale
    expected = x + y if (stride, out_channels) == (1, 8) else y
    torch.testing.assert_close(block(x), expected)
    assert block(x).shape == (2, out_channels, layer.out_size, layer.out_size)


def test_expansion_of_one_has_nothing_to_expand() -> None:
    block = built(SHAPE.layers[0], MBConv(3, 1))
    convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    assert [c.groups for c in convolutions] == [8, 1]


@pytest.mark.parametrize("network", [Supernet.build(SHAPE), MobileNetwork.build(SHAPE, SPEC)])
def test_nothing_is_allocated_before_initialisation(network: nn.Module) -> None:
    tensors = [*network.parameters(), *network.buffers()]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_initial_weights_are_a_function_of_the_generator_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (supernet(seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    drawn = [name for name, tensor in first.items() if tensor.ndim > 1]
    assert not any(torch.equal(first[name], other[name]) for name in drawn)


def test_initial_convolutions_keep_the_variance_of_gradients() -> None:
    network = supernet(shape=MobileNetShape.small(image_size=8))
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 2000:
            fan_out = module.weight[0, 0].numel() * module.out_channels / module.groups
            sd = float(module.weight.detach().std())
            assert sd == pytest.approx(math.sqrt(2 / fan_out), rel=0.1)


def test_initial_residuals_are_identities_and_other_layers_are_not() -> None:
    for module in supernet().eval().modules():
        if isinstance(module, InvertedResidual):
            x = torch.ones(2, module.blocks[0][0].in_channels, 4, 4)
            assert torch.equal(module(x), x) == module.is_residual


def test_initial_logits_are_near_zero_and_finite() -> None:
    logits = supernet().eval()(random_images(64), SPEC)
    assert logits.isfinite().all()
    assert float(logits.detach().abs().max()) < 1


def test_normalisation_and_biases_do_not_decay() -> None:
    decaying, others = split_by_decay(supernet())
    weights = [m.weight for m in supernet().modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(decaying) == len(weights)
    assert sorted(p.numel() for p in decaying) == sorted(w.numel() for w in weights)
    assert {p.ndim for p in others} == {1}


@pytest.mark.parametrize("text", ["k3e3", "skip k3e3 k3e3 k3e3 k3e3", "k9e3 k3e3 k3e3 k3e3 k3e3"])
def test_networks_of_another_shape_are_refused(text: str) -> None:
    spec = MobileNetSpec.parse(text)
    for build in (supernet().subnet, lambda spec: MobileNetwork.build(SHAPE, spec)):
        with pytest.raises(OutOfDomainError, match="`spec` must"):
            build(spec)
