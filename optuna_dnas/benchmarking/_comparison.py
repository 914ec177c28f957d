"""Records of searches become means, standard errors and paired tests.

Q: queries, R: searches of a sampler.
"""

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Sequence
import math
from typing import Any
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import FloatArray


REFERENCE = "DNAS"
"""The sampler that p-values are about."""

OVERHEADS = {
    "invalid": "invalid",
    "repeated": "repeated",
    "infeasible": "infeasible",
    "sampling CPU s": "sampling_cpu_seconds",
}
"""Columns of a table, and the fields of a record whose means they hold."""

# The means of the same runs in another order may differ in their last bits.
_TOLERANCE = 1e-12


class Comparison(NamedTuple):
    """The searches of a problem, the reference first."""

    name: str
    is_minimized: bool
    best: dict[str, dict[int, FloatArray]]  # Sampler -> seed -> (Q,) after each query
    overheads: dict[str, dict[str, float]]  # Sampler -> means of `OVERHEADS`

    @property
    def is_tested(self) -> bool:
        """Whether there is the reference, and somebody to compare it with."""
        return REFERENCE in self.best and len(self.best) > 1

    @property
    def overhead_titles(self) -> list[str]:
        """Without infeasible queries where there are none."""
        has_infeasible = any(means["infeasible"] > 0 for means in self.overheads.values())
        return [title for title in OVERHEADS if title != "infeasible" or has_infeasible]


def load_comparisons(
    records: Iterable[dict[str, Any]], *, regret: bool = False, scale: float = 1.0
) -> list[Comparison]:
    """Records of `run_search`, by problem.

    Args:
        records: Of any problems, samplers and seeds.
        regret: The distance to the optimum, not the value.
        scale: Of the values, such as 100 for percentage points.

    Raises:
        ValueError: A regret is asked for, and the optimum is not known.
    """
    by_problem: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in sorted(records, key=_order):
        by_problem[record["problem"]].append(record)
    return [_compare(name, lines, regret, scale) for name, lines in by_problem.items()]


def _order(record: dict[str, Any]) -> tuple[bool, str, int]:
    """The longest search of a seed comes last, and counts."""
    return record["sampler"] != REFERENCE, record["sampler"], record["queries"]


def _compare(name: str, records: list[dict[str, Any]], regret: bool, scale: float) -> Comparison:
    best: dict[str, dict[int, FloatArray]] = defaultdict(dict)
    by_sampler: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        values = _regrets(record) if regret else _best(record)
        best[record["sampler"]][record["seed"]] = scale * values
        by_sampler[record["sampler"]].append(record)
    overheads = {
        sampler: {
            title: float(np.mean([line.get(key, 0) for line in lines]))
            for title, key in OVERHEADS.items()
        }
        for sampler, lines in by_sampler.items()
    }
    is_minimized = regret or records[0]["direction"] == "MINIMIZE"
    return Comparison(name, is_minimized, dict(best), overheads)


def _best(record: dict[str, Any]) -> FloatArray:
    """(Q,) of a search; one that found nothing new any more keeps what it had."""
    best = record["best"] or [np.nan]
    return np.array(best + best[-1:] * (record["queries"] - len(best)))


def _regrets(record: dict[str, Any]) -> FloatArray:
    """(Q,) of a search."""
    optimum = record.get("optimum")
    if optimum is None:
        raise ValueError(f"The optimum of {record['problem']} is not known.")
    regrets: FloatArray = np.abs(_best(record) - optimum)
    regrets[regrets < _TOLERANCE] = 0
    return regrets


def format_table(
    comparison: Comparison,
    checkpoints: Sequence[int],
    *,
    overheads: Sequence[str] | None = None,
) -> str:
    """Markdown that is a table in a terminal, too.

    Args:
        comparison: A line for each of its samplers.
        checkpoints: Numbers of queries.
        overheads: Which of `OVERHEADS`; `None`: all, but ``"infeasible"`` only where something
            was.
    """
    if overheads is None:
        overheads = comparison.overhead_titles
    p = " (p)" if comparison.is_tested else ""
    rows = [["sampler", "runs", *(f"at {k}{p}" for k in checkpoints), *overheads]]
    for sampler, runs in comparison.best.items():
        cells = [_cell(comparison, sampler, k) for k in checkpoints]
        means = [f"{comparison.overheads[sampler][title]:.2f}" for title in overheads]
        rows.append([sampler, str(len(runs)), *cells, *means])
    return _table(rows)


def format_summary(comparisons: Sequence[Comparison]) -> str:
    """Markdown, a line for each problem: all samplers at the end of its shortest run."""
    samplers = dict.fromkeys(name for comparison in comparisons for name in comparison.best)
    rows = [["problem", "runs", "after", *samplers]]
    for comparison in comparisons:
        of_samplers = comparison.best.values()
        n_runs = max(map(len, of_samplers))
        end = min(len(values) for runs in of_samplers for values in runs.values())
        cells = [_cell(comparison, s, end) if s in comparison.best else "-" for s in samplers]
        rows.append([comparison.name, str(n_runs), str(end), *cells])
    return _table(rows)


def _table(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    padded = [[c.ljust(w) for c, w in zip(row, widths, strict=True)] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in padded)


def _cell(comparison: Comparison, sampler: str, checkpoint: int) -> str:
    values = _at(comparison.best[sampler], checkpoint)
    if not values:
        return "-"
    (mean,), (error,) = mean_and_error(np.array([*values.values()])[:, None])
    text = format_mean(mean, error)
    reference = _at(comparison.best.get(REFERENCE, {}), checkpoint)
    seeds = sorted(values.keys() & reference.keys())
    if sampler == REFERENCE or len(seeds) < 2:
        return text
    ours, theirs = (np.array([v[seed] for seed in seeds]) for v in (reference, values))
    return f"{text} ({format_p(ours, theirs, is_minimized=comparison.is_minimized)})"


def _at(best: dict[int, FloatArray], checkpoint: int) -> dict[int, float]:
    """By seed; without the searches that were shorter."""
    return {
        seed: float(values[checkpoint - 1])
        for seed, values in best.items()
        if len(values) >= checkpoint and not np.isnan(values[checkpoint - 1])
    }


def mean_and_error(
    values: FloatArray,  # (R, Q)
) -> tuple[FloatArray, FloatArray]:
    """(Q,) mean and its standard error, which is NaN of a single search."""
    n_runs = len(values)
    sd = values.std(axis=0, ddof=1) if n_runs > 1 else np.full(values.shape[1], np.nan)
    return values.mean(axis=0), sd / np.sqrt(n_runs)


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
    from scipy.stats import ttest_rel  # Slow to import, and only a report needs it.

    if np.ptp(ours - theirs) < _TOLERANCE:
        return "equal" if np.allclose(ours, theirs, atol=_TOLERANCE) else "no spread"
    better = "less" if is_minimized else "greater"
    p = float(ttest_rel(ours, theirs, alternative=better).pvalue)
    if p > 0.999:
        return ">.999"
    return f"{p:.3f}".lstrip("0") if p >= 0.01 else f"{p:.1e}".replace("e-0", "e-")
