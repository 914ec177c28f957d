"""Options that say how a network is trained."""

from collections.abc import Callable
from dataclasses import replace
import functools
from typing import Any
from typing import NamedTuple

import click

from optuna_dnas.cli._supernet_options import COUNT
from optuna_dnas.cli._supernet_options import SEED
from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.objectives.supernet import SupernetConfig
from optuna_dnas.objectives.training import PRECISIONS


Command = Callable[..., Any]
Config = SupernetConfig | RetrainConfig

_POSITIVE = click.FloatRange(min=0, min_open=True)
_SHARE = click.FloatRange(0, 1, max_open=True)


class Setting(NamedTuple):
    """An option for a field of a config."""

    option: str
    field: str
    type: "click.ParamType[Any]"
    help: str


_SHARED = (
    Setting("--batch-size", "batch_size", COUNT, "Images of a step, of all processes together."),
    Setting(
        "--accumulation",
        "n_accumulation",
        COUNT,
        "Parts in which a process works off its share of a step, to save memory.",
    ),
    Setting("--learning-rate", "learning_rate", _POSITIVE, "The highest."),
    Setting("--warm-up", "warm_up", _SHARE, "Share of the training in which it rises."),
    Setting("--weight-decay", "weight_decay", click.FloatRange(0), "Of convolutions."),
    Setting("--label-smoothing", "label_smoothing", _SHARE, "Spread over all classes."),
    Setting("--dropout", "dropout", _SHARE, "Before the last layer."),
    Setting("--ema-decay", "ema_decay", _SHARE, "Of a moving average of the weights."),
    Setting(
        "--precision",
        "precision",
        click.Choice(PRECISIONS),
        "Number format; auto: a short one on CUDA.",
    ),
    Setting("--checkpoint-interval", "checkpoint_interval", COUNT, "Steps from one to the next."),
    Setting("--seed", "seed", SEED, "Decides initial weights and the order of images."),
)
SUPERNET = (
    Setting("--steps", "steps", COUNT, "How long it is trained."),
    Setting(
        "--sampling",
        "sampling",
        click.Choice(("uniform", "fair", "sandwich")),
        "Which networks a step trains: a random one; as many as a layer has choices, each choice "
        "once; the largest, the smallest and two random ones.",
    ),
    *_SHARED,
)
RETRAIN = (Setting("--epochs", "epochs", COUNT, "Passes over the training images."), *_SHARED)


def config_options(
    default: Config, imagenet: Config, settings: tuple[Setting, ...]
) -> Callable[[Command], Command]:
    """Pass one of the configs, with the changes that options make, as ``config``."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def configured(*args: Any, imagenet_settings: bool, **kwargs: Any) -> Any:
            given = {setting.field: kwargs.pop(setting.field) for setting in settings}
            changes = {field: value for field, value in given.items() if value is not None}
            config = replace(imagenet if imagenet_settings else default, **changes)
            return command(*args, config=config, **kwargs)

        for setting in reversed(settings):
            configured = click.option(
                setting.option,
                setting.field,
                type=setting.type,
                show_default=_shown(default, imagenet, setting.field),
                help=setting.help,
            )(configured)
        return click.option(
            "--imagenet",
            "imagenet_settings",
            is_flag=True,
            help="Other defaults: those for ImageNet, on several GPUs.",
        )(configured)

    return decorate


def _shown(default: Config, imagenet: Config, field: str) -> str:
    usual, large = (getattr(config, field) for config in (default, imagenet))
    text = "none" if usual is None else f"{usual:g}" if isinstance(usual, float) else f"{usual}"
    return text if usual == large else f"{text}; with --imagenet: {large:g}"
