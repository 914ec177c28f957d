"""How much of a table's front searches have found, and whether they know both of its ends.

    python -m benchmarks.run --problem digits-pareto --sampler DNAS --sampler NSGA-II
    python -m benchmarks.fronts benchmarks/results.jsonl --at 50 --at 100

Whatever scale of a cost a search was told, both are reported: the hypervolume over the logarithm
of a cost hardly notices the expensive end of a front, the one over the cost itself only that.

N: cells, Q: queries, F: cells of a front, M: objectives.
"""

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import NamedTuple

import click
import numpy as np

from benchmarks.options import POSITIVE
from benchmarks.pareto_problems import hypervolume
from benchmarks.pareto_problems import ParetoProblem
from benchmarks.problems import PROBLEMS
from optuna_dnas._typing import FloatArray
from optuna_dnas.benchmarking import format_mean
from optuna_dnas.benchmarking import format_p
from optuna_dnas.benchmarking import mean_and_error
from optuna_dnas.benchmarking import read_records
from optuna_dnas.benchmarking import REFERENCE
from optuna_dnas.strategies import non_dominated


class Figure(NamedTuple):
    """What is measured, and in which direction it is better."""

    title: str
    is_minimized: bool


FIGURES = (
    Figure("volume, log cost", is_minimized=False),
    Figure("volume, cost", is_minimized=False),
    Figure("best accuracy: points behind", is_minimized=True),
    Figure("cheapest found", is_minimized=False),
    Figure("IGD+", is_minimized=True),
)


class TrueFront:
    """The front of a table, and what of it a search has found.

    Args:
        problem: An accuracy and costs.
    """

    def __init__(self, problem: ParetoProblem) -> None:
        self._is_logarithmic = problem.is_logarithmic
        self._table = self._logarithmic(problem.table)  # (N, M)
        self._reference = self._logarithmic(problem.reference)
        self._volumes = self._hypervolumes(self._table)
        inside = self._table[(self._table < self._reference).all(axis=1)]
        self._front = inside[non_dominated(inside)]  # (F, M)
        self._extent = np.ptp(self._front, axis=0)

    def measure(self, values: FloatArray) -> tuple[float, ...]:
        """(Q, M) values as a search was told them -> `FIGURES`."""
        found = self._logarithmic(np.column_stack([-values[:, 0], values[:, 1:]]))
        in_log, in_cost = self._hypervolumes(found) / self._volumes
        behind = 100 * (found[:, 0].min() - self._table[:, 0].min())
        cheapest = np.isclose(found[:, 1].min(), self._table[:, 1].min(), atol=1e-9)
        return float(in_log), float(in_cost), float(behind), float(cheapest), self._igd_plus(found)

    def _hypervolumes(self, values: FloatArray) -> FloatArray:
        """(Q, M) -> of the logarithms of costs, and of costs."""
        in_cost = hypervolume(_exponential(values), _exponential(self._reference))
        return np.array([hypervolume(values, self._reference), in_cost])

    def _igd_plus(self, found: FloatArray) -> float:
        """How far the front's cells are from being equalled, in shares of the front's extent.

        Ishibuchi, Masuda, Tanigaki & Nojima, *Modified Distance Calculation in Generational
        Distance and Inverted Generational Distance*, 2015, Eq. 18.
        """
        short = np.maximum(found - self._front[:, None], 0.0) / self._extent  # (F, Q, M)
        return float(np.linalg.norm(short, axis=2).min(axis=1).mean())

    def _logarithmic(self, values: FloatArray) -> FloatArray:
        if self._is_logarithmic:
            return values
        costs = np.log10(values[..., 1:])
        return np.concatenate([values[..., :1], costs], axis=-1)


def _exponential(values: FloatArray) -> FloatArray:
    return np.concatenate([values[..., :1], 10.0 ** values[..., 1:]], axis=-1)


@click.command(context_settings={"show_default": True})
@click.argument("results", type=click.Path(path_type=Path, exists=True))
@click.option("--at", "checkpoints", type=POSITIVE, multiple=True, default=(50, 100, 200))
def main(results: Path, checkpoints: tuple[int, ...]) -> None:
    """Print a Markdown table of the fronts in RESULTS, as `benchmarks.run` writes them."""
    try:
        lines = format_lines(read_records(results), checkpoints)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if not lines:
        raise click.ClickException(
            f"{results} holds no search of several objectives with at least "
            f"{min(checkpoints)} queries."
        )
    titles = " | ".join(figure.title for figure in FIGURES)
    click.echo(f"| problem | after | sampler | runs | {titles} |")
    click.echo(f"|{' --- |' * (4 + len(FIGURES))}")
    for line in lines:
        click.echo(line)
    click.echo(
        f"\nMean ± standard error (p: one-sided, paired by seed, that {REFERENCE} is better)."
    )


def format_lines(records: Iterable[dict[str, Any]], checkpoints: Sequence[int]) -> list[str]:
    """A line for each problem, checkpoint and sampler."""
    fronts: dict[str, TrueFront | None] = {}
    measured: dict[tuple[str, int], dict[str, dict[int, tuple[float, ...]]]] = defaultdict(dict)
    for record in records:
        name = record["problem"]
        if name not in fronts:
            # A file may hold other searches, too, and the problems of some are elsewhere.
            problem = PROBLEMS[name]() if name in PROBLEMS else None
            fronts[name] = TrueFront(problem) if isinstance(problem, ParetoProblem) else None
        front = fronts[name]
        for at in checkpoints:
            if front is not None and len(record["values"]) >= at:
                values = np.array(record["values"][:at], dtype=float)
                of_sampler = measured[name, at].setdefault(record["sampler"], {})
                of_sampler[record["seed"]] = front.measure(values)
    lines = []
    for (name, at), of_samplers in measured.items():
        for sampler in sorted(of_samplers, key=lambda s: (s != REFERENCE, s)):
            cells = _cells(of_samplers[sampler], of_samplers.get(REFERENCE, {}))
            row = (name, str(at), sampler, str(len(of_samplers[sampler])), *cells)
            lines.append(f"| {' | '.join(row)} |")
    return lines


def _cells(
    runs: dict[int, tuple[float, ...]], reference: dict[int, tuple[float, ...]]
) -> list[str]:
    means, errors = mean_and_error(np.array([*runs.values()]))
    cells = [format_mean(mean, error) for mean, error in zip(means, errors, strict=True)]
    seeds = sorted(runs.keys() & reference.keys())
    if runs is reference or len(seeds) < 2:
        return cells
    ours, theirs = (np.array([of[seed] for seed in seeds]) for of in (reference, runs))
    p = [
        format_p(ours[:, k], theirs[:, k], is_minimized=figure.is_minimized)
        for k, figure in enumerate(FIGURES)
    ]
    return [f"{cell} ({chance})" for cell, chance in zip(cells, p, strict=True)]


if __name__ == "__main__":
    main()
