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
from optuna_dnas.benchmarking import Search
from optuna_dnas.objectives.supernet import SupernetObjective


def search(experiment: Experiment, seeds: range, n_evaluations: int) -> list[dict[str, Any]]:
    """All searches, of which those that are done already are read; a record each."""
    output = experiment.directory / "searches.jsonl"
    limit_of = {f"fashion-flops-{limit}": limit for limit in experiment.limits()}
    wanted = [
        Search(problem, sampler, seed, n_evaluations)
        for seed, problem, sampler in itertools.product(seeds, limit_of, SEARCHES)
    ]
    done = {Search.of(record) for record in read_records(output)}
    missing = [run for run in wanted if run not in done]
    records = (
        _run(experiment, run, limit_of[run.problem]) for run in tqdm(missing, unit="search")
    )
    for _ in append_records(output, records):
        pass
    return [record for record in read_records(output) if Search.of(record) in wanted]


def _run(experiment: Experiment, run: Search, max_flops: int) -> dict[str, Any]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    objective = SupernetObjective(experiment.open_model(), max_flops=max_flops)
    sampler = SEARCHES[run.sampler](run.seed, objective.space)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=run.queries)
    best = study.best_trial
    return run._asdict() | {
        "max_flops": max_flops,
        "architecture": best.user_attrs["architecture"],
        "inherited": best.value,
        "flops": best.user_attrs["flops"],
        "params": best.user_attrs["params"],
        "values": [trial.value for trial in study.trials],
    }
