"""Problems know their optimum, and what a repeated query is."""

import itertools
import math
from pathlib import Path

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import FixedTrial
import pytest

from benchmarks.budget_problems import canonical_flops
from benchmarks.flat_problems import CategoryTable
from benchmarks.flat_problems import Divergence
from benchmarks.flat_problems import Hartmann6
from benchmarks.flat_problems import Mixed
from benchmarks.flat_problems import Regression
from benchmarks.flat_problems import Sparse24
from benchmarks.problems import PROBLEMS
from optuna_dnas import DNASSampler
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.objectives import NASBench101Table
from optuna_dnas.search_space import NASBench101Space
from tests.objectives.records import Run
from tests.objectives.records import write_table


def test_hartmann_at_its_minimiser() -> None:
    """Published in Surjanovic & Bingham's library of test functions."""
    minimiser = (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)
    trial = FixedTrial({f"x{i}": x for i, x in enumerate(minimiser)})
    assert Hartmann6()(trial) == pytest.approx(Hartmann6.optimum, abs=1e-5)  # type: ignore[arg-type]


def test_mixed_at_its_minimiser() -> None:
    best = {"rate": 1e-2, "width": 48, "optimizer": "sgd", "momentum": 0.9}
    assert Mixed()(FixedTrial(best)) == Mixed.optimum  # type: ignore[arg-type]


def test_divergence_at_its_minimiser_and_beyond() -> None:
    best: dict[str, object] = {
        "rate": 10**-1.6, "decay": 1e-3, "depth": 12, "width": 300, "dropout": 0.2,
        "normalisation": "batch", "activation": "gelu",
    }  # fmt: skip
    problem = Divergence()
    assert problem(FixedTrial(best)) == pytest.approx(problem.optimum, abs=1e-12)  # type: ignore[arg-type]
    for worse in ({"normalisation": "layer"}, {"normalisation": "none"}, {"rate": 0.06}):
        assert problem(FixedTrial(best | worse)) == math.inf  # type: ignore[arg-type]
    assert problem(FixedTrial(best | {"rate": 0.06, "depth": 10})) < 1.0  # type: ignore[arg-type]


def test_digits_are_the_table_of_digits() -> None:
    problem, table = PROBLEMS["digits"](), DigitsTable.load()
    assert problem.direction == StudyDirection.MAXIMIZE
    assert problem.space is not None
    assert problem.optimum == table.mean("validation_accuracy").max()

    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(problem, n_trials=200)
    complete = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    assert 10 < len(complete) < 200
    by_hash = {table.hashes[i].tobytes().hex(): i for i in range(len(table))}
    means = table.mean("validation_accuracy")
    values = [means[by_hash[problem.key(trial)]] for trial in complete]
    np.testing.assert_allclose([trial.value for trial in complete], values, rtol=1e-12)


def test_anonymous_digits_are_digits_under_other_names() -> None:
    problem, anonymous = PROBLEMS["digits"](), PROBLEMS["digits-flat"]()
    assert anonymous.space is None
    assert (anonymous.direction, anonymous.optimum) == (problem.direction, problem.optimum)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(anonymous, n_trials=50)
    original = list(problem.space.distributions)  # type: ignore[union-attr]
    states = set()
    for trial in study.trials:
        assert not set(trial.params) & set(original)
        fixed = FixedTrial(dict(zip(original, trial.params.values(), strict=True)))
        states.add(trial.state)
        if trial.state == optuna.trial.TrialState.PRUNED:
            with pytest.raises(optuna.TrialPruned):
                problem(fixed)  # type: ignore[arg-type]
        else:
            assert problem(fixed) == trial.value  # type: ignore[arg-type]
    assert states == {optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED}


def test_optimum_of_a_category_table_by_enumeration() -> None:
    problem = CategoryTable(seed=1)
    values = [
        problem(FixedTrial({f"c{i}": letter for i, letter in enumerate(letters)}))  # type: ignore[arg-type]
        for letters in itertools.product("abcde", repeat=6)
    ]
    assert min(values) == problem.optimum
    assert np.std(values) == pytest.approx(1.0)


