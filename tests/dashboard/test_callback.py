"""What the dashboard shows of a study that had the callback."""

from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
import json
import logging
from pathlib import Path
from typing import Any
import uuid
from xml.etree import ElementTree

import optuna
from optuna.artifacts import FileSystemArtifactStore
from optuna.storages import BaseStorage
from optuna.storages import InMemoryStorage
from optuna.trial import create_trial
import pytest

from optuna_dnas import DNASSampler
from optuna_dnas.dashboard import DashboardCallback
from optuna_dnas.dashboard._format import write_note
from optuna_dnas.objectives import DigitsCellObjective

from ..visualization.studies import cell_study
from ..visualization.studies import flat_study
from .app import App
from .conftest import copied


FIGURES = {"dnas-budget-front", "dnas-sources", "dnas-factor-accuracy", "dnas-latent-space"}
N_TRIALS = 12


def search(
    storage: BaseStorage, callback: DashboardCallback, *, metrics: tuple[str, ...]
) -> optuna.Study:
    objective = DigitsCellObjective(metrics=metrics, limits={"flops": 300_000})
    study = optuna.create_study(
        storage=storage,
        directions=objective.directions,
        sampler=DNASSampler(space=objective.space, seed=0),
    )
    study.optimize(objective, n_trials=N_TRIALS, callbacks=[callback])
    return study


def figures_of(page: dict[str, Any]) -> dict[str, Any]:
    return {f["id"]: json.loads(f["graph_object"]) for f in page["plotly_graph_objects"]}


def notes_of(page: dict[str, Any]) -> dict[int, str]:
    return {t["number"]: t["note"]["body"] for t in page["trials"] if t["note"]["body"]}


def test_a_search_can_be_looked_at_on_every_storage(storage: BaseStorage, artifacts: Path) -> None:
    callback = DashboardCallback(artifacts, metric_names=["accuracy"])
    study = search(storage, callback, metrics=("validation_accuracy",))
    app = App(storage, artifacts)
    page = app.study(study)
    assert page["objective_names"] == ["accuracy"]
    assert figures_of(page).keys() == FIGURES
    for trial in page["trials"]:
        assert ElementTree.fromstring(app.artifact(study, trial)).tag.endswith("svg")
    assert len(page["trials"]) == len(list(artifacts.iterdir())) == N_TRIALS
    callback.publish(study)
    ((number, note),) = notes_of(app.study(study)).items()
    best = study.best_trial
    assert number == best.number
    assert best.user_attrs["architecture"] in note
    assert best.user_attrs["dnas:source"] in note
    assert f"{100 * best.value:.2f} %" not in note  # The name is the user's, and so is the unit.


def test_a_second_call_changes_nothing(storage: BaseStorage, artifacts: Path) -> None:
    study = copied(cell_study(20), storage)
    DashboardCallback(artifacts).publish(study)
    before = App(storage, artifacts).study(study)
    again = DashboardCallback(artifacts)  # As of another worker.
    for trial in study.trials:
        again(study, trial)
    again.publish(study)
    assert App(storage, artifacts).study(study) == before
    assert len(list(artifacts.iterdir())) == 20


def test_what_is_drawn_is_not_drawn_again(artifacts: Path) -> None:
    study = copied(cell_study(20), InMemoryStorage())
    store = _Counting(artifacts)
    for _ in range(3):  # Workers, one after the other.
        DashboardCallback(store).publish(study)
    assert store.n_written == 20


def test_a_study_of_the_same_name_has_drawings_of_its_own(
    storage: BaseStorage, artifacts: Path
) -> None:
    """Trials of a study that takes the place of another one are drawn, not taken for its own."""
    callback, name = DashboardCallback(artifacts), f"optuna-dnas-{uuid.uuid4().hex}"
    drawn: list[str] = []
    for width in (1, 2):
        study = optuna.create_study(study_name=name, storage=storage)
        study.optimize(_constant_width(width), n_trials=1, callbacks=[callback])
        callback.publish(study)
        app = App(storage, artifacts)
        drawn.append(app.artifact(study, app.study(study)["trials"][0]))
        optuna.delete_study(study_name=name, storage=storage)
    assert drawn[0] != drawn[1]


def _constant_width(width: int) -> Callable[[optuna.Trial], float]:
    return lambda trial: float(trial.suggest_int("width", width, width))


def test_threads_publish_one_after_the_other(
    artifacts: Path, warnings: pytest.LogCaptureFixture
) -> None:
    storage = InMemoryStorage()
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(
        lambda trial: trial.suggest_float("x", 0.0, 1.0),
        n_trials=24,
        n_jobs=4,
        callbacks=[DashboardCallback(artifacts)],
    )
    page = App(storage, artifacts).study(study)
    assert all(len(trial["artifacts"]) == 1 for trial in page["trials"])
    assert len(figures_of(page)) == 3
    assert "dashboard" not in warnings.text


def test_studies_share_a_directory(artifacts: Path) -> None:
    callback, storage = DashboardCallback(artifacts), InMemoryStorage()
    studies = [copied(cell_study(n), storage) for n in (3, 4)]
    for study in studies:
        callback.publish(study)
    assert len(list(artifacts.iterdir())) == 3 + 4


