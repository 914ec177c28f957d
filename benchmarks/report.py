"""Report runs: a table with paired tests, and curves.

python -m benchmarks.report benchmarks/results.jsonl --at 50 --at 100 --at 150
python -m benchmarks.report benchmarks/results.jsonl --regret --plot regret.html

Q: queries, R: runs of a sampler.
"""

from collections import defaultdict
import math
from pathlib import Path
from typing import Any
from typing import NamedTuple
from typing import TYPE_CHECKING

import click
import numpy as np
from scipy.stats import ttest_rel

from benchmarks.run import read_runs
from optuna_dnas._typing import FloatArray


if TYPE_CHECKING:
    import plotly.graph_objects as go  # type: ignore[import-untyped]


_REFERENCE = "DNAS"
_OVERHEADS = {
    "invalid": "invalid",
    "repeated": "repeated",
    "sampling CPU s": "sampling_cpu_seconds",
}
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
# The means of the same runs in another order may differ in their last bits.
_TOLERANCE = 1e-12


class Problem(NamedTuple):
    """The runs of a problem, the reference first."""

    name: str
    is_minimized: bool
    best: dict[str, dict[int, FloatArray]]  # Sampler -> seed -> (Q,) after each query
    overheads: dict[str, dict[str, float]]  # Sampler -> means of `_OVERHEADS`


class Curve(NamedTuple):
    """What the runs of a sampler have reached after each query."""

    sampler: str
    mean: FloatArray  # (Q,)
    error: FloatArray  # (Q,) standard error; NaN of a single run


@click.command(context_settings={"show_default": True})
@click.argument("results", type=click.Path(path_type=Path, exists=True))
@click.option("--at", "checkpoints", type=int, multiple=True, default=(50, 100, 150))
@click.option("--regret", is_flag=True, help="The distance to the optimum, not the value.")
@click.option("--plot", type=click.Path(path_type=Path), help=".html; or .svg, .png: by Chrome.")
def main(results: Path, checkpoints: tuple[int, ...], regret: bool, plot: Path | None) -> None:
    """Print a Markdown table for each problem, and draw its curves."""
    problems = load_problems(read_runs(results), regret=regret)
    for problem in problems:
        click.echo(f"\n### {problem.name}\n\n{format_table(problem, checkpoints)}")
    click.echo(
        f"\nMean ± standard error. p: one-sided t-test, paired by seed, that {_REFERENCE} is "
        "better; near 1 it is worse."
    )
    if plot is None:
        return
    for problem in problems:
        figure = draw(problem.name, make_curves(problem), is_regret=regret)
        path = plot if len(problems) == 1 else plot.with_stem(f"{plot.stem}-{problem.name}")
        write = figure.write_html if path.suffix == ".html" else figure.write_image
        write(path)


def load_problems(runs: list[dict[str, Any]], *, regret: bool = False) -> list[Problem]:
    """The lines of `benchmarks.run`, by problem."""
    by_problem: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in sorted(runs, key=_order):
        by_problem[run["problem"]].append(run)
    return [_make_problem(name, lines, regret) for name, lines in by_problem.items()]


def _order(run: dict[str, Any]) -> tuple[bool, str, int]:
    """The longest run of a seed comes last, and counts."""
    return run["sampler"] != _REFERENCE, run["sampler"], run["queries"]


def _make_problem(name: str, runs: list[dict[str, Any]], regret: bool) -> Problem:
    best: dict[str, dict[int, FloatArray]] = defaultdict(dict)
    by_sampler: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in runs:
        best[run["sampler"]][run["seed"]] = _regrets(run) if regret else _best(run)
        by_sampler[run["sampler"]].append(run)
    overheads = {
        sampler: {
            title: float(np.mean([run[key] for run in lines])) for title, key in _OVERHEADS.items()
        }
        for sampler, lines in by_sampler.items()
    }
    is_minimized = regret or runs[0]["direction"] == "MINIMIZE"
    return Problem(name, is_minimized, dict(best), overheads)


