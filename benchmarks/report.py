"""Report runs: a table with paired tests, and curves.

python -m benchmarks.report benchmarks/results.jsonl --at 50 --at 100 --at 150
python -m benchmarks.report benchmarks/results.jsonl --regret --plot regret.html

Q: queries, R: runs of a sampler.
"""

from pathlib import Path
from typing import NamedTuple
from typing import TYPE_CHECKING

import click
import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas.benchmarking import Comparison
from optuna_dnas.benchmarking import format_summary
from optuna_dnas.benchmarking import format_table
from optuna_dnas.benchmarking import load_comparisons
from optuna_dnas.benchmarking import mean_and_error
from optuna_dnas.benchmarking import read_records
from optuna_dnas.benchmarking import REFERENCE


if TYPE_CHECKING:
    import plotly.graph_objects as go  # type: ignore[import-untyped]


# Of Okabe and Ito, which people with colour blindness tell apart. The reference comes first.
_COLOURS = (
    "0,0,0",
    "230,159,0",
    "86,180,233",
    "0,158,115",
    "213,94,0",
    "0,114,178",
    "204,121,167",
)
_DASHES = ("solid", "dash", "dot")


class Curve(NamedTuple):
    """What the runs of a sampler have reached after each query."""

    sampler: str
    mean: FloatArray  # (Q,)
    error: FloatArray  # (Q,) standard error; NaN of a single run


@click.command(context_settings={"show_default": True})
@click.argument("results", type=click.Path(path_type=Path, exists=True))
@click.option("--at", "checkpoints", type=int, multiple=True, default=(50, 100, 150))
@click.option("--summary", is_flag=True, help="One table, a line a problem, of the end of runs.")
@click.option("--regret", is_flag=True, help="The distance to the optimum, not the value.")
@click.option("--scale", default=1.0, help="Of the values: 100 for percentage points.")
@click.option("--target", type=float, help="Tell when the mean of each sampler reaches it.")
@click.option("--plot", type=click.Path(path_type=Path), help=".html; or .svg, .png: by Chrome.")
def main(
    results: Path,
    checkpoints: tuple[int, ...],
    summary: bool,
    regret: bool,
    scale: float,
    target: float | None,
    plot: Path | None,
) -> None:
    """Print a Markdown table for each problem, and draw its curves."""
    try:
        comparisons = load_comparisons(read_records(results), regret=regret, scale=scale)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if summary:
        click.echo(format_summary(comparisons))
    for comparison in [] if summary else comparisons:
        click.echo(f"\n### {comparison.name}\n\n{format_table(comparison, checkpoints)}")
        if target is not None:
            click.echo(f"\n{format_reached(comparison, target)}")
    click.echo(
        f"\nMean ± standard error. p: one-sided t-test, paired by seed, that {REFERENCE} is "
        "better; near 1 it is worse."
    )
    if plot is None:
        return
    for comparison in comparisons:
        figure = draw(comparison.name, make_curves(comparison), is_regret=regret)
        path = plot if len(comparisons) == 1 else plot.with_stem(f"{plot.stem}-{comparison.name}")
        write = figure.write_html if path.suffix == ".html" else figure.write_image
        write(path)


def make_curves(comparison: Comparison) -> list[Curve]:
    """One for each sampler, as long as its shortest run."""
    curves = []
    for sampler, runs in comparison.best.items():
        n_queries = min(map(len, runs.values()))
        best = np.array([values[:n_queries] for values in runs.values()])  # (R, Q)
        curves.append(Curve(sampler, *mean_and_error(best)))
    return curves


def format_reached(comparison: Comparison, target: float) -> str:
    """After how many queries the means of the samplers reach a value."""
    words = []
    for curve in make_curves(comparison):
        gap = curve.mean - target if comparison.is_minimized else target - curve.mean
        reached = np.flatnonzero(gap <= 0)
        when = f"{reached[0] + 1}" if len(reached) else f"not within {len(gap)}"
        words.append(f"{curve.sampler}: {when}")
    return f"Queries until the mean is {target:g}: {', '.join(words)}."


def draw(title: str, curves: list[Curve], *, is_regret: bool) -> "go.Figure":
    """Mean curves, with bands of one standard error."""
    import plotly.graph_objects as go  # Optional: who wants the table only needs no plotly.

    figure = go.Figure()
    for k, curve in enumerate(curves):
        colour, dash = _COLOURS[k % len(_COLOURS)], _DASHES[k // len(_COLOURS) % len(_DASHES)]
        # The reference is drawn above the others.
        shared = {"name": curve.sampler, "legendgroup": curve.sampler, "zorder": -k}
        queries = np.arange(1, len(curve.mean) + 1)
        figure.add_scatter(
            x=np.concatenate([queries, queries[::-1]]),
            y=_outline(curve, is_regret),
            fill="toself",
            fillcolor=f"rgba({colour},0.12)",
            line_width=0,
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
            **shared,
        )
        line = {"color": f"rgb({colour})", "dash": dash, "width": 2}
        figure.add_scatter(x=queries, y=curve.mean, mode="lines", line=line, **shared)
    figure.update_layout(
        template="plotly_white",
        title=title,
        xaxis_title="queries",
        yaxis_title="regret" if is_regret else "best value",
        yaxis_type="log" if is_regret else "linear",
        yaxis_exponentformat="power",
        width=900,
        height=500,
        margin={"t": 60, "b": 60, "r": 20},
    )
    return figure


def _outline(curve: Curve, is_logarithmic: bool) -> FloatArray:
    """(2 Q,) up the queries along the upper edge of the band, and back along the lower one."""
    lower = curve.mean - curve.error
    if is_logarithmic:
        lower = np.maximum(lower, curve.mean / 10)
    return np.concatenate([curve.mean + curve.error, lower[::-1]])


if __name__ == "__main__":
    main()