def test_all_architectures_of_a_pareto_front_have_notes(artifacts: Path) -> None:
    storage = InMemoryStorage()
    callback = DashboardCallback(artifacts)
    study = search(storage, callback, metrics=("validation_accuracy", "flops"))
    callback.publish(study)
    page = App(storage, artifacts).study(study)
    assert notes_of(page).keys() == {trial.number for trial in study.best_trials}
    assert figures_of(page).keys() == FIGURES


def test_a_note_moves_with_the_best_and_leaves_others_alone(artifacts: Path) -> None:
    storage = InMemoryStorage()
    study = copied(flat_study(), storage)
    callback = DashboardCallback(artifacts)
    callback.publish(study)
    assert notes_of(App(storage, artifacts).study(study)).keys() == {0}
    write_note(study, {}, study.trials[3], "mine")
    first = study.trials[0]
    for value in (-1.0, -2.0):
        study.add_trial(
            create_trial(params=first.params, distributions=first.distributions, value=value)
        )
        callback.publish(study)
    notes = notes_of(App(storage, artifacts).study(study))  # A new one: it caches trials.
    assert notes.keys() == {3, 21}
    assert notes[3] == "mine"


def test_the_best_is_within_the_limits_and_others_say_what_they_break(artifacts: Path) -> None:
    storage = InMemoryStorage()
    study = copied(cell_study(40, limits={"flops": 200_000}), storage)
    DashboardCallback(artifacts).publish(study)
    page = App(storage, artifacts).study(study)
    assert notes_of(page).keys() == {study.best_trial.number}
    captions = Counter(t["artifacts"][0]["filename"] for t in page["trials"])
    n_broken = sum(t.constraints["max_flops"] > 0 for t in study.trials)
    assert captions == {
        "architecture.svg": 40 - n_broken,
        "architecture, breaks max_flops.svg": n_broken,
    }


def test_a_flat_space_has_tables_and_no_costs(storage: BaseStorage, artifacts: Path) -> None:
    study = copied(flat_study(), storage)
    DashboardCallback(artifacts).publish(study)
    app = App(storage, artifacts)
    page = app.study(study)
    assert figures_of(page).keys() == FIGURES - {"dnas-budget-front"}
    assert "momentum" in app.artifact(study, page["trials"][1])
    assert "momentum" not in app.artifact(study, page["trials"][0])


def test_what_has_no_architecture_has_no_drawing(artifacts: Path) -> None:
    objective = DigitsCellObjective()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=20, callbacks=[DashboardCallback(artifacts)])
    study.optimize(lambda trial: 0.0, n_trials=1, callbacks=[DashboardCallback(artifacts)])
    n_valid = sum(
        t.state == optuna.trial.TrialState.COMPLETE and bool(t.params) for t in study.trials
    )
    assert 0 < n_valid < 20
    assert len(list(artifacts.iterdir())) == n_valid


def test_a_study_without_completed_trials_is_published_silently(
    artifacts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    DashboardCallback(artifacts).publish(optuna.create_study())
    assert not caplog.records


class _Counting(FileSystemArtifactStore):
    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        super().__init__(str(directory))
        self.n_written = 0

    def write(self, artifact_id: str, content_body: Any) -> None:
        self.n_written += 1
        super().write(artifact_id, content_body)


class _Broken(FileSystemArtifactStore):
    def write(self, artifact_id: str, content_body: Any) -> None:
        raise OSError("disk full")


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    optuna.logging.enable_propagation()
    caplog.set_level(logging.WARNING)
    yield caplog
    optuna.logging.disable_propagation()


def test_a_broken_store_is_warned_of_once(warnings: pytest.LogCaptureFixture) -> None:
    storage = InMemoryStorage()
    callback = DashboardCallback(_Broken("nowhere"))
    study = search(storage, callback, metrics=("validation_accuracy",))
    assert len(study.trials) == N_TRIALS
    (warning,) = [r.getMessage() for r in warnings.records if "dashboard" in r.getMessage()]
    assert "disk full" in warning


def test_a_directory_that_is_a_file_is_warned_of(
    tmp_path: Path, warnings: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    callback = DashboardCallback(tmp_path / "file")
    assert len(search(InMemoryStorage(), callback, metrics=("flops",)).trials) == N_TRIALS
    assert "drawings" in warnings.text


def test_a_broken_storage_is_warned_of(
    artifacts: Path, warnings: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the database is gone")

    study = cell_study(6)
    monkeypatch.setattr(study._storage, "set_study_system_attr", fail)
    callback = DashboardCallback(artifacts)
    for trial in study.trials:
        callback(study, trial)
    n_warnings = sum("the database is gone" in r.getMessage() for r in warnings.records)
    assert n_warnings == 3  # Of drawings, figures and notes.


def test_arguments_are_checked(artifacts: Path) -> None:
    with pytest.raises(ValueError, match="`every` must be positive, but got 0"):
        DashboardCallback(artifacts, every=0)
