"""``optuna-dnas search``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import TYPE_CHECKING
import warnings

import click
import optuna
from optuna.exceptions import ExperimentalWarning
from tqdm import tqdm

from optuna_dnas import DNASSampler
from optuna_dnas.cli._benchmarks import Benchmark
from optuna_dnas.cli._benchmarks import benchmark_option
from optuna_dnas.cli._benchmarks import Goal
from optuna_dnas.cli._benchmarks import N_TRIALS
from optuna_dnas.cli._benchmarks import name_of
from optuna_dnas.cli._benchmarks import open_benchmark
from optuna_dnas.cli._benchmarks import table_argument
from optuna_dnas.cli._dashboard import artifact_directory
from optuna_dnas.cli._errors import clear_errors
from optuna_dnas.cli._ground_truth import GroundTruth
from optuna_dnas.cli._next import next_steps
from optuna_dnas.cli._report import report


if TYPE_CHECKING:
    from optuna_dnas.dashboard import DashboardCallback


_METRICS = (
    "validation_accuracy",
    "test_accuracy",
    "train_accuracy",
    "training_time",
    "flops",
    "params",
    "latency",
)
_POSITIVE = click.FloatRange(min=0, min_open=True)
_SEARCH_KEY = "dnas:search"


@click.command()
@table_argument
@benchmark_option
@click.option("--train", is_flag=True, help="Train the digits' cells instead of looking them up.")
@click.option(
    "--trials",
    "n_trials",
    type=click.IntRange(min=1),
    show_default="{digits}; nasbench101: {nasbench101}; with --train: {digits-trained}".format(
        **N_TRIALS
    ),
    help="How many to add.",
)
@click.option("--seed", type=click.IntRange(min=0), help="For the same search again.")
@click.option(
    "--metric",
    "metrics",
    type=click.Choice(_METRICS),
    multiple=True,
    default=("validation_accuracy",),
    help="What to optimise. Several make a Pareto study.",
)
@click.option("--max-flops", type=_POSITIVE, help="Limit of multiply-adds.")
@click.option("--max-params", type=_POSITIVE, help="Limit of parameters.")
@click.option("--min-flops", type=_POSITIVE, help="The least multiply-adds, for a band of costs.")
@click.option("--min-params", type=_POSITIVE, help="The least parameters.")
@click.option(
    "--max-latency",
    type=_POSITIVE,
    help="Limit of the milliseconds of an inference, with --train.",
)
@click.option(
    "--latency-batch-size",
    type=click.IntRange(min=1),
    show_default="1",
    help="Images of an inference.",
)
@click.option("--storage", default="sqlite:///optuna-dnas.db", help="Where the study is kept.")
@click.option("--study-name", show_default=", ".join(N_TRIALS), help="Its name there.")
@click.option(
    "--dashboard",
    is_flag=True,
    help="Publish drawings, figures and notes while it runs, for `optuna-dnas dashboard`.",
)
@click.option(
    "--device",
    default="cpu",
    help="Where the controller runs, and the networks of --train: cpu, cuda, mps.",
)
@click.pass_context
@clear_errors
def search(
    context: click.Context,
    table: Path | None,
    benchmark_name: str | None,
    train: bool,
    n_trials: int | None,
    seed: int | None,
    metrics: tuple[str, ...],
    max_flops: float | None,
    max_params: float | None,
    min_flops: float | None,
    min_params: float | None,
    max_latency: float | None,
    latency_batch_size: int | None,
    storage: str,
    study_name: str | None,
    dashboard: bool,
    device: str,
) -> None:
    """Search for the best cell of a neural network.

    Without arguments: of the 2,532 cells of at most 5 vertices, each trained 3 times on
    scikit-learn's digits. The results come with the package.

    TABLE is for NASBench-101: nasbench_only108.tfrecord or nasbench_full.tfrecord, which are
    converted once into a store, or that store. With --benchmark nasbench101, the environment
    variable OPTUNA_DNAS_NASBENCH101 names it as well.

    Running the command again continues the study.
    """
    goal = Goal(
        metrics=metrics,
        max_flops=max_flops,
        max_params=max_params,
        min_flops=min_flops,
        min_params=min_params,
        max_latency=max_latency,
        latency_batch_size=latency_batch_size,
    )
    _check_device(device)
    name = name_of(benchmark_name, table)
    benchmark = open_benchmark(name, table, goal, train=train, device=device)
    sampler = DNASSampler(space=benchmark.objective.space, seed=seed, device=device)
    study = _open_study(benchmark, goal, sampler, storage, study_name or benchmark.name)
    publishers = [_open_dashboard(benchmark, storage)] if dashboard else []
    click.echo(benchmark.description)
    _optimize(study, benchmark, n_trials or N_TRIALS[benchmark.name], publishers)
    click.echo(report(study, benchmark, GroundTruth.of(benchmark, goal), storage))
    click.echo(f"\n{next_steps(context, goal, storage, study.study_name)}")


def _check_device(device: str) -> None:
    """Before anything else: a controller that cannot run would leave the search to chance."""
    from optuna_dnas._torch_scope import resolve_device

    resolve_device(device)


def _open_study(
    benchmark: Benchmark, goal: Goal, sampler: DNASSampler, storage: str, name: str
) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    objective = benchmark.objective
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=sampler,
        pruner=benchmark.pruner,
        directions=objective.directions,
        load_if_exists=True,
    )
    known = study.metric_names
    if known is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(objective.metric_names)
    elif known != objective.metric_names:
        raise ValueError(
            f"The study {name!r} optimises {', '.join(known)}, not "
            f"{', '.join(objective.metric_names)}. Choose another --study-name."
        )
    search = {"benchmark": benchmark.name} | objective.limits | objective.latency_conditions
    _check_same_search(study, search)
    return study


def _check_same_search(study: optuna.Study, search: dict[str, Any]) -> None:
    """Trials of other cells, with other limits, or timed elsewhere cannot be compared."""
    known = study.user_attrs.get(_SEARCH_KEY)
    if known is None:
        study.set_user_attr(_SEARCH_KEY, search)
    elif known != search:
        raise ValueError(
            f"The study {study.study_name!r} is about {_describe(known)}, not about "
            f"{_describe(search)}. Choose another --study-name."
        )


def _describe(search: dict[str, Any]) -> str:
    others = [
        f"{key} {value if isinstance(value, str) else format(value, ',g')}"
        for key, value in search.items()
        if key != "benchmark"
    ]
    return ", ".join([search["benchmark"], *others])


def _open_dashboard(benchmark: Benchmark, storage: str) -> "DashboardCallback":
    from optuna_dnas.dashboard import DashboardCallback

    return DashboardCallback(artifact_directory(storage), space=benchmark.objective.space)


def _optimize(
    study: optuna.Study,
    benchmark: Benchmark,
    n_trials: int,
    publishers: Sequence["DashboardCallback"],
) -> None:
    with tqdm(total=n_trials, unit="trial", desc=study.study_name) as bar:

        def show(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
            bar.set_postfix_str(_best_so_far(study), refresh=False)
            bar.update()

        try:
            study.optimize(benchmark.objective, n_trials=n_trials, callbacks=[show, *publishers])
        except KeyboardInterrupt:
            bar.close()
            click.echo("Interrupted. Run the command again to go on.", err=True)
    for publisher in publishers:
        publisher.publish(study)


def _best_so_far(study: optuna.Study) -> str:
    try:
        return f"best {study.best_value:.5g}"
    except (ValueError, RuntimeError):  # Nothing within the limits yet, or several objectives.
        return ""
