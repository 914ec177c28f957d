"""Report runs: mean and standard error at some numbers of queries, and paired tests.

python -m benchmarks.report benchmarks/results.jsonl --at 50 --at 100 --at 150
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from scipy.stats import ttest_rel

from benchmarks.run import read_runs


_REFERENCE = "DNAS"


@click.command(context_settings={"show_default": True})
@click.argument("results", type=click.Path(path_type=Path, exists=True))
@click.option("--at", "checkpoints", type=int, multiple=True, default=(50, 100, 150))
def main(results: Path, checkpoints: tuple[int, ...]) -> None:
    """Print a Markdown table for each problem; p is one-sided, DNAS better, paired by seed."""
    by_problem: dict[str, dict[str, dict[int, Any]]] = defaultdict(lambda: defaultdict(dict))
    for run in read_runs(results):
        by_problem[run["problem"]][run["sampler"]][run["seed"]] = run
    for problem, by_sampler in by_problem.items():
        click.echo(f"\n### {problem}\n")
        click.echo(
            f"| sampler | runs | {' | '.join(f'at {k} (p)' for k in checkpoints)} "
            "| invalid | repeated | sampling CPU s |"
        )
        click.echo("|---|---|" + "---|" * len(checkpoints) + "---|---|---|")
        for sampler, runs in by_sampler.items():
            cells = [_cell(by_sampler, sampler, k) for k in checkpoints]
            columns = ("invalid", "repeated", "sampling_cpu_seconds")
            means = [float(np.mean([run[c] for run in runs.values()])) for c in columns]
            cells += [f"{mean:.2f}" for mean in means]
            click.echo(f"| {sampler} | {len(runs)} | {' | '.join(cells)} |")


def _cell(by_sampler: dict[str, dict[int, Any]], sampler: str, checkpoint: int) -> str:
    runs, reference = by_sampler[sampler], by_sampler.get(_REFERENCE, {})
    values = np.array([_at(run, checkpoint) for run in runs.values()])
    values = values[~np.isnan(values)]
    if not len(values):
        return "-"
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    text = f"{values.mean():.5g} ± {error:.2g}"
    common = sorted(runs.keys() & reference.keys())
    if sampler == _REFERENCE or len(common) < 2:
        return text
    ours = np.array([_at(reference[seed], checkpoint) for seed in common])
    theirs = np.array([_at(runs[seed], checkpoint) for seed in common])
    minimized = next(iter(runs.values()))["direction"] == "MINIMIZE"
    better = "less" if minimized else "greater"
    return f"{text} ({ttest_rel(ours, theirs, alternative=better).pvalue:.2g})"


def _at(run: dict[str, Any], checkpoint: int) -> float:
    best = run["best"]
    return best[checkpoint - 1] if len(best) >= checkpoint else np.nan


if __name__ == "__main__":
    main()
