"""What the ImageNet recipe reaches on this machine: images a second, and memory.

    python -m benchmarks.imagenet_speed --device cuda --batch-size 256 --steps 60

The configurations are those of `examples/imagenet.md`; the images are noise that lies on the
device, so that reading and augmenting are not measured. The hours are those of one device at this
rate. ``--device cpu --batch-size 8 --steps 2`` is a dry run for machines without a GPU.
"""

from collections.abc import Callable
from dataclasses import replace
import itertools
from pathlib import Path
import resource
import tempfile
import time
from typing import Any
from typing import NamedTuple

import click
import numpy as np
import torch

from benchmarks.imagenet_cost import LEVELS
from benchmarks.imagenet_cost import N_TRAIN_IMAGES
from benchmarks.options import POSITIVE
from optuna_dnas._torch_scope import private_generator
from optuna_dnas.objectives.supernet import ImageData
from optuna_dnas.objectives.supernet import MobileSupernet
from optuna_dnas.objectives.supernet import retrain
from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.objectives.supernet import SupernetConfig
from optuna_dnas.objectives.supernet import TensorImages
from optuna_dnas.objectives.supernet import train_supernet
from optuna_dnas.objectives.supernet import TrainedSupernet
from optuna_dnas.objectives.supernet.data._base import PARTS
from optuna_dnas.objectives.training import TrainingData
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec


_N_BATCHES = 4  # of different images
_N_SEARCHED = 5_000
_N_EVALUATED = 5  # subnets
# What an evaluation of the recipe reads: for calibration, and 10,000 of what is held out.
_N_EVALUATION_IMAGES = 1_024 + 10_000


class Speed(NamedTuple):
    """Of a training or of evaluations."""

    images_per_second: float
    peak_bytes: int


@click.command(context_settings={"show_default": True})
@click.option("--device", default="cpu", help='"cpu", "mps" or "cuda".')
@click.option("--batch-size", type=POSITIVE, default=256, help="On one device.")
@click.option("--accumulation", type=POSITIVE, default=1, help="Parts of a batch.")
@click.option("--steps", type=POSITIVE, default=60, help="Measured, after as many of warm-up.")
@click.option("--width", default=1.2, help="Of the networks, as of `supernet train`.")
@click.option("--threads", type=POSITIVE, default=1, help="Of the CPU.")
def main(
    device: str, batch_size: int, accumulation: int, steps: int, width: float, threads: int
) -> None:
    """Print a Markdown table of speed and memory."""
    shape = MobileNetShape(width=width)
    data = noise(shape, _N_BATCHES * batch_size)
    spec = _nearest(shape, LEVELS[0])
    common: dict[str, Any] = {"batch_size": batch_size, "n_accumulation": accumulation}
    where: dict[str, Any] = {"device": device, "n_threads": threads, "progress": False}
    supernet_config = replace(SupernetConfig.imagenet(), steps=steps, **common)
    epochs = max(1, steps // _N_BATCHES)
    config = replace(RetrainConfig.imagenet(), epochs=epochs, validation_interval=epochs, **common)
    with tempfile.TemporaryDirectory() as folder:
        outputs = (Path(folder, str(k)) for k in itertools.count())

        def train() -> float:
            output = next(outputs)
            return train_supernet(shape, data, supernet_config, output, **where).images_per_second

        def train_network() -> float:
            return retrain(shape, spec, data, config, next(outputs), **where).images_per_second

        supernet, network = _measured(train, device), _measured(train_network, device)
        trained = TrainedSupernet.load(Path(folder, "0"))
    model = MobileSupernet(trained, data, device=device, n_threads=threads, batch_size=batch_size)
    evaluation = _measured(lambda: _evaluate(model, data), device)
    click.echo("| what | images/s | hours on one device | memory, GB |")
    click.echo("| --- | --- | --- | --- |")
    whole = SupernetConfig.imagenet()
    click.echo(_row("supernet, all steps", supernet, whole.steps * whole.batch_size))
    flops = MobileNetSpace(shape).cost(spec).flops / 1e6
    n_images = RetrainConfig.imagenet().epochs * N_TRAIN_IMAGES
    click.echo(_row(f"retraining {flops:.0f} MFLOPs, all epochs", network, n_images))
    click.echo(_row("100 evaluations", evaluation, 100 * _N_EVALUATION_IMAGES))


def noise(shape: MobileNetShape, n_images: int) -> ImageData:
    """Images of the shape that show nothing: as many for each part."""
    size = (n_images, shape.image_channels, shape.image_size, shape.image_size)
    images = torch.randn(size, generator=private_generator(0))
    labels = torch.arange(n_images) % shape.n_classes
    parts: dict[str, Any] = {f"{part}_images": images for part in PARTS}
    parts |= {f"{part}_labels": labels for part in PARTS}
    return TensorImages(TrainingData(**parts, n_classes=shape.n_classes))


def _nearest(shape: MobileNetShape, flops: float) -> MobileNetSpec:
    space = MobileNetSpace(shape)
    tokens = space.sample_tokens(_N_SEARCHED, np.random.default_rng(0))
    nearest = np.abs(space.token_costs(tokens)[:, 0] - flops).argmin()
    return space.tokens_to_architectures(tokens[[nearest]])[0]


def _evaluate(model: MobileSupernet, data: ImageData) -> float:
    """Images a second, those of the calibration included."""
    n_images = min(model.n_calibration_images, data.n_images("train"))
    n_images += data.n_images("validation")
    specs = model.space.sample(np.random.default_rng(0), _N_EVALUATED)
    start = time.perf_counter()
    for spec in specs:
        model.activate(spec)
        model.evaluate()
    return len(specs) * n_images / (time.perf_counter() - start)


def _measured(run: Callable[[], float], device: str) -> Speed:
    """The second of two runs: the first one also loads and chooses kernels."""
    run()
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
    rate = run()
    if device.startswith("cuda"):
        return Speed(rate, torch.cuda.max_memory_allocated(device))
    return Speed(rate, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _row(what: str, speed: Speed, n_images: int) -> str:
    hours = n_images / speed.images_per_second / 3600
    memory = speed.peak_bytes / 1e9
    return f"| {what} | {speed.images_per_second:,.0f} | {hours:.2f} | {memory:.1f} |"


if __name__ == "__main__":
    main()
