"""Searches with equal evaluations under levels of multiply-adds."""

from functools import partial
import itertools
from typing import Any
import warnings

import optuna
from tqdm import tqdm

from benchmarks.supernet._samplers import SEARCHES
from benchmarks.supernet._study import Experiment
from benchmarks.workers import map_unordered
from optuna_dnas.benchmarking import append_records
from optuna_dnas.benchmarking import read_records
from optuna_dnas.benchmarking import Search
from optuna_dnas.objectives.supernet import SupernetObjective
from optuna_dnas.search_space import MobileNetSpace


_PREFIX = "fashion-flops-"


def search(experiment: Experiment, seeds: range, n_evaluations: int) -> list[dict[str, Any]]:
    """All searches, of which those that are done already are read; a record each."""
    output = experiment.directory / "searches.jsonl"
    problems = [f"{_PREFIX}{limit}" for limit in experiment.limits()]
    wanted = [
        Search(problem, sampler, seed, n_evaluations)
        for seed, problem, sampler in itertools.product(seeds, problems, SEARCHES)
    ]
    done = {Search.of(record) for record in read_records(output)}
    missing = [run for run in wanted if run not in done]
    records = map_unordered(partial(_run, experiment), missing, experiment.jobs)
    for _ in tqdm(append_records(output, records), total=len(missing), unit="search"):
        pass
    return [record for record in read_records(output) if Search.of(record) in wanted]


def _run(experiment: Experiment, run: Search) -> dict[str, Any]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    max_flops = int(run.problem.removeprefix(_PREFIX))
    objective = SupernetObjective(experiment.open_model(), limits={"flops": max_flops})
    space = objective.space
    assert isinstance(space, MobileNetSpace)
    sampler = SEARCHES[run.sampler](run.seed, space, run.queries)
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
