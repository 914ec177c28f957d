"""A large study: what publishing and the page cost."""

from collections.abc import Callable
import json
from pathlib import Path
import time

import optuna
from optuna.storages import BaseStorage
from optuna.storages import InMemoryStorage
from optuna.storages import RDBStorage
import pytest

from optuna_dnas.dashboard import DashboardCallback
from optuna_dnas.dashboard._callback import is_due

from ..visualization.studies import cell_study
from .app import App
from .conftest import copied


N_TRIALS = 500


@pytest.mark.slow
def test_publishing_a_trial_of_a_large_study_is_cheap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = copied(cell_study(N_TRIALS), RDBStorage(f"sqlite:///{tmp_path}/study.db"))
    callback = DashboardCallback(tmp_path / "artifacts")
    callback.publish(study)
    trials = study.get_trials(deepcopy=False)
    quiet = [t for t in trials if not is_due(t.number + 1, 5)][-50:]
    drawing = _seconds(lambda: [callback(study, trial) for trial in quiet]) / len(quiet)
    refreshment = _seconds(lambda: callback._refresh(study))
    # All at the price of the last one, which is the dearest.
    share = sum(is_due(n + 1, 5) for n in range(N_TRIALS)) / N_TRIALS
    total = drawing + refreshment * share
    with capsys.disabled():
        print(
            f"\ndrawing {1e3 * drawing:.1f} ms a trial; figures and notes "
            f"{1e3 * refreshment:.0f} ms, {100 * share:.1f} % of the trials; together "
            f"{1e3 * total:.1f} ms a trial (CPU)"
        )
    assert total < 0.3


def test_the_page_of_a_large_study_is_answered(tmp_path: Path) -> None:
    storage = InMemoryStorage()
    study = copied(cell_study(N_TRIALS), storage)
    DashboardCallback(tmp_path).publish(study)
    app = App(storage, tmp_path)
    (summary,) = json.loads(app.get("/api/studies"))["study_summaries"]
    assert summary["study_name"] == study.study_name
    page = app.study(study)
    assert len(page["trials"]) == N_TRIALS
    assert all(len(trial["artifacts"]) == 1 for trial in page["trials"])
    assert len(page["plotly_graph_objects"]) == 4
    assert _seconds(lambda: app.study(study)) < 10


def limited_study(storage: BaseStorage, directions: list[str]) -> optuna.Study:
    """The lower x the better, but less than 3 breaks a limit."""
    study = optuna.create_study(storage=storage, directions=directions)
    sign = 1 if directions[0] == "minimize" else -1
    for x in range(6):
        trial = study.ask()
        trial.suggest_int("x", x, x)
        trial.set_constraint("least", 3.0 - x)
        trial.set_constraint("most", x - 9.0)
        study.tell(trial, [sign * float(x), *(float(x % 2) for _ in directions[1:])])
    return study


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_an_infeasible_trial_is_shown_as_such_and_is_not_the_best(
    storage: BaseStorage, tmp_path: Path, direction: str
) -> None:
    study = limited_study(storage, [direction])
    page = App(storage, tmp_path).study(study)
    assert [t["constraints"] for t in page["trials"]] == [[3.0 - x, x - 9.0] for x in range(6)]
    assert [t["number"] for t in page["best_trials"]] == [study.best_trial.number] == [3]
    assert page["best_trials"][0]["constraints"] == [0.0, -6.0]
    # Samplers read every constraint once.
    assert study.trials[0].constraints == {"least": 3.0, "most": -9.0}


def test_no_infeasible_trial_is_on_the_front(tmp_path: Path) -> None:
    storage = InMemoryStorage()
    study = limited_study(storage, ["minimize", "minimize"])
    best = {trial["number"] for trial in App(storage, tmp_path).study(study)["best_trials"]}
    assert best == {trial.number for trial in study.best_trials} == {3, 4}


def test_where_all_trials_are_infeasible_none_is_the_best(tmp_path: Path) -> None:
    storage = InMemoryStorage()
    study = optuna.create_study(storage=storage)
    trial = study.ask()
    trial.set_constraint("most", 1.0)
    study.tell(trial, 0.0)
    assert App(storage, tmp_path).study(study)["best_trials"] == []


def test_a_page_of_new_trials_alone_has_the_best_of_all(tmp_path: Path) -> None:
    storage = InMemoryStorage()
    limited_study(storage, ["minimize"])
    page = json.loads(App(storage, tmp_path).get("/api/studies/0?after=5"))
    assert [t["number"] for t in page["trials"]] == [5]
    assert [t["number"] for t in page["best_trials"]] == [3]


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
