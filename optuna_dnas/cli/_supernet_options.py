"""Options that the commands of a supernet have in common."""

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import fields
from dataclasses import replace
import os
from pathlib import Path
import re
from typing import Any

import click

from optuna_dnas.cli._options import collected
from optuna_dnas.objectives.supernet import ImageData
from optuna_dnas.objectives.supernet import open_images
from optuna_dnas.objectives.supernet.data import DATASETS
from optuna_dnas.objectives.training import DivergedError
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import Stage


Command = Callable[..., Any]

# PyTorch's own counts overflow where Python's do not.
COUNT = click.IntRange(1, 2**31 - 1)
SEED = click.IntRange(0, 2**63 - 1)

_IMAGE_FOLDER = "imagefolder"
_STAGE = re.compile(r"(\d+)x(\d+)(?:/([12]))?")


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """Which images, by the names of the options."""

    dataset: str
    data: Path | None
    validation_fraction: float | None
    split_seed: int
    augment: bool | None
    workers: int | None

    def open(self, image_size: int | None = None) -> ImageData:
        """The images, at the size of a network."""
        return open_images(
            self.dataset,
            self.data,
            image_size=image_size,
            validation_fraction=self.validation_fraction,
            seed=self.split_seed,
            n_workers=self.workers,
            augment=self.augment,
        )


@dataclass(frozen=True, kw_only=True)
class ShapeOptions:
    """Which networks, by the names of the options."""

    resolution: int | None
    space: str | None
    stages: str | None
    width: float | None
    kernels: str | None
    expansions: str | None

    def shape(self, data: ImageData, dataset: str) -> MobileNetShape:
        """The networks for these images."""
        space = self.space or ("imagenet" if dataset == _IMAGE_FOLDER else "small")
        make = MobileNetShape if space == "imagenet" else MobileNetShape.small
        shape = make(
            image_size=data.image_size,
            image_channels=data.image_channels,
            n_classes=data.n_classes,
        )
        changes: dict[str, Any] = {
            "stages": None if self.stages is None else _parse_stages(self.stages),
            "width": self.width,
            "kernels": _parse_integers("--kernels", self.kernels),
            "expansions": _parse_integers("--expansions", self.expansions),
        }
        return replace(shape, **{k: v for k, v in changes.items() if v is not None})


IMAGE_PARAMETERS = tuple(field.name for field in fields(ImageOptions))
"""Must be the same for all commands about the same images."""


def image_options(command: Command) -> Command:
    """Pass `ImageOptions` as ``images``."""
    options = (
        click.option(
            "--dataset", type=click.Choice(DATASETS), required=True, help="Which images."
        ),
        click.option(
            "--data",
            type=click.Path(path_type=Path),
            help="The folder they are in: MNIST's or Fashion-MNIST's four files for idx, train/ "
            "and val/ with a folder for each class for imagefolder. digits needs none.",
        ),
        click.option(
            "--validation-fraction",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            show_default="digits: 0.2; imagefolder: 0.04; others: 0.1",
            help="Share of the training images that a search judges by.",
        ),
        click.option(
            "--split-seed",
            type=SEED,
            default=0,
            help="Decides which images these are. All commands must be given the same.",
        ),
        click.option(
            "--augment/--no-augment",
            default=None,
            show_default="augment; digits: no-augment",
            help="Whether training images are changed at random.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=0),
            show_default="one for each core, at most 8",
            help="Processes that read images of imagefolder.",
        ),
    )
    return collected(command, ImageOptions, "images", options)


def shape_options(command: Command) -> Command:
    """Pass `ShapeOptions` as ``networks``."""
    options = (
        click.option(
            "--resolution",
            type=click.IntRange(8, 2**31 - 1),
            show_default="that of the images; imagefolder: 224",
            help="Height and width to which images are brought, pixels.",
        ),
        click.option(
            "--space",
            type=click.Choice(("small", "imagenet")),
            show_default="imagefolder: imagenet; others: small",
            help="Which networks: up to 6 layers of few channels, or the 21 layers of "
            "ProxylessNAS.",
        ),
        click.option(
            "--stages",
            show_default="those of --space",
            help='Channels x most layers / stride of each stage, as "16x3/1 24x3/2".',
        ),
        click.option(
            "--width",
            type=click.FloatRange(min=0, min_open=True),
            show_default="1",
            help="Multiplies all channels.",
        ),
        click.option("--kernels", show_default="3,5,7", help="Kernel sizes to choose from."),
        click.option("--expansions", show_default="3,6", help="Expansion ratios to choose from."),
    )
    return collected(command, ShapeOptions, "networks", options)


def device_options(command: Command) -> Command:
    """Where networks run."""
    for option in (
        click.option("--threads", type=COUNT, default=1, help="Of the CPU, for networks."),
        click.option("--device", default="cpu", help="Where networks run: cpu, cuda, mps."),
    ):
        command = option(command)
    return command


def on_several_gpus(name: str) -> str:
    """The last lines of a command's help."""
    start = f"accelerate launch -m optuna_dnas supernet {name} --device cuda"
    return f"\b\nOn several GPUs:\n  {start} ..."


def say(text: str) -> None:
    """Of several processes that train together, only one speaks."""
    if int(os.environ.get("RANK", 0)) == 0:
        click.echo(text)


@contextmanager
def training_errors() -> Iterator[None]:
    """Say what helps against a loss that is no number any more."""
    try:
        yield
    except DivergedError as error:
        raise ValueError(f"{error} A lower --learning-rate may help.") from error


def _parse_stages(text: str) -> tuple[Stage, ...]:
    matches = [_STAGE.fullmatch(word) for word in text.split()]
    if not matches or not all(matches):
        raise ValueError(
            f"--stages must be channels x layers / stride of each stage, such as "
            f'"16x3/1 24x3/2", but got {text!r}.'
        )
    return tuple(
        Stage(int(match[1]), int(match[2]), int(match[3] or 1)) for match in matches if match
    )


def _parse_integers(option: str, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise ValueError(f"{option} must be integers, such as 3,5, but got {text!r}.") from None
