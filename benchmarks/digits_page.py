"""Write ``digits.md`` and its pictures again, from the table that comes with the package.

python -m benchmarks.digits_page
"""

from collections.abc import Iterable
from pathlib import Path

import click
import numpy as np

from benchmarks import digits_statistics as statistics
from benchmarks.digits_pictures import draw_front
from benchmarks.digits_pictures import draw_noise
from benchmarks.digits_statistics import Cells
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.search_space import ModelSpec


_FOLDER = Path(__file__).parent
_N_TOP = 100


@click.command()
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), default=_FOLDER)
def main(folder: Path) -> None:
    """Write the page; and its pictures, by Chrome or Chromium."""
    table = DigitsTable.load()
    cells = Cells.of(table)
    (folder / "digits.md").write_text(make_page(table, cells), "utf-8")
    draw_front(cells).write_image(folder / "digits-front.svg")
    draw_noise(cells).write_image(folder / "digits-noise.svg")


def make_page(table: DigitsTable, cells: Cells) -> str:
    """Markdown."""
    sections = [_introduction(cells), _making(table, cells), _spread(table, cells)]
    sections += [_reliability(cells), _luck(cells), _best_ten(cells), _front(cells)]
    sections += [_effects(cells), _training_again(cells)]
    return "\n\n".join(sections) + "\n"


def _introduction(cells: Cells) -> str:
    n_cells, n_runs = cells.runs.shape
    return f"""\
# The digits benchmark
All {n_cells:,} cells of NASBench-101 of at most 5 vertices, each trained {n_runs} times on the
1,797 digits of 8 × 8 pixels that come with scikit-learn. The table comes with the package
(`DigitsTable.load()`), and can be made again within an hour on a laptop.
`python -m benchmarks.digits_page` has written this page.

**Good for** comparing searches where the truth is known to the last cell; for several objectives
and constraints; for tests and examples that need neither a download nor a GPU; and for checking
that looking up and training are one and the same.

**Not good for** claims about large images or large networks. The images are tiny, no network has
more than {cells.params.max():,.0f} parameters, and a space of {n_cells:,} cells is soon exhausted.
Which of the best cells is the very best is decided by the seeds: see
[Luck at the top](#luck-at-the-top) before you read a meaning into a small difference, and compare
searches over many seeds of their own."""


def _making(table: DigitsTable, cells: Cells) -> str:
    settings = table.settings
    images = ", ".join(f"{n} {part}" for part, n in settings.n_images.items())
    rows = [
        ("images", f"{images}; stratified, split with seed {settings.data['seed']}"),
        ("seeds", ", ".join(map(str, settings.seeds))),
        *((name.replace("_", " "), str(value)) for name, value in settings.config.items()),
        ("PyTorch", settings.torch),
        ("CPU", settings.cpu),
        ("training", f"{cells.training_time:,.0f} CPU seconds"),
    ]
    interval = settings.config["validation_interval"]
    return f"""\
## How it was made
{_table(("setting", "value"), rows)}

The learning rate falls to 0 along a cosine. Each stack halves the image and doubles the channels.
```bash
python -m benchmarks.build_digits --output digits.jsonl --workers 2 \\
    --set validation_interval={interval}
python -m benchmarks.pack_digits digits.jsonl --output optuna_dnas/objectives/digits.npz
python -m benchmarks.digits_page
```"""


def _spread(table: DigitsTable, cells: Cells) -> str:
    worst, low, median, high, best = np.quantile(cells.means, [0, 0.25, 0.5, 0.75, 1])
    top = cells.ranked()[:_N_TOP]
    sd, sd_top = (statistics.sd_of_runs(runs) for runs in (cells.runs, cells.runs[top]))
    rows = [
        ("worst cell", _percent(worst)),
        ("quartiles", ", ".join(map(_percent, (low, median, high)))),
        ("best cell", _percent(best)),
        ("best single run", _percent(cells.runs.max())),
        ("standard deviation of cells", _points(cells.means.std())),
        ("standard deviation of the runs of a cell", _points(sd)),
        (f"standard deviation of the runs of one of the best {_N_TOP}", _points(sd_top)),
        ("mean of all cells, by seed", ", ".join(map(_percent, cells.runs.mean(axis=0)))),
        ("different means", f"{len(np.unique(cells.means)):,}"),
        ("training accuracy, median", _percent(float(np.median(cells.train)))),
    ]
    n_images = table.settings.n_images["validation"]
    return f"""\
## Spread
Validation accuracy, mean of the runs:

{_table(("", ""), rows)}

There is no ceiling: the best cell still gets {(1 - best) * n_images:.0f} of the {n_images}
validation images wrong, and few cells are as good as it. What is compared is how well a cell
generalises from few examples, most of which most cells learn by heart.

![How many cells are how good, and how two seeds agree](digits-noise.svg)"""


