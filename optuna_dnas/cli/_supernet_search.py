"""``optuna-dnas supernet search``."""

from dataclasses import asdict
from pathlib import Path

import click
import optuna

from optuna_dnas import DNASSampler
from optuna_dnas.cli._benchmarks import check_latency
from optuna_dnas.cli._benchmarks import Goal
from optuna_dnas.cli._errors import clear_errors
from optuna_dnas.cli._errors import INTERRUPTED
from optuna_dnas.cli._next import format_steps
from optuna_dnas.cli._next import given_words
from optuna_dnas.cli._next import study_steps
from optuna_dnas.cli._options import goal_options
from optuna_dnas.cli._options import study_options
from optuna_dnas.cli._report import report
from optuna_dnas.cli._storages import to_shell
from optuna_dnas.cli._study import check_device
from optuna_dnas.cli._study import open_study
from optuna_dnas.cli._study import optimize
from optuna_dnas.cli._supernet_options import COUNT
from optuna_dnas.cli._supernet_options import device_options
from optuna_dnas.cli._supernet_options import image_options
from optuna_dnas.cli._supernet_options import IMAGE_PARAMETERS
from optuna_dnas.cli._supernet_options import ImageOptions
from optuna_dnas.cli._supernet_options import SEED
from optuna_dnas.objectives import LATENCY
from optuna_dnas.objectives.supernet import ImageData
from optuna_dnas.objectives.supernet import MobileSupernet
from optuna_dnas.objectives.supernet import SupernetObjective
from optuna_dnas.objectives.supernet import TrainedSupernet
from optuna_dnas.objectives.training import precision_text
from optuna_dnas.objectives.training import PRECISIONS
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec


SHAPE_KEY = "dnas:mobilenet_shape"
"""The attribute of a study that says of which shape its networks are."""


@click.command()
@clear_errors
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    required=True,
    help="What `optuna-dnas supernet train` has written.",
)
@image_options
@click.option(
    "--trials",
    "n_trials",
    type=COUNT,
    default=100,
    help="How many networks to evaluate.",
)
@click.option("--seed", type=SEED, help="For the same search again.")
@goal_options(SupernetObjective, limited=(*MobileNetSpace.cost_names, LATENCY.name))
@study_options(default_name="the dataset's, and -supernet")
@device_options
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    show_default="as the supernet was trained",
    help="Number format; auto: a short one on CUDA.",
)
@click.pass_context
def search(
    context: click.Context,
    checkpoint: Path,
    images: ImageOptions,
    n_trials: int,
    seed: int | None,
    goal: Goal,
    storage: str,
    study_name: str | None,
    dashboard: bool,
    device: str,
    threads: int,
    precision: str | None,
) -> None:
    """Search for the best network, with the weights that it has in a trained supernet.

    Networks are judged by the validation part of the images; the test part is not touched.

    Running the command again continues the study. Several of them at the same time, on one
    storage, share the work.
    """
    check_device(device)
    check_latency(goal)
    trained = TrainedSupernet.load(checkpoint)
    data = images.open(trained.shape.image_size)
    _check_same_images(trained, data, checkpoint)
    model = MobileSupernet(trained, data, device=device, n_threads=threads, precision=precision)
    # Single precision is not named: studies that know no other go on.
    short = precision_text(model.precision, device).strip()
    number_format = {"precision": short} if short else {}
    objective = SupernetObjective(
        model,
        metrics=goal.metrics,
        limits=goal.limits,
        latency_meter=model.latency_meter(goal.latency_config()),
    )
    study = open_study(
        objective,
        DNASSampler(space=objective.space, seed=seed, device=device),
        storage=storage,
        name=study_name or f"{images.dataset}-supernet",
        benchmark="supernet",
        conditions={"weights": trained.digest(), "images": data.digest()} | number_format,
    )
    study.set_user_attr(SHAPE_KEY, asdict(trained.shape))
    click.echo(f"Searching the networks of the supernet {checkpoint}.")
    publish_for = storage if dashboard else None
    is_complete = optimize(study, objective, n_trials, publish_for=publish_for)
    click.echo(report(study, objective, MobileNetSpec.parse, storage))
    click.echo(f"\n{_next_steps(context, study, storage)}")
    if not is_complete:
        context.exit(INTERRUPTED)


def _check_same_images(trained: TrainedSupernet, data: ImageData, checkpoint: Path) -> None:
    """Others might be among those that the supernet was trained on."""
    for name, what in (("n_classes", "classes"), ("image_channels", "channels")):
        wanted, found = getattr(trained.shape, name), getattr(data, name)
        if wanted != found:
            raise ValueError(
                f"The supernet {checkpoint} is for images of {wanted} {what}, but these are of "
                f"{found}."
            )
    if trained.data_digest != data.digest():
        raise ValueError(
            f"The supernet {checkpoint} was trained on other images: give --dataset, --data, "
            "--validation-fraction, --split-seed and --augment as for its training."
        )


def _next_steps(context: click.Context, study: optuna.Study, storage: str) -> str:
    images = given_words(context, [*IMAGE_PARAMETERS, "device", "threads"])
    retrain = ["optuna-dnas", "supernet", "retrain", "--storage", storage]
    retrain += ["--study-name", study.study_name, *images]
    if len(study.directions) > 1:
        retrain += ["--trial", str(study.best_trials[0].number)] if study.best_trials else []
    retrain += ["--output", f"{study.study_name}-best"]
    steps = {"Train the best one from scratch:": [to_shell(retrain, storage)]}
    return format_steps(steps | study_steps(context, storage, study.study_name))
