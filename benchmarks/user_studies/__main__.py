"""Studies as their users run them, by trials: case x sampler x seed -> one JSON line each.

A run that the output file holds already is not repeated; `benchmarks.report` reads the file.

    python -m benchmarks.user_studies --group reports --seeds 0:20 --jobs 2
    python -m benchmarks.user_studies --case branches --case depth-33
    python -m benchmarks.report benchmarks/user_studies.jsonl --regret --at 60 --at 80
"""

from collections.abc import Callable
import functools
import itertools
from pathlib import Path
from typing import Any
import warnings

import click
import optuna
from optuna.samplers import BaseSampler
from tqdm import tqdm

from benchmarks.options import POSITIVE
from benchmarks.options import seeds_option
from benchmarks.user_studies._case import Case
from benchmarks.user_studies._case import run_case
from benchmarks.user_studies._costs import COSTS
from benchmarks.user_studies._failures import FAILURES
from benchmarks.user_studies._reports import REPORTS
from benchmarks.user_studies._sizes import SIZES
from benchmarks.user_studies._spaces import SPACES
from benchmarks.workers import map_unordered
from optuna_dnas import DNASSampler
from optuna_dnas.benchmarking import append_records
from optuna_dnas.benchmarking import read_records
from optuna_dnas.benchmarking import SamplerFactory
from optuna_dnas.benchmarking import SAMPLERS
from optuna_dnas.benchmarking import Search
from optuna_dnas.search_space import SearchSpace


GROUPS: dict[str, dict[str, Callable[[int], Case]]] = {
    "reports": REPORTS,
    "costs": COSTS,
    "failures": FAILURES,
    "spaces": SPACES,
    "sizes": SIZES,
}
CASES = {name: case for group in GROUPS.values() for name, case in group.items()}


def _untold(make: SamplerFactory, seed: int, space: SearchSpace[Any] | None) -> BaseSampler:
    """A sampler that is not told the space."""
    return make(seed, None)


CONTENDERS: dict[str, SamplerFactory] = {
    name: functools.partial(_untold, make) for name, make in SAMPLERS.items()
} | {"DNAS (space)": lambda seed, space: DNASSampler(seed=seed, space=space)}


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
    """Run studies of `--case`, and of all cases of `--group`; by default all."""
    names = [*cases, *(name for group in groups for name in GROUPS[group])] or list(CASES)
    done = {Search.of(record) for record in read_records(output)}
    wanted = [
        Search(name, sampler, seed, CASES[name](seed).n_trials)
        for name, seed, sampler in itertools.product(dict.fromkeys(names), seeds, samplers)
    ]
    missing = [search for search in wanted if search not in done]
    records = append_records(output, map_unordered(run, missing, jobs))
    for _ in tqdm(records, total=len(missing), unit="study"):
        pass


def run(search: Search) -> dict[str, Any]:
    """The record of a study."""
    import torch  # Before the clock starts, and not where records are only read.

    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    warnings.simplefilter("ignore")
    case = CASES[search.problem](search.seed)
    return run_case(search, case, CONTENDERS[search.sampler])


if __name__ == "__main__":
    main()
