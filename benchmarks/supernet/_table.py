"""The paper's Table 2: winners of the searches, trained from scratch."""

from typing import Any

import numpy as np

from benchmarks.supernet._samplers import SEARCHES
from benchmarks.supernet._study import Experiment
from optuna_dnas._typing import FloatArray
from optuna_dnas.benchmarking import format_mean
from optuna_dnas.benchmarking import mean_and_error
from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.search_space import MobileNetSpec


_TITLES = (
    "limit, MFLOPs",
    "search",
    "runs",
    "inherited error, %",
    "top-1 error, %",
    "top-5 error, %",
    "params, K",
    "MFLOPs",
)


def retrain_winners(
    experiment: Experiment, searches: list[dict[str, Any]], config: RetrainConfig
) -> list[dict[str, Any]]:
    """The records of searches with test accuracies; equal winners are trained once."""
    specs = [MobileNetSpec.parse(record["architecture"]) for record in searches]
    tests = [network.accuracies["test"] for network in experiment.retrain(specs, config)]
    return [
        record | {"top1": test.top1, "top5": test.top5}
        for record, test in zip(searches, tests, strict=True)
    ]


def format_table(records: list[dict[str, Any]]) -> str:
    """Markdown, a row for each level and search: means over the seeds and standard errors."""
    rows = [list(_TITLES), ["---"] * len(_TITLES)]
    for limit in sorted({record["max_flops"] for record in records}):
        for sampler in SEARCHES:
            runs = [r for r in records if (r["max_flops"], r["sampler"]) == (limit, sampler)]
            if runs:
                rows.append([f"{limit / 1e6:.3f}", sampler, str(len(runs)), *_cells(runs)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(runs: list[dict[str, Any]]) -> list[str]:
    columns = [
        [100 * (1 - run["inherited"]) for run in runs],
        [100 * (1 - run["top1"]) for run in runs],
        [100 * (1 - run["top5"]) for run in runs],
        [run["params"] / 1e3 for run in runs],
        [run["flops"] / 1e6 for run in runs],
    ]
    return [_format(np.array(column)) for column in columns]


def _format(values: FloatArray) -> str:
    (mean,), (error,) = mean_and_error(values[:, None])
    return format_mean(mean, error)
