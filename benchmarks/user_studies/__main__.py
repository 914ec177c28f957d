"""Studies as their users run them, by trials: case x sampler x seed -> one JSON line each.

A run that the output file holds already is not repeated; `benchmarks.report` reads the file.

    python -m benchmarks.user_studies --group reports --seeds 0:20 --jobs 2
    python -m benchmarks.user_studies --case branches --case depth-33
    python -m benchmarks.report benchmarks/user_studies.jsonl --regret --at 60 --at 80
"""

from collections import defaultdict
import itertools
from pathlib import Path
from typing import Any

import click
import numpy as np
from tqdm import tqdm

from benchmarks.options import POSITIVE
from benchmarks.options import seeds_option
from benchmarks.user_studies._cases import CASES
from benchmarks.user_studies._cases import CONTENDERS
from benchmarks.user_studies._cases import GROUPS
from benchmarks.user_studies._cases import run
from benchmarks.workers import map_unordered
from optuna_dnas.benchmarking import append_records
from optuna_dnas.benchmarking import format_mean
from optuna_dnas.benchmarking import mean_and_error
from optuna_dnas.benchmarking import read_records
from optuna_dnas.benchmarking import Search


@click.command(context_settings={"show_default": True})
@click.option("--group", "groups", type=click.Choice(list(GROUPS)), multiple=True)
@click.option("--case", "cases", type=click.Choice(list(CASES)), multiple=True)
@click.option(
    "--sampler",
    "samplers",
    type=click.Choice(list(CONTENDERS)),
    multiple=True,
    default=("DNAS", "TPE"),
)
@seeds_option("0:20")
@click.option("--output", type=click.Path(path_type=Path), default="benchmarks/user_studies.jsonl")
@click.option("--jobs", type=POSITIVE, default=1, help="Processes.")
def main(
    groups: tuple[str, ...],
    cases: tuple[str, ...],
    samplers: tuple[str, ...],
    seeds: range,
    output: Path,
    jobs: int,
) -> None:
    """Run studies of `--case`, and of all cases of `--group`; by default all.

    `tables`, which needs files, and `trained`, which takes hours, are only run by name.
    """
    if not cases and not groups:
        groups = tuple(group for group in GROUPS if group not in ("tables", "trained"))
    names = [*cases, *(name for group in groups for name in GROUPS[group])]
    done = {Search.of(record) for record in read_records(output)}
    wanted = [
        Search(name, sampler, seed, CASES[name](seed).n_trials)
        for name, seed, sampler in itertools.product(dict.fromkeys(names), seeds, samplers)
    ]
    missing = [search for search in wanted if search not in done]
    records = append_records(output, map_unordered(run, missing, jobs))
    for _ in tqdm(records, total=len(missing), unit="study"):
        pass
    for line in format_notes([r for r in read_records(output) if Search.of(r) in set(wanted)]):
        click.echo(line)


def format_notes(records: list[dict[str, Any]]) -> list[str]:
    """The lines of a table of what was noted besides; none where nothing was."""
    noted: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for record in records:
        for name, value in record.get("notes", {}).items():
            noted[record["problem"], record["sampler"], name].append(value)
    lines = ["| case | sampler | runs | noted | mean |", "|---|---|---|---|---|"] if noted else []
    for (case, sampler, name), values in sorted(noted.items()):
        (mean,), (error,) = mean_and_error(np.array(values)[:, None])
        row = (case, sampler, str(len(values)), name, format_mean(mean, error))
        lines.append(f"| {' | '.join(row)} |")
    return lines


if __name__ == "__main__":
    main()
