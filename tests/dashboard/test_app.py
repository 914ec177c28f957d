"""A large study: what publishing and the page cost."""

import json
from pathlib import Path
import time

import optuna
from optuna.storages import BaseStorage
import pytest

from optuna_dnas.dashboard import DashboardCallback
from optuna_dnas.dashboard._callback import is_due

from .app import App


def test_publishing_a_trial_of_a_large_study_is_cheap(
    large: tuple[optuna.Study, BaseStorage], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, _ = large
    callback = DashboardCallback(tmp_path)
    callback.publish(study)
    trials = study.get_trials(deepcopy=False)
    quiet = [t for t in trials if not is_due(t.number + 1, 5)][-50:]
    seconds = _seconds(lambda: [callback(study, trial) for trial in quiet]) / len(quiet)
    refresh = _seconds(lambda: callback._refresh(study))
    # All at the price of the last one, which is the dearest.
    n_refreshments = sum(is_due(n + 1, 5) for n in range(len(trials)))
    total = seconds + refresh * n_refreshments / len(trials)
    with capsys.disabled():
        print(
            f"\ndrawing {1e3 * seconds:.1f} ms a trial; figures and notes {1e3 * refresh:.0f} ms, "
            f"{n_refreshments} times; {1e3 * total:.1f} ms a trial in all (CPU)"
        )
    assert total < 0.15


def test_the_page_of_a_large_study_is_answered(
    large: tuple[optuna.Study, BaseStorage], tmp_path: Path
) -> None:
    study, storage = large
    DashboardCallback(tmp_path).publish(study)
    app = App(storage, tmp_path)
    (summary,) = json.loads(app.get("/api/studies"))["study_summaries"]
    assert summary["study_name"] == study.study_name
    app.study(study)  # Trials are read once.
    assert _seconds(lambda: app.study(study)) < 15
    page = app.study(study)
    assert len(page["trials"]) == 1000
    assert all(len(trial["artifacts"]) == 1 for trial in page["trials"])
    assert len(page["plotly_graph_objects"]) == 4


def _seconds(work: object) -> float:
    assert callable(work)
    start = time.process_time()
    work()
    return time.process_time() - start
