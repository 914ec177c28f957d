"""Run searches: problem x sampler x seed -> one JSON line each.

A run that the output file holds already is not repeated: stop it and start it again as you like.
Every process has one thread, so that CPU times compare.

    python -m benchmarks.run --problem hartmann6 --sampler DNAS --sampler TPE --seeds 0:30
"""

from collections.abc import Callable
import functools
import itertools
import json
import math
from pathlib import Path
import platform
import time
from typing import Any
from typing import NamedTuple
import warnings

import click
import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState
from tqdm import tqdm

from benchmarks.contenders import CONTENDERS
from benchmarks.problems import Problem
from benchmarks.problems import PROBLEMS
from benchmarks.workers import map_unordered


# A search ends when so many proposals in a row were invalid or had been evaluated before.
_MAX_FUTILE = 200

_PROBLEM = click.Choice(list(PROBLEMS))
_SAMPLER = click.Choice(list(CONTENDERS))


@click.command(context_settings={"show_default": True})
@click.option("--problem", "problems", type=_PROBLEM, multiple=True, required=True)
@click.option("--sampler", "samplers", type=_SAMPLER, multiple=True, required=True)
@click.option("--seeds", default="0:20", help="First and one past the last.")
@click.option("--queries", default=150, help="Different valid points a run evaluates.")
@click.option("--output", type=click.Path(path_type=Path), default="benchmarks/results.jsonl")
@click.option("--jobs", default=1, help="Processes.")
def main(
    problems: tuple[str, ...],
    samplers: tuple[str, ...],
    seeds: str,
    queries: int,
    output: Path,
    jobs: int,
) -> None:
    """Run searches, one JSON line each."""
    first, last = map(int, seeds.split(":"))
    done = {(r["problem"], r["sampler"], r["seed"], r["queries"]) for r in read_runs(output)}
    # All samplers take turns, so that a file compares them before it is complete.
    wanted = [
        (problem, sampler, seed, queries)
        for problem, seed, sampler in itertools.product(problems, range(first, last), samplers)
    ]
    missing = [run for run in wanted if run not in done]
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("a") as file:
        file.truncate(len(_whole_lines(output)))
        results = map_unordered(_run, missing, jobs)
        for result in tqdm(results, total=len(missing), unit="run"):
            file.write(json.dumps(result) + "\n")
            file.flush()


def read_runs(path: Path) -> list[dict[str, Any]]:
    """The finished runs of a file."""
    return [json.loads(line) for line in _whole_lines(path).splitlines()]


def _whole_lines(path: Path) -> str:
    """The text without a last line that a kill has cut, or that is being written."""
    text = path.read_text() if path.exists() else ""
    return text[: text.rfind("\n") + 1]


def _run(run: tuple[str, str, int, int]) -> dict[str, Any]:
    import torch  # Before the clock starts, and not where runs are only read.

    torch.set_num_threads(1)
    problem_name, sampler_name, seed, n_queries = run
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    clock = _Clock(_make_problem(problem_name))
    study = optuna.create_study(
        directions=[clock.problem.direction],
        sampler=CONTENDERS[sampler_name](seed, clock.problem.space),
    )
    queries = _search(study, clock.problem, clock, n_queries)
    n_valid = sum(t.state == TrialState.COMPLETE for t in study.trials)
    return {
        "problem": problem_name,
        "sampler": sampler_name,
        "seed": seed,
        "queries": n_queries,
        "direction": clock.problem.direction.name,
        "optimum": clock.problem.optimum,
        "values": queries.values,
        "best": queries.best,
        "invalid": len(study.trials) - n_valid,
        "repeated": n_valid - len(queries.values),
        "sampling_cpu_seconds": clock.total - clock.objective,
        "machine": f"{platform.machine()} {platform.python_version()} optuna {optuna.__version__}",
    }


class _Clock:
    """Splits CPU time into the objective's and the rest, which is the sampler's and Optuna's."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.objective = 0.0
        self._start = time.process_time()

    @property
    def total(self) -> float:
        return time.process_time() - self._start

    def __call__(self, trial: optuna.Trial) -> float:
        # A suggestion inside of the objective is the sampler's work: ask for all of them first.
        trial.relative_params  # noqa: B018
        start = time.process_time()
        try:
            return self.problem(trial)
        finally:
            self.objective += time.process_time() - start


class _Queries(NamedTuple):
    """What a search has evaluated, in order."""

    values: list[float]  # of each query
    best: list[float]  # what is reported of the best until then


def _search(
    study: optuna.Study,
    problem: Problem,
    objective: Callable[[optuna.Trial], float],
    n_queries: int,
) -> _Queries:
    """Search until so many queries are made; a repeated or invalid point is none."""
    queries = _Queries([], [])
    sign = -1 if problem.direction == StudyDirection.MAXIMIZE else 1
    seen: set[str] = set()
    lowest = math.inf
    n_futile = 0

    def record(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        nonlocal lowest, n_futile
        key = problem.key(trial)
        if trial.value is None or trial.state != TrialState.COMPLETE or key in seen:
            n_futile += 1
        else:
            n_futile = 0
            is_best = not seen or sign * trial.value < lowest
            if is_best:
                lowest = sign * trial.value
            queries.values.append(trial.value)
            queries.best.append(problem.reported(trial) if is_best else queries.best[-1])
            seen.add(key)
        if len(seen) == n_queries or n_futile == _MAX_FUTILE:
            study.stop()

    study.optimize(objective, callbacks=[record])
    return queries


@functools.cache
def _make_problem(name: str) -> Problem:
    return PROBLEMS[name]()


if __name__ == "__main__":
    main()
