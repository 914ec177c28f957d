"""``optuna-dnas benchmark``."""

from collections.abc import Iterator
import itertools
from pathlib import Path
from typing import Any

import click
import optuna

from optuna_dnas._progress import progress_bar
from optuna_dnas.benchmarking import append_records
from optuna_dnas.benchmarking import CellProblem
from optuna_dnas.benchmarking import format_table
from optuna_dnas.benchmarking import load_comparisons
from optuna_dnas.benchmarking import read_records
from optuna_dnas.benchmarking import REFERENCE
from optuna_dnas.benchmarking import run_search
from optuna_dnas.benchmarking import SAMPLERS
from optuna_dnas.benchmarking import Search
from optuna_dnas.cli._benchmarks import benchmark_option
from optuna_dnas.cli._benchmarks import Goal
from optuna_dnas.cli._benchmarks import name_of
from optuna_dnas.cli._benchmarks import open_benchmark
from optuna_dnas.cli._benchmarks import table_argument
from optuna_dnas.cli._errors import clear_errors
from optuna_dnas.cli._errors import INTERRUPTED


# Problem, as `python -m benchmarks.run` of the repository calls it so that its records can lie in
# the same file, and metric.
_PROBLEMS = {
    "digits": ("digits", "validation_accuracy"),
    "nasbench101": ("nasbench101-test", "test_accuracy"),
}
_POSITIVE = click.IntRange(min=1)


@click.command()
@table_argument
@benchmark_option
@click.option(
    "--sampler",
    "samplers",
    type=click.Choice(list(SAMPLERS)),
    multiple=True,
    default=("DNAS", "TPE", "NSGA-II", "Random"),
    help="What to compare; again for another one. A search of GP takes minutes.",
)
@click.option("--seeds", "n_seeds", type=_POSITIVE, default=10, help="Searches of each sampler.")
@click.option("--queries", "n_queries", type=_POSITIVE, default=50, help="Cells of a search.")
@click.option(
    "--at",
    "checkpoints",
    type=_POSITIVE,
    multiple=True,
    show_default="half of the queries, and all",
    help="After how many queries to compare; again for another column.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Where to keep the searches, one JSON line each. What the file holds is not run again.",
)
@click.pass_context
@clear_errors
def benchmark(
    context: click.Context,
    table: Path | None,
    benchmark_name: str | None,
    samplers: tuple[str, ...],
    n_seeds: int,
    n_queries: int,
    checkpoints: tuple[int, ...],
    output: Path | None,
) -> None:
    """Compare samplers on cells whose accuracy is known.

    Without arguments: DNASSampler and three samplers of Optuna, on the 2,532 cells of at most 5
    vertices, by their accuracy on scikit-learn's digits. It takes about a minute.

    TABLE is for NASBench-101, as in `optuna-dnas search`.

    Cells that are invalid or repeated, which samplers propose that do not know the space, cost
    no query; but after 200 of them in a row a search ends, and keeps what it has.
    """
    checkpoints = checkpoints or (max(1, n_queries // 2), n_queries)
    if max(checkpoints) > n_queries:
        raise click.UsageError(f"--at {max(checkpoints)} is beyond --queries {n_queries}.")
    known = [] if output is None else read_records(output)
    name = name_of(benchmark_name, table)
    problem_name, metric = _PROBLEMS[name]
    opened = open_benchmark(name, table, Goal(metrics=(metric,)), train=False, device="cpu")
    click.echo(opened.description)
    # All samplers take turns, so that an interrupted command compares them, too.
    wanted = [
        Search(problem_name, sampler, seed, n_queries)
        for seed, sampler in itertools.product(range(n_seeds), dict.fromkeys(samplers))
    ]
    done = {Search.of(record) for record in known}
    missing = [search for search in wanted if search not in done]
    records = _run(missing, CellProblem(opened.objective))
    if output is not None:
        records = append_records(output, records)
    collected, is_complete = _collect(records, len(missing))
    known += collected
    click.echo(_report([r for r in known if Search.of(r) in wanted], checkpoints, metric))
    if not is_complete:
        context.exit(INTERRUPTED)


def _run(searches: list[Search], problem: CellProblem) -> Iterator[dict[str, Any]]:
    from optuna_dnas._torch_scope import torch_scope  # Imports torch: before any clock starts.

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for search in searches:
        with torch_scope():
            record = run_search(search, problem, SAMPLERS[search.sampler])
        yield record


def _collect(records: Iterator[dict[str, Any]], n: int) -> tuple[list[dict[str, Any]], bool]:
    """All of them, or those until an interrupt; and whether they are all."""
    collected = []
    try:
        for record in progress_bar(records, desc="benchmark", total=n, unit="search"):
            collected.append(record)
    except KeyboardInterrupt:
        click.echo("Interrupted. These are the searches until then.", err=True)
        return collected, False
    return collected, True


def _report(records: list[dict[str, Any]], checkpoints: tuple[int, ...], metric: str) -> str:
    if not records:
        return "No search has ended."
    (comparison,) = load_comparisons(records, regret=True, scale=100)
    table = format_table(comparison, sorted({*checkpoints}), overheads=["sampling CPU s"])
    meaning = (
        f"Regret, in percentage points of {metric.replace('_', ' ')}, after so many queries: mean "
        "± standard error"
    )
    if comparison.is_tested:
        meaning += f"; p that {REFERENCE} is better: one-sided t-test, paired by seed"
    return f"\n{table}\n\n{meaning}. The whole harness: benchmarks/README.md of the repository."
