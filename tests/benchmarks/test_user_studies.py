"""Studies of users: their traps are there, their optima are right, and trials are counted."""

from collections.abc import Callable
import math
import os
from pathlib import Path
import subprocess
import sys

import numpy as np
import optuna
from optuna.trial import FixedTrial
from optuna.trial import TrialState
import pytest

from benchmarks.user_studies._case import Case
from benchmarks.user_studies._case import run_case
from benchmarks.user_studies._case import SimulatedError
from benchmarks.user_studies._cases import CASES
from benchmarks.user_studies._cases import GROUPS
from benchmarks.user_studies._costs import DIGITS_LIMITS
from benchmarks.user_studies._reports import CURVES
from benchmarks.user_studies._reports import N_STEPS
from optuna_dnas.benchmarking import is_feasible
from optuna_dnas.benchmarking import read_records
from optuna_dnas.benchmarking import Search
from optuna_dnas.objectives import DigitsTable


ROOT = Path(__file__).parents[2]


def at(case: Case, **params: object) -> float:
    value = case(FixedTrial(params))  # type: ignore[arg-type]
    assert isinstance(value, float)
    return value


def test_minimizers() -> None:
    best = {"optimizer": "adam", "rate": 10**-3.5, "decay": 1e-2}
    assert at(CASES["branches"](0), **best) == pytest.approx(0, abs=1e-12)
    for largest, depth in ((32, 20), (33, 21), (64, 40)):
        case = CASES[f"depth-{largest}"](0)
        best = {"depth": depth, "rate": 1e-2, "from 0.25": 0.2, "from 0.5": 0.7}
        assert at(case, **best) == pytest.approx(0, abs=1e-12)
    best = {"x": 0.3, "kind": "b", "y": 0.8, "z": 0.15}
    assert at(CASES["late-300"](0), **best) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("curve", sorted(CURVES.keys() - {"instances"}))
@pytest.mark.parametrize("seed", range(5))
def test_some_reports_are_no_values(curve: str, seed: int) -> None:
    """The first report of a bad trial is better than the value of the best one."""
    noise = 0.02 * np.random.default_rng(seed).standard_normal((2, N_STEPS))
    reports, _ = CURVES[curve](0.3, noise[0], seed)
    _, best = CURVES[curve](0.0, noise[1], seed)
    misleads = reports[0] < best
    assert misleads == (curve != "falling")


@pytest.mark.parametrize("curve", CURVES)
def test_values_rank_trials_by_their_distance(curve: str) -> None:
    noise = 0.02 * np.random.default_rng(0).standard_normal(N_STEPS)
    values = [CURVES[curve](distance, noise, 0)[1] for distance in (0.0, 0.1, 0.5, 1.0)]
    assert values == sorted(values)


def test_the_truth_about_a_trial_has_no_noise() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial({"x": 0.3, "rate": 1e-2, "activation": "gelu"})
    case = CASES["falling-median"](0)
    study.optimize(case, n_trials=1)
    assert study.best_value != 0
    assert case.truth(study.best_trial) == pytest.approx(0, abs=1e-12)


def test_failures_are_those_of_the_seed_and_no_others() -> None:
    def failed(sampler: optuna.samplers.BaseSampler) -> list[int]:
        study = optuna.create_study(sampler=sampler)
        study.optimize(CASES["chance-errors"](3), n_trials=200, catch=(SimulatedError,))
        return [trial.number for trial in study.get_trials(states=[TrialState.FAIL])]

    numbers = failed(optuna.samplers.RandomSampler(seed=0))
    assert numbers == failed(optuna.samplers.TPESampler(seed=1))
    assert 40 <= len(numbers) <= 80


def test_a_study_goes_on_after_an_interruption() -> None:
    case, table = CASES["interrupted"](0), DigitsTable.load()
    assert case.space is not None
    cell = table.cell(int(np.nanargmax(table.mean("validation_accuracy"))))
    best = case.space.architecture_to_params(cell)

    def make(seed: int, _: object) -> optuna.samplers.BaseSampler:
        return optuna.samplers.PartialFixedSampler(best, optuna.samplers.RandomSampler(seed=seed))

    record = run_case(Search("interrupted", "x", 0, 3), case, make)
    assert record["values"] == [None, [case.optimum], [case.optimum]]


