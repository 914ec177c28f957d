"""Run searches: problem x sampler x seed -> one JSON line each.

A run that the output file holds already is not repeated: stop it and start it again as you like.
Every process has one thread, so that CPU times compare.

    python -m benchmarks.run --problem hartmann6 --sampler DNAS --sampler TPE --seeds 0:30
"""

from collections.abc import Iterable
import functools
import itertools
from pathlib import Path
from typing import Any
import warnings

import click
import optuna
from tqdm import tqdm

from benchmarks.contenders import CONTENDERS
from benchmarks.options import POSITIVE
from benchmarks.options import seeds_option
from benchmarks.problems import PROBLEMS
from benchmarks.workers import map_unordered
from optuna_dnas.benchmarking import append_records
from optuna_dnas.benchmarking import Problem
from optuna_dnas.benchmarking import read_records
from optuna_dnas.benchmarking import run_search
from optuna_dnas.benchmarking import Search


_PROBLEM = click.Choice(list(PROBLEMS))
_SAMPLER = click.Choice(list(CONTENDERS))


@click.command(context_settings={"show_default": True})
@click.option("--problem", "problems", type=_PROBLEM, multiple=True, required=True)
@click.option("--sampler", "samplers", type=_SAMPLER, multiple=True, required=True)
@seeds_option("0:20")
@click.option("--queries", type=POSITIVE, default=150, help="Different valid points of a run.")
@click.option("--output", type=click.Path(path_type=Path), default="benchmarks/results.jsonl")
@click.option("--jobs", type=POSITIVE, default=1, help="Processes.")
def main(
    problems: tuple[str, ...],
    samplers: tuple[str, ...],
    seeds: range,
    queries: int,
    output: Path,
    jobs: int,
) -> None:
    """Run searches, one JSON line each."""
    # All samplers take turns, so that a file compares them before it is complete.
    run_all(
        [
            Search(problem, sampler, seed, queries)
            for problem, seed, sampler in itertools.product(problems, seeds, samplers)
        ],
        output,
        jobs,
    )


def run_all(wanted: Iterable[Search], output: Path, jobs: int) -> None:
    """Run what the file does not hold, in so many processes, and append it."""
    done = {Search.of(record) for record in read_records(output)}
    missing = [search for search in wanted if search not in done]
    records = append_records(output, map_unordered(_run, missing, jobs))
    for _ in tqdm(records, total=len(missing), unit="run"):
        pass


def _run(search: Search) -> dict[str, Any]:
    import torch  # Before the clock starts, and not where runs are only read.

    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    return run_search(search, _make_problem(search.problem), CONTENDERS[search.sampler])


@functools.cache
def _make_problem(name: str) -> Problem:
    return PROBLEMS[name]()


if __name__ == "__main__":
    main()
