"""Asks are measured on studies that hold as many trials as was said."""

import optuna
from optuna.trial import TrialState
import pytest

from benchmarks import ask_time
from benchmarks.ask_time import Case
from benchmarks.ask_time import format_table
from benchmarks.ask_time import measure


@pytest.mark.parametrize("n_objectives", [1, 3])
@pytest.mark.parametrize("space", list(ask_time._SPACES))
def test_studies_are_filled(space: str, n_objectives: int) -> None:
    study = ask_time._filled_study(ask_time._SPACES[space][0], 30, n_objectives)
    assert len(study.trials) == 30
    assert all(trial.state == TrialState.COMPLETE for trial in study.trials)
    assert {len(trial.values) for trial in study.trials} == {n_objectives}
    for column in zip(*(trial.values for trial in study.trials), strict=True):
        assert len(set(column)) > 20


def test_the_first_ask_and_as_many_as_asked_for() -> None:
    case = Case("mixed", 2, 12, "DNAS", n_asks=3, max_seconds=60.0)
    measured, seconds = measure(case)
    assert measured == case
    assert len(seconds) == 4
    assert min(seconds) > 0


def test_a_limit_of_time_ends_a_case() -> None:
    _, seconds = measure(Case("mixed", 1, 12, "DNAS", n_asks=50, max_seconds=1e-9))
    assert len(seconds) == 1


def test_ratios_are_of_medians_in_one_space() -> None:
    times = {
        Case("mixed", 1, 1_000, "TPE", 2, 60.0): [9.0, 0.002, 0.002, 0.004],
        Case("mixed", 1, 1_000, "DNAS", 2, 60.0): [1.0, 0.001, 0.003, 0.003],
        Case("categories", 2, 1_000, "DNAS", 2, 60.0): [1.0, 0.005],
    }
    _, _, tpe, dnas, alone = format_table(times).splitlines()
    assert tpe == "| mixed | 1 | 1,000 | TPE | 3 | 2.0 | 2.7 | 4.0 | 9000 | 1.00 |"
    assert dnas == "| mixed | 1 | 1,000 | DNAS | 3 | 3.0 | 2.3 | 3.0 | 1000 | 1.50 |"
    assert alone == "| categories | 2 | 1,000 | DNAS | 1 | 5.0 | 5.0 | 5.0 | 1000 |  |"


def test_every_sampler_has_a_name_of_the_benchmarks() -> None:
    for name in ask_time._SAMPLERS:
        assert isinstance(ask_time.CONTENDERS[name](0, None), optuna.samplers.BaseSampler)
