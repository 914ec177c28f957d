"""What the ImageNet recipe costs, by calculation: nothing is trained, and no GPU is needed.

    python -m benchmarks.imagenet_cost --gpus 4 --tflops 312 --bandwidth 2039

Times are lower bounds: a step takes at least as long as its multiply-adds at the peak rate of the
tensor cores, and as long as its activations take through the memory, whichever is more. Mobile
networks are bound by the memory. Memory is that of weights, gradients, momentum, moving average,
and of what the backward pass needs of the forward one.
"""

from typing import NamedTuple

import click
import numpy as np
import torch

from optuna_dnas._typing import IntArray
from optuna_dnas.objectives.supernet import MobileNetwork
from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.objectives.supernet import Supernet
from optuna_dnas.objectives.supernet import SupernetConfig
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec


N_TRAIN_IMAGES = 1_281_167
LEVELS = (525e6, 575e6, 625e6, 700e6, 800e6)
"""Multiply-adds in the middle of the paper's levels."""

# A forward pass, and two of the same size for the gradients of weights and of inputs.
_PASSES = 3
# An activation is written, and read by the next layer and by the backward pass; its gradient is
# written and read.
_TRAFFIC = 5
_COPIES = 4  # of the weights: themselves, gradient, momentum, moving average
_SINGLE, _HALF = 4, 2  # bytes
_N_NETWORKS, _N_MEASURED = 5_000, 24


class Load(NamedTuple):
    """What one image asks of a GPU in training."""

    flops: float  # multiply-adds of the forward pass
    activation_bytes: float  # kept for the backward pass, in half precision


class Gpu(NamedTuple):
    """The peaks that its maker states."""

    tflops: float  # 10^12 operations a second; a multiply-add is two
    bandwidth: float  # 10^9 bytes a second

    def seconds(self, load: Load) -> float:
        """The least that an image takes in training."""
        compute = 2 * _PASSES * load.flops / (1e12 * self.tflops)
        memory = _TRAFFIC * load.activation_bytes / (1e9 * self.bandwidth)
        return max(compute, memory)


@click.command(context_settings={"show_default": True})
@click.option("--width", default=1.2, help="Of the networks, as of `supernet train`.")
@click.option("--gpus", "n_gpus", type=click.IntRange(min=1), default=4)
@click.option("--tflops", default=312.0, help="Peak of a GPU in half precision; A100: 312.")
@click.option("--bandwidth", default=2039.0, help="Of its memory, GB/s; A100 of 80 GB: 2,039.")
def main(width: float, n_gpus: int, tflops: float, bandwidth: float) -> None:
    """Print a Markdown table of hours and memory."""
    gpu, space = Gpu(tflops, bandwidth), MobileNetSpace(MobileNetShape(width=width))
    tokens = space.sample_tokens(_N_NETWORKS, np.random.default_rng(0))
    click.echo("| what | hours, at least | memory of a GPU, GB |")
    click.echo("| --- | --- | --- |")
    click.echo(_supernet_row(space, tokens[:_N_MEASURED], gpu, n_gpus))
    flops = space.token_costs(tokens)[:, 0]
    for level in LEVELS:
        nearest = tokens[[np.abs(flops - level).argmin()]]
        click.echo(_retraining_row(space, space.tokens_to_architectures(nearest)[0], gpu, n_gpus))


def _supernet_row(space: MobileNetSpace, tokens: IntArray, gpu: Gpu, n_gpus: int) -> str:
    config = SupernetConfig.imagenet()
    specs = space.tokens_to_architectures(tokens)
    loads = [measure_load(space.shape, spec) for spec in specs]
    mean, dearest = Load(*np.mean(loads, axis=0).tolist()), Load(*np.max(loads, axis=0).tolist())
    return _row(
        f"supernet, {config.steps:,} steps of {config.batch_size:,} images",
        config.steps * config.batch_size * gpu.seconds(mean) / n_gpus,
        config.batch_size / n_gpus / config.n_accumulation,
        dearest,
        _n_parameters(Supernet.build(space.shape)),
    )


def _retraining_row(space: MobileNetSpace, spec: MobileNetSpec, gpu: Gpu, n_gpus: int) -> str:
    config = RetrainConfig.imagenet()
    load = measure_load(space.shape, spec)
    return _row(
        f"retraining {load.flops / 1e6:.0f} MFLOPs, {config.epochs} epochs",
        config.epochs * N_TRAIN_IMAGES * gpu.seconds(load) / n_gpus,
        config.batch_size / n_gpus / config.n_accumulation,
        load,
        _n_parameters(MobileNetwork.build(space.shape, spec)),
    )


def measure_load(shape: MobileNetShape, spec: MobileNetSpec) -> Load:
    """Of an architecture, exactly: the tensors that autograd keeps, without computing them."""
    network = MobileNetwork.build(shape, spec).to(torch.bfloat16).train()
    size = (2, shape.image_channels, shape.image_size, shape.image_size)
    images = torch.empty(size, dtype=torch.bfloat16, device="meta")
    own = {id(p) for p in network.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in own:
            storage = tensor.untyped_storage()
            kept[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = network(images)
    activation_bytes = sum(storage.nbytes() for storage in kept.values()) / len(logits)
    return Load(MobileNetSpace(shape).cost(spec).flops, activation_bytes)


def _n_parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def _row(what: str, seconds: float, batch_size: float, load: Load, n_parameters: int) -> str:
    memory = _COPIES * _SINGLE * n_parameters + batch_size * load.activation_bytes
    return f"| {what} | {seconds / 3600:.1f} | {memory / 1e9:.1f} |"


if __name__ == "__main__":
    main()
