"""A large study: what publishing and the page cost."""

from collections.abc import Callable
import json
from pathlib import Path
import time

from optuna.storages import InMemoryStorage
from optuna.storages import RDBStorage
import pytest

from optuna_dnas.dashboard import DashboardCallback
from optuna_dnas.dashboard._callback import is_due

from ..visualization.studies import cell_study
from .app import App
from .conftest import copied


N_TRIALS = 1000


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
    assert total < 0.15


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


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
