"""Tables under several declarations, compared seed by seed: which of them searches better.

    python -m benchmarks.user_studies.across tables.jsonl

A case of a table is compared with the parameters of the same table that are not declared, and with
TPE and GPSampler on them, by a one-sided paired t-test of the regrets.
"""

from pathlib import Path

import click
import numpy as np
from scipy.stats import ttest_rel

from optuna_dnas._typing import FloatArray
from optuna_dnas.benchmarking import read_records


_AT = (25, 50, 100)
_RIVALS = ("DNAS", "TPE", "GP")
_DECLARED = "DNAS (space)"
# The case of each table whose parameters are searched without a declaration.
_PLAIN = {
    "nasbench201": "nasbench201-edges",
    "nasbench201-graph": "nasbench201-edges",
    "nasbench201-edges": "nasbench201-edges",
    "gnn-parts": "gnn-parts",
    "gnn-graph": "gnn-parts",
    "digits-graph": "digits-graph",
}


@click.command()
@click.argument("records", type=click.Path(path_type=Path, exists=True))
def main(records: Path) -> None:
    """Compare the declarations in RECORDS, as `benchmarks.user_studies` writes them."""
    regrets: dict[tuple[str, str], dict[int, list[float]]] = {}
    for record in read_records(records):
        of_seed = [record["optimum"] - record["best"][at - 1] for at in _AT]
        key = record["problem"], record["sampler"]
        regrets.setdefault(key, {})[record["seed"]] = of_seed
    click.echo(f"| declared | regret at {', '.join(map(str, _AT))} | better than | p |")
    click.echo("| --- | --- | --- | --- |")
    for case, plain in _PLAIN.items():
        own = regrets.get((case, _DECLARED))
        for rival in _RIVALS:
            other = regrets.get((plain, rival))
            if own is None or other is None:
                continue
            seeds = sorted(own.keys() & other.keys())
            ours, theirs = (np.array([of[seed] for seed in seeds]) for of in (own, other))
            means = ", ".join(f"{mean:.3f}" for mean in ours.mean(axis=0))
            chances = ", ".join(f"{p:.2g}" for p in _p_better(ours, theirs))
            click.echo(f"| {case} ({len(seeds)}) | {means} | {plain}, {rival} | {chances} |")


def _p_better(ours: FloatArray, theirs: FloatArray) -> FloatArray:
    """(N, K) each -> (K,)."""
    p: FloatArray = ttest_rel(ours, theirs, alternative="less").pvalue
    return p


if __name__ == "__main__":
    main()
