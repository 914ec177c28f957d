"""Problems know their optimum, and what a repeated query is."""

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import FixedTrial
import pytest

from benchmarks.problems import Hartmann6
from benchmarks.problems import Mixed
from benchmarks.problems import PROBLEMS
from optuna_dnas.objectives import DigitsTable


def test_hartmann_at_its_minimiser() -> None:
    """Published in Surjanovic & Bingham's library of test functions."""
    minimiser = (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)
    trial = FixedTrial({f"x{i}": x for i, x in enumerate(minimiser)})
    assert Hartmann6()(trial) == pytest.approx(Hartmann6.optimum, abs=1e-5)  # type: ignore[arg-type]


def test_mixed_at_its_minimiser() -> None:
    best = {"rate": 1e-2, "width": 48, "optimizer": "sgd", "momentum": 0.9}
    assert Mixed()(FixedTrial(best)) == Mixed.optimum  # type: ignore[arg-type]


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