def _best(run: dict[str, Any]) -> FloatArray:
    """(Q,) of a run; one that found nothing new any more keeps what it had."""
    best = run["best"] or [np.nan]
    return np.array(best + best[-1:] * (run["queries"] - len(best)))


def _regrets(run: dict[str, Any]) -> FloatArray:
    optimum = run.get("optimum")
    if optimum is None:
        raise click.ClickException(f"The optimum of {run['problem']} is not known.")
    regrets: FloatArray = np.abs(_best(run) - optimum)
    regrets[regrets < _TOLERANCE] = 0
    return regrets


def format_table(problem: Problem, checkpoints: tuple[int, ...]) -> str:
    """Markdown."""
    titles = ["sampler", "runs", *(f"at {k} (p)" for k in checkpoints), *_OVERHEADS]
    rows = [titles, ["---"] * len(titles)]
    for sampler, runs in problem.best.items():
        cells = [_cell(problem, sampler, k) for k in checkpoints]
        overheads = [f"{mean:.2f}" for mean in problem.overheads[sampler].values()]
        rows.append([sampler, str(len(runs)), *cells, *overheads])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(problem: Problem, sampler: str, checkpoint: int) -> str:
    values = _at(problem.best[sampler], checkpoint)
    if not values:
        return "-"
    (mean,), (error,) = _mean_and_error(np.array([*values.values()])[:, None])
    text = format_mean(mean, error)
    reference = _at(problem.best.get(_REFERENCE, {}), checkpoint)
    seeds = sorted(values.keys() & reference.keys())
    if sampler == _REFERENCE or len(seeds) < 2:
        return text
    ours, theirs = (np.array([v[seed] for seed in seeds]) for v in (reference, values))
    return f"{text} ({format_p(ours, theirs, is_minimized=problem.is_minimized)})"


def _at(best: dict[int, FloatArray], checkpoint: int) -> dict[int, float]:
    """By seed; without the runs that were shorter."""
    return {
        seed: float(values[checkpoint - 1])
        for seed, values in best.items()
        if len(values) >= checkpoint and not np.isnan(values[checkpoint - 1])
    }


def format_mean(mean: float, error: float) -> str:
    """As many digits as the error allows, which has two."""
    if not error > _TOLERANCE:
        return f"{mean:.4g}"
    n_decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{mean:.{n_decimals}f} ± {error:.{n_decimals}f}"


def format_p(
    ours: FloatArray,  # (R,)
    theirs: FloatArray,  # (R,) of the same seeds
    *,
    is_minimized: bool,
) -> str:
    """The p-value that ours are better, as a text that tells apart 0.99 and 1."""
    if np.ptp(ours - theirs) < _TOLERANCE:
        return "equal" if np.allclose(ours, theirs, atol=_TOLERANCE) else "no spread"
    better = "less" if is_minimized else "greater"
    p = float(ttest_rel(ours, theirs, alternative=better).pvalue)
    if p > 0.999:
        return ">.999"
    return f"{p:.3f}".lstrip("0") if p >= 0.01 else f"{p:.1e}".replace("e-0", "e-")


def make_curves(problem: Problem) -> list[Curve]:
    """One for each sampler, as long as its shortest run."""
    curves = []
    for sampler, runs in problem.best.items():
        n_queries = min(map(len, runs.values()))
        best = np.array([values[:n_queries] for values in runs.values()])  # (R, Q)
        curves.append(Curve(sampler, *_mean_and_error(best)))
    return curves


def _mean_and_error(
    values: FloatArray,  # (R, Q)
) -> tuple[FloatArray, FloatArray]:
    """(Q,) mean and its standard error."""
    n_runs = len(values)
    sd = values.std(axis=0, ddof=1) if n_runs > 1 else np.full(values.shape[1], np.nan)
    return values.mean(axis=0), sd / np.sqrt(n_runs)


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
