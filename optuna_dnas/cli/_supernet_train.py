"""``optuna-dnas supernet train``."""

import math
from pathlib import Path
import shlex

import click

from optuna_dnas.cli._errors import clear_errors
from optuna_dnas.cli._next import format_steps
from optuna_dnas.cli._next import given_words
from optuna_dnas.cli._study import check_device
from optuna_dnas.cli._supernet_config import config_options
from optuna_dnas.cli._supernet_config import SUPERNET
from optuna_dnas.cli._supernet_options import device_options
from optuna_dnas.cli._supernet_options import image_options
from optuna_dnas.cli._supernet_options import IMAGE_PARAMETERS
from optuna_dnas.cli._supernet_options import ImageOptions
from optuna_dnas.cli._supernet_options import on_several_gpus
from optuna_dnas.cli._supernet_options import say
from optuna_dnas.cli._supernet_options import shape_options
from optuna_dnas.cli._supernet_options import ShapeOptions
from optuna_dnas.cli._supernet_options import training_errors
from optuna_dnas.objectives.supernet import ImageData
from optuna_dnas.objectives.supernet import SupernetConfig
from optuna_dnas.objectives.supernet import train_supernet
from optuna_dnas.objectives.supernet import TrainedSupernet
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpace


_N_LAST_LOSSES = 100
_NEAR_CHANCE = 0.8


@click.command(epilog=on_several_gpus("train"))
@clear_errors
@image_options
@shape_options
@config_options(SupernetConfig(), SupernetConfig.imagenet(), SUPERNET)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The checkpoint to write. If it exists, the training goes on from there.",
)
@device_options
@click.pass_context
def train(
    context: click.Context,
    images: ImageOptions,
    networks: ShapeOptions,
    config: SupernetConfig,
    output: Path,
    device: str,
    threads: int,
) -> None:
    """Train one network that holds all networks of a space.

    Running the command again goes on from the last checkpoint, also after a crash, and ends with
    the same weights as without an interruption.
    """
    check_device(device)
    data = images.open(networks.resolution)
    shape = networks.shape(data, images.dataset)
    say(_describe(data, shape, images.dataset))
    with training_errors():
        trained = train_supernet(shape, data, config, output, device=device, n_threads=threads)
    say(f"{_summary(trained, output)}\n\n{_next_steps(context, images.dataset, output)}")


def _describe(data: ImageData, shape: MobileNetShape, dataset: str) -> str:
    space = MobileNetSpace(shape)
    low, high = space.cost_range
    parts = ", ".join(
        f"{data.n_images(part):,} {what}"
        for part, what in (
            ("train", "to train on"),
            ("validation", "to search by"),
            ("test", "kept for the end"),
        )
    )
    size, channels = data.image_size, data.image_channels
    colours = "colour" if channels == 3 else f"{channels} channel{'s' * (channels > 1)}"
    return (
        f"Images: {dataset}, {size} x {size} pixels, {colours}, {data.n_classes} classes; "
        f"{parts}\n"
        f"Space: {_rounded(space.size)} networks of at most {len(shape.layers)} layers; "
        f"{_rounded(low.flops)} to {_rounded(high.flops)} multiply-adds, "
        f"{_rounded(low.params)} to {_rounded(high.params)} parameters"
    )


def _summary(trained: TrainedSupernet, output: Path) -> str:
    last = trained.losses[-_N_LAST_LOSSES:].mean().item()
    text = f"The supernet is in {output}: {trained.step:,} steps, loss {last:.3f}"
    speed = trained.images_per_second
    text += f"; {speed:,.0f} images a second." if speed > 0 else "."
    chance = math.log(trained.shape.n_classes)
    if last > _NEAR_CHANCE * chance:
        text += (
            f"\nThat is near the loss of a guess, {chance:.3f}: what it says of its networks is "
            "little more than noise.\nTrain more --steps, into another --output."
        )
    return text


def _rounded(number: float) -> str:
    if number >= 1e12:
        return f"{number:.1e}" if number < math.inf else "more than 1e308"
    for factor, unit in ((1e9, " billion"), (1e6, " million")):
        if number >= factor:
            return f"{number / factor:.3g}{unit}"
    return f"{number:,.0f}"


def _next_steps(context: click.Context, dataset: str, output: Path) -> str:
    images = given_words(context, [*IMAGE_PARAMETERS, "device", "threads"])
    search = ["optuna-dnas", "supernet", "search", "--checkpoint", str(output), *images]
    search += ["--storage", f"sqlite:///{dataset}.db"]
    return format_steps({"Search for the best of its networks:": [shlex.join(search)]})