def test_regression_is_best_on_its_grid() -> None:
    problem = Regression()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(problem, n_trials=300)
    assert study.best_value > problem.optimum
    best = {"kernel": "rbf", "scaling": "none", "target": "plain", "components": 3}
    corners = [
        problem(FixedTrial(best | {"gamma": gamma, "alpha": alpha}))  # type: ignore[arg-type]
        for gamma, alpha in itertools.product((1e-3, 1e-2), (1e-1, 1.0))
    ]
    between = problem(FixedTrial(best | {"gamma": 10**-2.5, "alpha": 10**-0.5}))  # type: ignore[arg-type]
    assert between == pytest.approx(np.mean(corners))


@pytest.mark.parametrize("seed", range(5))
def test_sparse_minimum_is_reached_and_never_passed(seed: int) -> None:
    problem = Sparse24(seed)
    centre, best = problem._centre, problem._best
    floats, integers = centre[:8], centre[8:]
    params = {f"k{i}": k for i, k in enumerate(best)}
    for i in range(4):
        params |= {f"f{i}": 10 * floats[2 * i] - 5, f"i{i}": round(20 * integers[2 * i])}
        params |= {f"g{i}": 10 ** (5 * floats[2 * i + 1] - 5)}
        params |= {f"j{i}": round(2 ** (10 * integers[2 * i + 1]))}
    assert problem(FixedTrial(params)) == pytest.approx(0.0, abs=1e-12)  # type: ignore[arg-type]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    study.optimize(problem, n_trials=100)
    assert study.best_value > 0


def test_budgets_limit_the_space_in_which_samplers_search(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of a table of a few cells."""
    space = NASBench101Space()
    cells = space.sample(np.random.default_rng(0), 4)
    runs = [Run(cell, (1.0, 0.9, 0.9, 0.9), (2.0, 0.9, 0.9, 0.9)) for cell in cells]
    path = write_table(tmp_path / "cells.tfrecord", runs)
    monkeypatch.setenv("OPTUNA_DNAS_NASBENCH101", str(path))
    limits = {
        name: problem().space.limits.by_key  # type: ignore[union-attr]
        for name, problem in PROBLEMS.items()
        if name.startswith("nasbench101-flops")
    }
    assert len(limits) == 7
    assert limits["nasbench101-flops-10"] == {"max_flops": 251_008_000}
    assert limits["nasbench101-flops-25-50"] == {
        "max_flops": 787_878_912,
        "min_flops": 432_753_152,
    }
    assert PROBLEMS["nasbench101-flops-50"]().optimum == pytest.approx(0.9384, abs=1e-5)

    table = NASBench101Table.open(path)
    expected = [space.cost(space.canonical(table.cell(k))).flops for k in range(len(table))]
    np.testing.assert_array_equal(canonical_flops(table), expected)


def test_budgets_that_only_a_query_tells() -> None:
    table = DigitsTable.load()
    flops, accuracies = table.mean("flops"), table.mean("validation_accuracy")
    problem = PROBLEMS["digits-flat-flops"]()
    assert problem.space is None
    assert problem.optimum == accuracies[flops <= np.quantile(flops, 0.5, method="lower")].max()
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(problem, n_trials=100)
    complete = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    broken = [trial.constraints["c0"] > 0 for trial in complete]
    assert 0 < sum(broken) < len(broken)

    timed = PROBLEMS["digits-time"]()
    assert timed.space is not None
    assert not timed.space.limits
    study = optuna.create_study(direction="maximize", sampler=DNASSampler(space=timed.space))
    study.optimize(timed, n_trials=20)
    seconds = np.median(table.mean("training_time"))
    for trial in study.trials:
        is_slow = trial.user_attrs["training_time"] > seconds
        assert (trial.constraints["seconds"] > 0) == is_slow