def _reliability(cells: Cells) -> str:
    n_runs = cells.runs.shape[1]
    single = statistics.correlation_of_runs(cells.runs)
    in_top = statistics.correlation_in_top(cells.runs, 0.25)
    correlations = {
        "two seeds, mean of all pairs": single,
        "a seed and the mean of the others, mean of all choices": (
            statistics.correlation_left_out(cells.runs)
        ),
        f"means of {n_runs} seeds and of {n_runs} others, predicted (Spearman-Brown)": (
            statistics.spearman_brown(single, n_runs)
        ),
        "two seeds, in the quarter of the cells that the third likes best": in_top,
        "validation and test": statistics.rank_correlation(cells.means, cells.test),
        "halfway and final": statistics.rank_correlation(cells.halfway, cells.means),
        "multiply-adds and accuracy": statistics.rank_correlation(cells.flops, cells.means),
    }
    rows = [(name, f"{value:.3f}") for name, value in correlations.items()]
    return f"""\
## Reliability
{_table(("rank correlation (Spearman) of", ""), rows)}"""


def _luck(cells: Cells) -> str:
    n_runs = cells.runs.shape[1]
    falls = {k: statistics.winners_fall(cells.runs, k) for k in (1, 10, 50, 100)}
    rows = [
        (
            f"{k}",
            _percent(fall.chosen),
            _percent(fall.fresh),
            _points(fall.chosen - fall.fresh),
            f"{fall.rank:.0f}",
        )
        for k, fall in falls.items()
    ]
    titles = ("best cells", "in the seeds that chose them", "in the other", "fall", "mean rank")
    # Luck is in proportion to the variance of a mean if it matters little, and to its standard
    # deviation if it decides alone.
    share, luck = (n_runs - 1) / n_runs, falls[10].chosen - falls[10].fresh
    return f"""\
## Luck at the top
Choose the best cells by the mean of all seeds but one, and look at the seed that was left out.
Mean over the seeds:

{_table(titles, rows)}

The means of the table are of one seed more. With new seeds, their ten best cells should be
{100 * share * luck:.1f} to {_points(np.sqrt(share) * luck)} worse than the table says: which of
them is the best is not known."""


def _best_ten(cells: Cells) -> str:
    rows = [
        (
            _code(cells.specs[k]),
            _percent(cells.means[k]),
            ", ".join(f"{100 * run:.1f}" for run in cells.runs[k]),
            _percent(cells.test[k]),
            f"{cells.flops[k]:,.0f}",
            f"{cells.params[k]:,.0f}",
        )
        for k in cells.ranked()[:10]
    ]
    margins = {margin: statistics.n_within(cells.means, margin / 100) for margin in (0.1, 0.5, 1)}
    near = ", ".join(f"{n} within {margin}" for margin, n in margins.items())
    titles = ("cell", "validation", "runs", "test", "multiply-adds", "parameters")
    return f"""\
## The best ten
{_table(titles, rows)}

Cells within some percentage points of the best, itself included: {near}."""


def _front(cells: Cells) -> str:
    front = statistics.pareto_front(cells.flops, cells.means)
    rows = [
        (f"{cells.flops[k]:,.0f}", _percent(cells.means[k]), _code(cells.specs[k])) for k in front
    ]
    return f"""\
## Accuracy against multiply-adds
{len(front)} of the {len(cells.specs):,} cells are better than all others that need no more
multiply-adds.

![Accuracy against multiply-adds of all cells](digits-front.svg)

{_table(("multiply-adds", "validation", "cell"), rows)}"""


def _effects(cells: Cells) -> str:
    groups = []
    for op in sorted({op for spec in cells.specs for op in spec.ops[1:-1]}):
        labels = [f"{spec.ops.count(op)} × {op}" for spec in cells.specs]
        groups += statistics.group_by(labels, cells.means)
    skips = ["with" if spec.matrix[0, -1] else "without" for spec in cells.specs]
    labels = [f"{skip} an edge from input to output" for skip in skips]
    groups += statistics.group_by(labels, cells.means)
    rows = [(g.name, f"{g.n_cells:,}", _percent(g.mean), _percent(g.best)) for g in groups]
    return f"""\
## What makes a cell good
{_table(("cells", "number", "mean", "best"), rows)}

A cell has three ops at most: more of one is less of the others."""


def _training_again(cells: Cells) -> str:
    n_runs = cells.runs.shape[1]
    top = cells.ranked()[:_N_TOP]
    differences = [
        np.sqrt(2 / n_runs) * statistics.sd_of_runs(runs) for runs in (cells.runs, cells.runs[top])
    ]
    single = statistics.correlation_of_runs(cells.runs)
    return f"""\
## Training again
```bash
python -m benchmarks.retrain_digits --cells 10 --seed 0
```
trains some cells again and prints the greatest differences to the table. With the same version of
PyTorch on a CPU of the same kind they are 0. Elsewhere sums are rounded in another way, and after
some steps it is another training, as if it had another seed. Expect the mean of a cell to differ
by {_points(differences[0])}, of one of the best {_N_TOP} by {_points(differences[1])}
(one standard deviation), and the ranking of all cells to correlate with that of the table by
{statistics.spearman_brown(single, n_runs):.2f}."""


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [titles, ("---",) * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(spec: ModelSpec) -> str:
    text = str(spec).replace("|", "\\|")
    return f"`{text}`"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


if __name__ == "__main__":
    main()
