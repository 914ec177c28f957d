"""How much of a budget a search uses (the paper's Figure 6): costs of what it evaluates and finds.

    python -m benchmarks.budget_use budgets.jsonl --plot budget_use.html

reads runs of the problems ``nasbench101-flops-10`` to ``-75`` (`benchmarks.run`).

R: runs, Q: queries.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from typing import NamedTuple
from typing import TYPE_CHECKING

import click
import numpy as np

from benchmarks.budget_problems import BUDGETS
from optuna_dnas import DNASConfig
from optuna_dnas._typing import FloatArray
from optuna_dnas.benchmarking import format_mean
from optuna_dnas.benchmarking import mean_and_error
from optuna_dnas.benchmarking import read_records


if TYPE_CHECKING:
    import plotly.graph_objects as go  # type: ignore[import-untyped]


_PREFIX = "nasbench101-flops-"
_N_START = DNASConfig().declared.n_startup_trials  # no model has chosen these


class Use(NamedTuple):
    """What the runs of a sampler make of a limit, as shares of it."""

    limit: int  # multiply-adds
    sampler: str
    found: FloatArray  # (R,) of the best feasible architecture
    evaluated: FloatArray  # (R, Q) of all, without the start


@click.command(context_settings={"show_default": True})
@click.argument("results", type=click.Path(path_type=Path, exists=True))
@click.option("--queries", default=150, help="So many of each run.")
@click.option(
    "--margin",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.05,
    help="How far below the limit its edge reaches, as a share of it.",
)
@click.option("--plot", type=click.Path(path_type=Path), help=".html; or .svg, .png: by Chrome.")
def main(results: Path, queries: int, margin: float, plot: Path | None) -> None:
    """Print where architectures lie below their limit, and draw what was found."""
    uses = budget_uses(read_records(results), queries)
    if not uses:
        raise click.ClickException(f"{results} has no run of a problem {_PREFIX}PERCENTILE.")
    click.echo(format_uses(uses, margin))
    if plot is not None:
        figure = draw(uses)
        (figure.write_html if plot.suffix == ".html" else figure.write_image)(plot)


def budget_uses(records: Iterable[dict[str, Any]], n_queries: int) -> list[Use]:
    """By limit, and then by sampler."""
    groups: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for record in records:
        percentile = record["problem"].removeprefix(_PREFIX)
        if percentile in map(str, BUDGETS) and len(record["best"]) >= n_queries:
            groups.setdefault((int(percentile), record["sampler"]), []).append(record)
    uses = []
    for (percentile, sampler), lines in sorted(groups.items()):
        limit = BUDGETS[percentile].max_flops
        flops = np.array([line["flops"][:n_queries] for line in lines]) / limit  # (R, Q)
        values = np.array([line["values"][:n_queries] for line in lines])
        best = np.where(flops <= 1, values, -np.inf).argmax(axis=1)
        found = flops[np.arange(len(flops)), best]
        uses.append(Use(limit, sampler, found, flops[:, _N_START:]))
    return uses


def format_uses(uses: Iterable[Use], margin: float) -> str:
    """Markdown, in percent."""
    percent = f"{100 * margin:g}"
    rows = [
        [
            "limit, million multiply-adds",
            "sampler",
            "runs",
            "found, % of the limit",
            "evaluated between half and all of it, %",
            f"evaluated within {percent} % of it, %",
            "evaluated beyond it, %",
        ]
    ]
    rows.append(["---"] * len(rows[0]))
    for use in uses:
        shares = [
            use.found,
            _share(use.evaluated, 0.5),
            _share(use.evaluated, 1 - margin),
            (use.evaluated > 1).mean(axis=1),
        ]
        cells = [_format(share) for share in shares]
        rows.append([f"{use.limit / 1e6:.0f}", use.sampler, str(len(use.found)), *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _share(
    evaluated: FloatArray,  # (R, Q)
    least: float,
) -> FloatArray:
    """(R,) of what lies between so much of the limit, and the limit."""
    share: FloatArray = ((evaluated >= least) & (evaluated <= 1)).mean(axis=1)
    return share


def _format(
    shares: FloatArray,  # (R,)
) -> str:
    (mean,), (error,) = mean_and_error(100 * shares[:, None])
    return format_mean(mean, error)


def draw(uses: Iterable[Use]) -> "go.Figure":
    """What was found in each run, against the limit."""
    import plotly.graph_objects as go  # Optional: who wants the table only needs no plotly.

    figure = go.Figure()
    by_sampler: dict[str, list[Use]] = {}
    for use in uses:
        by_sampler.setdefault(use.sampler, []).append(use)
    for sampler, own in by_sampler.items():
        figure.add_box(
            x=np.concatenate([np.full(len(use.found), f"{use.limit / 1e6:.0f}") for use in own]),
            y=np.concatenate([100 * use.found for use in own]),
            name=sampler,
            boxpoints="all",
        )
    figure.update_layout(
        template="plotly_white",
        boxmode="group",
        title="Multiply-adds of the best cell that a search has found",
        xaxis={"title": "limit, million multiply-adds", "type": "category"},
        yaxis={"title": "% of the limit", "range": [0, 105]},
        width=900,
        height=500,
    )
    return figure


if __name__ == "__main__":
    main()
