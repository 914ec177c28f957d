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
from torch.nn.modules.batchnorm import _BatchNorm

from optuna_dnas.objectives.supernet.data import Batch
from optuna_dnas.objectives.training import DivergedError
from optuna_dnas.objectives.training import memory_layout
from optuna_dnas.objectives.training import resolve_precision


_TOP = 5
# PyTorch's own layers, and others after their example, name so what they keep of batches.
_RUNNING = "running_"


class Accuracy(NamedTuple):
    """What a network achieves on some images."""

    top1: float  # share that is classified correctly
    top5: float  # share whose class is among the five most probable
    loss: float  # mean cross-entropy


@torch.no_grad()
def evaluate(network: nn.Module, batches: Iterable[Batch], *, precision: str = "auto") -> Accuracy:
    """What ``network``, in evaluation mode, achieves on all batches together.

    Args:
        network: On the device of the images.
        batches: The images.
        precision: As in `OptimizationConfig`.

    Raises:
        DivergedError: A logit is infinite or NaN: which class is the largest would say nothing.
        ValueError: There is no image, or the device cannot do the precision.
    """
    totals, n_images = torch.zeros(3, dtype=torch.float64), 0
    for images, labels in batches:
        logits = forward(network, images, precision=precision).float()
        if not logits.isfinite().all():
            raise DivergedError("Logits of the network are infinite or NaN.")
        top = logits.topk(min(_TOP, logits.shape[1])).indices == labels[:, None]  # (B, 5)
        loss = F.cross_entropy(logits, labels, reduction="sum")
        totals += torch.stack([top[:, 0].sum(), top.sum(), loss]).cpu()
        n_images += len(labels)
    if n_images == 0:
        raise ValueError("`batches` must hold at least one image.")
    return Accuracy(*(totals / n_images).tolist())


@torch.no_grad()
def calibrate(network: nn.Module, batches: Iterable[Batch], *, precision: str = "auto") -> None:
    """Give batch normalisation the statistics of this network, of images that it trained on.

    Those of a supernet are of all its subnets together, and fit none of them (Guo et al., 2019,
    section 3.4). The new ones are means over the batches. The network is left in evaluation mode.
    A subnet shares its modules: to keep the supernet as it is, calibrate a copy of the subnet.

    Args:
        network: On the device of the images.
        batches: The images.
        precision: As in `OptimizationConfig`.

    Raises:
        ValueError: There is no image, the device cannot do the precision, or a layer of the
            network that is no batch normalisation keeps running statistics; the message names it.
    """
    n_batches = 0
    with _statistics_collected(network):
        for images, _ in batches:
            forward(network, images, precision=precision)
            n_batches += 1
    if n_batches == 0:
        raise ValueError("`batches` must hold at least one image.")


def forward(network: nn.Module, images: torch.Tensor, *, precision: str = "auto") -> torch.Tensor:
    """(B, K) logits, in the layout of the device."""
    device = images.device
    dtype = resolve_precision(precision, device)
    with nullcontext() if dtype is None else torch.autocast(device.type, dtype):
        layout = memory_layout(device)
        logits: torch.Tensor = network(images.contiguous(memory_format=layout))
    return logits


@contextmanager
def _statistics_collected(network: nn.Module) -> Iterator[None]:
    """Normalisation learns; all else, such as dropout, is as in evaluation."""
    _check_statistics(network)
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
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


def _check_statistics(network: nn.Module) -> None:
    """Statistics that stay those of the supernet would make what it says of a subnet wrong."""
    for name, module in network.named_modules():
        if isinstance(module, _BatchNorm):
            continue
        if any(buffer.startswith(_RUNNING) for buffer, _ in module.named_buffers(recurse=False)):
            raise ValueError(
                "`network` must have no running statistics but those of batch normalisation, "
                f"which can be calibrated, but {name or 'it'} is {type(module).__name__}."
            )
