"""``optuna-dnas search``."""

from pathlib import Path

import click

from optuna_dnas import DNASSampler
from optuna_dnas.cli._benchmarks import benchmark_option
from optuna_dnas.cli._benchmarks import Goal
from optuna_dnas.cli._benchmarks import N_TRIALS
from optuna_dnas.cli._benchmarks import name_of
from optuna_dnas.cli._benchmarks import open_benchmark
from optuna_dnas.cli._benchmarks import table_argument
from optuna_dnas.cli._errors import clear_errors
from optuna_dnas.cli._errors import INTERRUPTED
from optuna_dnas.cli._ground_truth import GroundTruth
from optuna_dnas.cli._next import next_steps
from optuna_dnas.cli._options import goal_options
from optuna_dnas.cli._options import study_options
from optuna_dnas.cli._report import report
from optuna_dnas.cli._study import check_device
from optuna_dnas.cli._study import open_study
from optuna_dnas.cli._study import optimize
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.objectives import LATENCY
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space


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
@goal_options(
    DigitsCellObjective,
    limited=(*NASBench101Space.cost_names, LATENCY.name),
    latency_needs="with --train",
)
@study_options(default_name=", ".join(N_TRIALS))
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
    goal: Goal,
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
    check_device(device)
    name = name_of(benchmark_name, table)
    benchmark = open_benchmark(name, table, goal, train=train, device=device)
    study = open_study(
        benchmark.objective,
        DNASSampler(space=benchmark.objective.space, seed=seed, device=device),
        storage=storage,
        name=study_name or benchmark.name,
        benchmark=benchmark.name,
        pruner=benchmark.pruner,
    )
    click.echo(benchmark.description)
    is_complete = optimize(
        study,
        benchmark.objective,
        n_trials or N_TRIALS[benchmark.name],
        publish_for=storage if dashboard else None,
    )
    truth = GroundTruth.of(benchmark, goal)
    click.echo(report(study, benchmark.objective, ModelSpec.parse, storage, truth=truth))
    click.echo(f"\n{next_steps(context, goal, storage, study.study_name)}")
    if not is_complete:
        context.exit(INTERRUPTED)
