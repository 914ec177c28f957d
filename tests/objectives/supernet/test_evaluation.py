"""What a network achieves, and statistics that are a subnet's own."""

from copy import deepcopy
import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from optuna_dnas._torch_scope import private_generator
from optuna_dnas.objectives.supernet import calibrate
from optuna_dnas.objectives.supernet import evaluate
from optuna_dnas.objectives.supernet._evaluation import forward
from optuna_dnas.objectives.supernet.data import Batch
from optuna_dnas.objectives.training import DivergedError

from .toy import OTHER_SPEC
from .toy import random_batches
from .toy import random_images
from .toy import SPEC
from .toy import supernet


def statistics(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: buffer.clone() for name, buffer in network.named_buffers()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_accuracy_is_that_of_all_images_together() -> None:
    logits = torch.randn(50, 8, generator=private_generator(0))
    labels = torch.arange(50) % 8
    pairs = zip(logits.tolist(), labels.tolist(), strict=True)
    ranks = [sorted(row, reverse=True).index(row[label]) for row, label in pairs]
    # A network that gives the images back: they are the logits.
    batches = [
        Batch(logits[rows, :, None, None], labels[rows])
        for rows in (slice(0, 7), slice(7, 40), slice(40, 50))
    ]
    accuracy = evaluate(nn.Flatten(), batches)
    assert accuracy.top1 == pytest.approx(sum(r < 1 for r in ranks) / 50)
    assert accuracy.top5 == pytest.approx(sum(r < 5 for r in ranks) / 50)
    assert accuracy.loss == pytest.approx(float(F.cross_entropy(logits, labels)))


def test_five_most_probable_of_three_classes_are_all() -> None:
    assert evaluate(supernet().subnet(SPEC).eval(), random_batches(9)).top5 == 1.0


def test_calibrated_statistics_are_means_over_batches() -> None:
    network = supernet().subnet(SPEC)
    for seed in (0, 9):  # whatever was there before
        batches = random_batches(6, 10, seed=seed)
        calibrate(network, batches)
        stem, norm, _ = network.frame.stem
        outputs = [stem(images).detach() for images, _ in batches]
        means = torch.stack([y.mean(dim=(0, 2, 3)) for y in outputs]).mean(dim=0)
        variances = torch.stack([y.var(dim=(0, 2, 3)) for y in outputs]).mean(dim=0)
        torch.testing.assert_close(norm.running_mean, means, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(norm.running_var, variances, rtol=1e-4, atol=1e-6)


def test_one_batch_calibrates_to_what_training_would_see() -> None:
    network = supernet().subnet(SPEC)
    (batch,) = batches = random_batches(64)
    calibrate(network, batches)
    calibrated = network(batch.images)
    # Batch normalisation divides by N while it trains, by N - 1 afterwards.
    torch.testing.assert_close(calibrated, network.train()(batch.images), rtol=0.05, atol=1e-3)


def test_calibration_does_not_depend_on_what_was_calibrated_before() -> None:
    network, results = supernet(), []
    for spec in (SPEC, OTHER_SPEC, SPEC):
        subnet = network.subnet(spec)
        calibrate(subnet, random_batches(8, 8))
        results.append(evaluate(subnet, random_batches(16, seed=9)))
    assert results[0] == results[2]
    assert results[0] != results[1]


def test_calibrated_copy_leaves_the_supernet_as_it_is() -> None:
    network = supernet()
    before = statistics(network)
    subnet = deepcopy(network.subnet(SPEC))
    calibrate(subnet, random_batches(8, 8))
    assert same(statistics(network), before)
    assert not same(statistics(subnet), statistics(network.subnet(SPEC)))


def test_calibration_changes_nothing_but_statistics() -> None:
    network = supernet().subnet(SPEC).train()
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    before = {name: p.clone() for name, p in network.named_parameters()}
    calibrate(network, random_batches(8, 8))
    assert same(dict(network.named_parameters()), before)
    assert {norm.momentum for norm in norms} == {0.1}
    assert not any(module.training for module in network.modules())
    assert all(p.grad is None for p in network.parameters())


def test_dropout_does_not_act_in_calibration() -> None:
    network = supernet().subnet(SPEC)
    network.frame.dropout.p = 0.9
    before = torch.get_rng_state()
    calibrate(network, random_batches(8, 8))
    assert torch.equal(torch.get_rng_state(), before)


def test_rows_of_a_batch_are_evaluated_as_if_alone() -> None:
    network, images = supernet().subnet(SPEC).eval(), random_images(5)
    with torch.no_grad():
        together = forward(network, images)
        alone = torch.cat([forward(network, image[None]) for image in images])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("function", [calibrate, evaluate])
def test_without_images_there_is_no_result(function: object) -> None:
    with pytest.raises(ValueError, match="`batches` must hold at least one image"):
        function(supernet().subnet(SPEC), [])  # type: ignore[operator]


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_logits_that_are_no_numbers_are_no_accuracy(poison: float) -> None:
    """The largest of them would be the first class, and right as often as by chance."""
    network = supernet().subnet(SPEC).eval()
    network.frame.classifier.bias.data[1] = poison
    with pytest.raises(DivergedError, match="Logits of the network are infinite or NaN"):
        evaluate(network, random_batches(9))


class Normalized(nn.Module):
    """Images (B, 2, 8, 8) in the form that a normalization takes, then as logits (B, 128)."""

    def __init__(self, norm: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.norm, self.shape = norm, shape

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.norm(images.reshape(len(images), *self.shape))
        return logits.flatten(1)


@pytest.mark.parametrize(
    ("norm", "shape"),
    [
        (nn.BatchNorm1d(2), (2, 64)),
        (nn.BatchNorm1d(128), (128,)),
        (nn.BatchNorm2d(2), (2, 8, 8)),
        (nn.BatchNorm3d(2), (2, 4, 4, 4)),
        (nn.SyncBatchNorm(2), (2, 8, 8)),
    ],
)
def test_every_batch_normalization_is_calibrated(norm: nn.Module, shape: tuple[int, ...]) -> None:
    network, batches = Normalized(norm, shape), random_batches(6, 10)
    calibrate(network, batches)
    inputs = [images.reshape(len(images), shape[0], -1) for images, _ in batches]
    means = torch.stack([x.mean(dim=(0, 2)) for x in inputs]).mean(dim=0)
    variances = torch.stack([x.var(dim=(0, 2)) for x in inputs]).mean(dim=0)
    torch.testing.assert_close(norm.running_mean, means)
    torch.testing.assert_close(norm.running_var, variances)
    assert norm.momentum == 0.1
    assert not norm.training


class Centered(nn.Module):
    """A user's own, with the statistics of PyTorch's."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(2))


@pytest.mark.parametrize("norm", [nn.InstanceNorm2d(2, track_running_stats=True), Centered()])
def test_statistics_that_cannot_be_calibrated_are_refused(norm: nn.Module) -> None:
    before = statistics(norm)
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Sequential(norm)).train()
    with pytest.raises(ValueError, match=rf"calibrated, but 1\.0 is {type(norm).__name__}"):
        calibrate(network, random_batches(8))
    assert same(statistics(norm), before)
    assert network.training


@pytest.mark.parametrize(
    "norm",
    [nn.InstanceNorm2d(2), nn.GroupNorm(1, 2), nn.BatchNorm2d(2, track_running_stats=False)],
)
def test_normalization_without_statistics_needs_none(norm: nn.Module) -> None:
    calibrate(nn.Sequential(norm), random_batches(8))


def test_precision_is_that_of_the_forward_pass() -> None:
    seen: list[Any] = []
    network = supernet().subnet(SPEC)
    network.frame.classifier.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    for precision in ("auto", "single", "bfloat16"):
        calibrate(network, random_batches(8), precision=precision)
        evaluate(network, random_batches(8), precision=precision)
    assert seen == [torch.float32] * 4 + [torch.bfloat16] * 2
    with pytest.raises(ValueError, match="`precision` must not be 'float16' on 'cpu'"):
        evaluate(network, random_batches(8), precision="float16")
    with pytest.raises(ValueError, match=r"`precision` must be of .* but got 'double'"):
        calibrate(network, random_batches(8), precision="double")
