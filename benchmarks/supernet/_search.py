"""Searches with equal evaluations under levels of multiply-adds."""

import itertools
from typing import Any
import warnings

import optuna
from tqdm import tqdm

from benchmarks.supernet._samplers import SEARCHES
from benchmarks.supernet._study import Experiment
from optuna_dnas.benchmarking import append_records
from optuna_dnas.benchmarking import read_records
from optuna_dnas.objectives.supernet import SupernetObjective


def search(experiment: Experiment, seeds: range, n_evaluations: int) -> list[dict[str, Any]]:
    """All searches, of which those that are done already are read; a record each."""
    output = experiment.directory / "searches.jsonl"
    wanted = list(itertools.product(seeds, experiment.limits(), SEARCHES))
    done = {_key(record) for record in read_records(output)}
    missing = [run for run in wanted if (*run, n_evaluations) not in done]
    records = (
        _run(experiment, seed, limit, sampler, n_evaluations)
        for seed, limit, sampler in tqdm(missing, unit="search")
    )
    for _ in append_records(output, records):
        pass
    return [
        record
        for record in read_records(output)
        if _key(record) in {(*run, n_evaluations) for run in wanted}
    ]


def _key(record: dict[str, Any]) -> tuple[int, int, str, int]:
    return record["seed"], record["max_flops"], record["sampler"], record["evaluations"]


def _run(
    experiment: Experiment, seed: int, max_flops: int, sampler: str, n_evaluations: int
) -> dict[str, Any]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    objective = SupernetObjective(experiment.open_model(), max_flops=max_flops)
    study = optuna.create_study(
        direction="maximize", sampler=SEARCHES[sampler](seed, objective.space)
    )
    study.optimize(objective, n_trials=n_evaluations)
    best = study.best_trial
    return {
        "seed": seed,
        "max_flops": max_flops,
        "sampler": sampler,
        "evaluations": n_evaluations,
        "architecture": best.user_attrs["architecture"],
        "inherited": best.value,
        "flops": best.user_attrs["flops"],
        "params": best.user_attrs["params"],
        "values": [trial.value for trial in study.trials],
    }
