"""The ablation of the paper (its Table 3): dense sampling x disentanglement.

    python -m benchmarks.ablation --seeds 0:50 --jobs 2

A run that the output file holds already is not repeated: stop it and start it again as you like.

Q: queries, R: runs of a contender.
"""

from collections.abc import Iterable
import itertools
from pathlib import Path
from typing import Any
from typing import NamedTuple

import click
import numpy as np

from benchmarks.options import POSITIVE
from benchmarks.options import seeds_option
from benchmarks.run import run_all
from optuna_dnas._typing import FloatArray
from optuna_dnas.benchmarking import format_mean
from optuna_dnas.benchmarking import mean_and_error
from optuna_dnas.benchmarking import read_records
from optuna_dnas.benchmarking import Search


class Variant(NamedTuple):
    """A row of the table."""

    sampler: str
    is_dense: bool
    is_disentangled: bool


# Plainest first, as in the paper.
VARIANTS = (
    Variant("SemiNAS", is_dense=False, is_disentangled=False),
    Variant("DNAS (paper), not disentangled", is_dense=True, is_disentangled=False),
    Variant("DNAS (paper), not dense", is_dense=False, is_disentangled=True),
    Variant("DNAS (paper)", is_dense=True, is_disentangled=True),
)

# Accuracies of cells, of which more is better.
_PROBLEMS = ("nasbench101-test", "nasbench101-validation", "digits")


@click.command(context_settings={"show_default": True})
@click.option("--problem", type=click.Choice(_PROBLEMS), default="nasbench101-test")
@seeds_option("0:50")
@click.option("--at", "checkpoints", type=POSITIVE, multiple=True, default=(150, 300))
@click.option("--top", "n_best", type=POSITIVE, default=10, help="The best to average.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("benchmarks/ablation.jsonl")
)
@click.option("--jobs", type=POSITIVE, default=1, help="Processes.")
def main(
    problem: str,
    seeds: range,
    checkpoints: tuple[int, ...],
    n_best: int,
    output: Path,
    jobs: int,
) -> None:
    """Run the four variants of the paper's method, and print a Markdown table.

    An accuracy is in percent, after so many queries (--at); every average is over the evaluated
    cells of a run, and its mean and standard error are over the runs.
    """
    wanted = [
        Search(problem, variant.sampler, seed, max(checkpoints))
        for seed, variant in itertools.product(seeds, VARIANTS)
    ]
    run_all(wanted, output, jobs)
    runs = [record for record in read_records(output) if Search.of(record) in wanted]
    click.echo(format_table(runs, checkpoints, n_best))


def format_table(runs: list[dict[str, Any]], checkpoints: Iterable[int], n_best: int) -> str:
    """Markdown, of lines of `benchmarks.run` whose values are maximised."""
    metrics = [(n_queries, k) for n_queries in checkpoints for k in (1, n_best)]
    titles = [f"Top-{k} at {n_queries} queries, %" for n_queries, k in metrics]
    rows = [["Dense", "Disentangled", "runs", *titles]]
    rows.append(["---"] * len(rows[0]))
    for variant in VARIANTS:
        values = [line["values"] for line in runs if line["sampler"] == variant.sampler]
        marks = ["✓" if is_on else "" for is_on in variant[1:]]
        cells = [_format(top_means(values, n_queries, k)) for n_queries, k in metrics]
        rows.append([*marks, str(len(values)), *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def top_means(
    values: list[list[float]],  # R lists of Q values, in the order of the queries
    n_queries: int,
    k: int,
) -> FloatArray:  # (R,)
    """The mean of the k highest among the first values of each run."""
    return np.array([np.mean(sorted(run_values[:n_queries])[-k:]) for run_values in values])


def _format(
    means: FloatArray,  # (R,)
) -> str:
    if not len(means):
        return "-"
    (mean,), (error,) = mean_and_error(100 * means[:, None])
    return format_mean(mean, error)


if __name__ == "__main__":
    main()
