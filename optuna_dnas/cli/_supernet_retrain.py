"""``optuna-dnas supernet retrain``."""

from dataclasses import asdict
from dataclasses import replace
from pathlib import Path

import click
import optuna
from optuna.trial import FrozenTrial

from optuna_dnas.cli._errors import clear_errors
from optuna_dnas.cli._next import format_steps
from optuna_dnas.cli._storages import load_study
from optuna_dnas.cli._storages import to_shell
from optuna_dnas.cli._study import check_device
from optuna_dnas.cli._supernet_config import config_options
from optuna_dnas.cli._supernet_config import RETRAIN
from optuna_dnas.cli._supernet_options import device_options
from optuna_dnas.cli._supernet_options import image_options
from optuna_dnas.cli._supernet_options import ImageOptions
from optuna_dnas.cli._supernet_options import on_several_gpus
from optuna_dnas.cli._supernet_options import say
from optuna_dnas.cli._supernet_options import shape_options
from optuna_dnas.cli._supernet_options import ShapeOptions
from optuna_dnas.cli._supernet_options import training_errors
from optuna_dnas.cli._supernet_search import SHAPE_KEY
from optuna_dnas.objectives.supernet import retrain as train_from_scratch
from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.objectives.supernet import RetrainedNetwork
from optuna_dnas.search_space import cost_title
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec


_N_EPOCHS = 300  # As the paper trains its winners.
_TOP = 5


@click.command(epilog=on_several_gpus("retrain"))
@clear_errors
@click.option("--storage", help="Where a search has kept its study.")
@click.option("--study-name", help="Its name there.")
@click.option(
    "--trial",
    "trial_number",
    type=click.IntRange(min=0),
    show_default="the best one",
    help="The number of the trial whose network to train.",
)
@click.option(
    "--architecture",
    help='Instead of a study: the layers, as "k3e6 k5e3 skip ...", of the networks that '
    "--resolution, --space, --stages, --width, --kernels and --expansions tell.",
)
@image_options
@shape_options
@config_options(
    RetrainConfig(epochs=_N_EPOCHS), replace(RetrainConfig.imagenet(), epochs=_N_EPOCHS), RETRAIN
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The checkpoint to write. If it exists, the training goes on from there.",
)
@device_options
def retrain(
    storage: str | None,
    study_name: str | None,
    trial_number: int | None,
    architecture: str | None,
    images: ImageOptions,
    networks: ShapeOptions,
    config: RetrainConfig,
    output: Path,
    device: str,
    threads: int,
) -> None:
    """Train a network from scratch, and measure it on the test images once, at the end.

    It is the best one of a study, or another one. Running the command again goes on from the last
    checkpoint.
    """
    check_device(device)
    if architecture is not None:
        _check_without_study(storage, study_name, trial_number)
        data = images.open(networks.resolution)
        shape, spec = networks.shape(data, images.dataset), MobileNetSpec.parse(architecture)
        what = "The network"
    else:
        study, trial = _choose(storage, study_name, trial_number, networks)
        shape = MobileNetShape.from_dict(study.user_attrs[SHAPE_KEY])
        spec = MobileNetSpec.parse(trial.user_attrs["architecture"])
        data = images.open(shape.image_size)
        what = f"Trial {trial.number} of {study.study_name}"
    say(f"{what}\n{MobileNetSpace(shape).draw(spec)}")
    with training_errors():
        trained = train_from_scratch(
            shape, spec, data, config, output, device=device, n_threads=threads
        )
    say(f"\n{_summary(trained)}\n\n{_next_steps(output, storage, study_name)}")


def _check_without_study(
    storage: str | None, study_name: str | None, trial_number: int | None
) -> None:
    given = {"--storage": storage, "--study-name": study_name, "--trial": trial_number}
    for option, value in given.items():
        if value is not None:
            raise click.UsageError(f"{option} is about a study: leave out --architecture.")


def _choose(
    storage: str | None, study_name: str | None, number: int | None, networks: ShapeOptions
) -> tuple[optuna.Study, FrozenTrial]:
    if storage is None or study_name is None:
        raise click.UsageError("Either --storage and --study-name, or --architecture is needed.")
    for name, value in asdict(networks).items():
        if value is not None:
            raise click.UsageError(
                f"--{name} is for --architecture: the study knows its networks."
            )
    study = load_study(storage, study_name)
    if SHAPE_KEY not in study.user_attrs:
        raise ValueError(f"The study {study_name!r} is not one of `optuna-dnas supernet search`.")
    return study, _best(study) if number is None else _numbered(study, number)


def _best(study: optuna.Study) -> FrozenTrial:
    best = [trial for trial in study.best_trials if "architecture" in trial.user_attrs]
    if not best:
        raise ValueError(
            f"The study {study.study_name!r} has no network that is within the limits."
        )
    if len(study.directions) > 1:
        numbers = ", ".join(str(trial.number) for trial in best)
        raise ValueError(
            f"The study {study.study_name!r} has a Pareto front: choose a --trial, such as "
            f"{numbers}."
        )
    return best[0]


def _numbered(study: optuna.Study, number: int) -> FrozenTrial:
    trials = study.get_trials(deepcopy=False)
    if number >= len(trials):
        raise ValueError(
            f"--trial must be less than {len(trials)}, the number of trials of the study "
            f"{study.study_name!r}, but got {number}."
        )
    if "architecture" not in trials[number].user_attrs:
        raise ValueError(f"Trial {number} of the study {study.study_name!r} has no network.")
    return trials[number]


def _summary(trained: RetrainedNetwork) -> str:
    rows = {}
    for part, accuracy in trained.accuracies.items():
        rows[f"{part} accuracy"] = f"{100 * accuracy.top1:.3f} %"
        if trained.shape.n_classes > _TOP:
            rows[f"{part}, among {_TOP}"] = f"{100 * accuracy.top5:.3f} %"
    cost = MobileNetSpace(trained.shape).cost(trained.spec)
    rows |= {cost_title(name): f"{amount:,}" for name, amount in cost.items()}
    rows["epochs"] = f"{trained.epoch}"
    if trained.images_per_second > 0:
        rows["images a second"] = f"{trained.images_per_second:,.0f}"
    return "\n".join(f"{name:<20} {text}" for name, text in rows.items())


def _next_steps(output: Path, storage: str | None, study_name: str | None) -> str:
    export = ["optuna-dnas", "supernet", "export", "--network", str(output)]
    export += ["--output", f"{output}-exported"]
    if storage is not None and study_name is not None:
        export += ["--storage", storage, "--study-name", study_name]
    return format_steps({"Export it, with a model card:": [to_shell(export, storage)]})
