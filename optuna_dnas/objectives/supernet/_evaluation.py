"""What a network achieves, and the statistics that a subnet needs for it.

B: batch, K: classes.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from optuna_dnas.objectives.supernet.data import Batch
from optuna_dnas.objectives.training import memory_layout
from optuna_dnas.objectives.training import mixed_dtype


_TOP = 5


class Accuracy(NamedTuple):
    """What a network achieves on some images."""

    top1: float  # share that is classified correctly
    top5: float  # share whose class is among the five most probable
    loss: float  # mean cross-entropy


@torch.no_grad()
def evaluate(network: nn.Module, batches: Iterable[Batch]) -> Accuracy:
    """What ``network``, in evaluation mode, achieves on all batches together.

    Raises:
        ValueError: There is no image.
    """
    totals, n_images = torch.zeros(3, dtype=torch.float64), 0
    for images, labels in batches:
        logits = forward(network, images).float()
        top = logits.topk(min(_TOP, logits.shape[1])).indices == labels[:, None]  # (B, 5)
        loss = F.cross_entropy(logits, labels, reduction="sum")
        totals += torch.stack([top[:, 0].sum(), top.sum(), loss]).cpu()
        n_images += len(labels)
    if n_images == 0:
        raise ValueError("`batches` must hold at least one image.")
    return Accuracy(*(totals / n_images).tolist())


@torch.no_grad()
def calibrate(network: nn.Module, batches: Iterable[Batch]) -> None:
    """Give batch normalisation the statistics of this network, of images that it trained on.

    Those of a supernet are of all its subnets together, and fit none of them (Guo et al., 2019,
    section 3.4). The new ones are means over the batches. The network is left in evaluation mode.
    A subnet shares its modules: to keep the supernet as it is, calibrate a copy of the subnet.

    Raises:
        ValueError: There is no image.
    """
    n_batches = 0
    with _statistics_collected(network):
        for images, _ in batches:
            forward(network, images)
            n_batches += 1
    if n_batches == 0:
        raise ValueError("`batches` must hold at least one image.")


def forward(network: nn.Module, images: torch.Tensor, *arguments: object) -> torch.Tensor:
    """(B, K) logits, in the layout and number format of the device."""
    device = images.device
    dtype = mixed_dtype(device)
    with nullcontext() if dtype is None else torch.autocast(device.type, dtype):
        layout = memory_layout(device)
        logits: torch.Tensor = network(images.contiguous(memory_format=layout), *arguments)
    return logits


@contextmanager
def _statistics_collected(network: nn.Module) -> Iterator[None]:
    """Normalisation learns; all else, such as dropout, is as in evaluation."""
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch's word for the mean over all batches
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()