@pytest.mark.parametrize("limit", DIGITS_LIMITS)
def test_own_counts_are_the_limits_of_the_package(limit: str) -> None:
    ours, own = CASES[f"limit-{limit}"](0), CASES[f"own-count-{limit}"](0)
    assert ours.optimum == own.optimum
    random = optuna.samplers.RandomSampler
    studies = [
        optuna.create_study(direction="maximize", sampler=random(seed=0)) for _ in (ours, own)
    ]
    for study, case in zip(studies, (ours, own), strict=True):
        study.optimize(case, n_trials=40)
    trials = list(zip(*(study.trials for study in studies), strict=True))
    complete = [pair for pair in trials if pair[0].state == TrialState.COMPLETE]
    assert {is_feasible(a) for a, _ in complete} == {True, False} or limit == "params-15890"
    for a, b in complete:
        assert (a.params, a.values, is_feasible(a)) == (b.params, b.values, is_feasible(b))
        assert not is_feasible(a) or a.values[0] <= ours.optimum


@pytest.mark.skipif(
    "OPTUNA_DNAS_NASBENCH101" not in os.environ,
    reason="needs OPTUNA_DNAS_NASBENCH101, the path of the table",
)
def test_the_best_of_nasbench101_within_so_many_million_parameters() -> None:
    case = CASES["own-count-params-millions"](0)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(case, n_trials=300)
    complete = study.get_trials(states=[TrialState.COMPLETE])
    feasible = [trial.values[0] for trial in complete if is_feasible(trial)]
    assert case.optimum is not None
    assert 0.9 < max(feasible) <= case.optimum < 0.9432


def run(*arguments: object) -> None:
    """In a process of its own: those that it starts must find what they are to run."""
    command = [sys.executable, "-m", "benchmarks.user_studies", *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def test_runs_are_kept_and_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "studies.jsonl"
    arguments = ["--case", "chance-nan", "--sampler", "TPE", "--output", path]
    run(*arguments, "--seeds", "0:1")
    (first,) = read_records(path)
    run(*arguments, "--seeds", "0:2")
    again = read_records(path)
    assert again[0] == first
    assert [record["seed"] for record in again] == [0, 1]
    assert len(first["best"]) == len(first["values"]) == first["queries"] == 80
    assert first["invalid"] == sum(values is None for values in first["values"]) > 0


class Script(Case):
    """Trials that end in all ways."""

    n_trials = 6

    def __init__(self, *ends: Callable[[optuna.Trial], float]) -> None:
        super().__init__(0)
        self._ends = ends

    def earlier_trials(self) -> list[optuna.trial.FrozenTrial]:
        return [optuna.create_trial(value=-1.0)]

    def __call__(self, trial: optuna.Trial) -> float:
        return self._ends[trial.number - 1](trial)

    def truth(self, trial: optuna.trial.FrozenTrial) -> float:
        assert trial.value is not None
        return 10 * trial.value


def test_best_is_the_truth_about_what_a_user_would_choose() -> None:
    def fail(trial: optuna.Trial) -> float:
        raise SimulatedError

    def prune(trial: optuna.Trial) -> float:
        trial.report(-5.0, 0)
        raise optuna.TrialPruned

    def violate(trial: optuna.Trial) -> float:
        trial.set_constraint("c", 1.0)
        return -2.0

    case = Script(fail, lambda _: 3.0, prune, violate, lambda _: 4.0, lambda _: 2.0)
    search = Search("script", "Random", 0, case.n_trials)
    record = run_case(search, case, lambda seed, _: optuna.samplers.RandomSampler(seed=seed))
    assert math.isnan(record["best"][0])
    assert record["best"][1:] == [30.0, 30.0, 30.0, 30.0, 20.0]
    assert (record["invalid"], record["infeasible"]) == (2, 1)


def test_every_case_has_one_name() -> None:
    assert len(CASES) == sum(map(len, GROUPS.values()))


def test_a_transformer_beyond_the_limit_is_trained_and_infeasible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = CASES["trained-transformer"](0)
    assert case.space is not None
    trained: list[int] = []

    def suggest_only(trial: optuna.Trial) -> float:
        assert case.space is not None
        case.space.suggest(trial)
        trained.append(trial.number)
        return 1.0

    monkeypatch.setattr(case, "_objective", suggest_only)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(case, n_trials=40)
    assert trained == list(range(40))
    costs = [case.space.cost(case.space.params_to_architecture(t.params)) for t in study.trials]
    within = [cost is not None and cost.flops <= 500_000 for cost in costs]
    assert 0 < sum(within) < 40
    assert [is_feasible(trial) for trial in study.trials] == within
