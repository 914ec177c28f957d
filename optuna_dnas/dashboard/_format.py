"""What optuna-dashboard reads: the only place that names its private parts.

A finished trial cannot be changed any more, and callbacks see no other ones. Hence its drawing and
its note are attributes of the study, which the dashboard reads as well.
"""

from collections.abc import Mapping
import importlib
import json
from types import ModuleType
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial

from optuna_dnas._optuna_compat import storage_of
from optuna_dnas._optuna_compat import trial_id


STUDY_PAGE = r"/api/studies/(\d+)"
"""Path of what the page of a study is made of."""

# MySQL keeps 64 KiB in an attribute, and escapes count.
_PART_LENGTH = 32_000


def optuna_dashboard(part: str = "") -> ModuleType:
    """The package, or a part of it, imported when it is needed.

    Raises:
        ImportError: It is not installed; the message says how to get it.
    """
    try:
        return importlib.import_module(f"optuna_dashboard{part}")
    except ImportError as error:
        raise ImportError(
            'The dashboard needs optuna-dashboard: `pip install "optuna-dnas[dashboard]"`.'
        ) from error


def read_attrs(study: Study) -> Mapping[str, Any]:
    """All that the dashboard knows about a study beside its trials."""
    storage, study_id = storage_of(study)
    attrs: dict[str, Any] = storage.get_study_system_attrs(study_id)
    return attrs


def has_artifact(attrs: Mapping[str, Any], trial: FrozenTrial, artifact_id: str) -> bool:
    """Whether a trial shows it."""
    return _artifact_key(trial, artifact_id) in attrs


def link_artifact(study: Study, trial: FrozenTrial, artifact_id: str, filename: str) -> None:
    """Show an SVG of the artifact store with a trial."""
    storage, study_id = storage_of(study)
    meta = {
        "artifact_id": artifact_id,
        "filename": filename,
        "mimetype": "image/svg+xml",
        "encoding": None,
    }
    storage.set_study_system_attr(study_id, _artifact_key(trial, artifact_id), json.dumps(meta))


def serialize_trial(study_id: int, trial: FrozenTrial, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """A trial as the page of its study gets it."""
    serializer = optuna_dashboard("._serializer")
    serialized: dict[str, Any] = serializer.serialize_frozen_trial(study_id, trial, attrs)
    return serialized


def read_note(attrs: Mapping[str, Any], trial: FrozenTrial) -> str:
    """The note of a trial; empty: it has none."""
    note = optuna_dashboard("._note").get_note_from_system_attrs(attrs, trial_id(trial))
    return str(note["body"])


def write_note(study: Study, attrs: Mapping[str, Any], trial: FrozenTrial, body: str) -> None:
    """``optuna_dashboard.save_note``, of a finished trial."""
    note = optuna_dashboard("._note")
    version = note.get_note_from_system_attrs(attrs, trial_id(trial))["version"] + 1
    note.save_note_with_version(*storage_of(study), trial_id(trial), version, body)


def write_figure(study: Study, attrs: Mapping[str, Any], name: str, text: str) -> None:
    """Show a figure, given as JSON, in place of the one that had this name.

    ``optuna_dashboard.save_plotly_graph_object`` makes some 50 commits of it, which takes seconds
    on a slow disk, and two workers that do so at once mix their figures.
    """
    storage, study_id = storage_of(study)
    prefix = f"dashboard:plot_data:{name}:"
    parts = [text[k : k + _PART_LENGTH] for k in range(0, len(text), _PART_LENGTH)]
    n_known = sum(key.startswith(prefix) for key in attrs)
    parts += [""] * (n_known - len(parts))  # They cannot be deleted.
    for k, part in enumerate(parts):
        if attrs.get(f"{prefix}{k}") != part:
            storage.set_study_system_attr(study_id, f"{prefix}{k}", part)


def _artifact_key(trial: FrozenTrial, artifact_id: str) -> str:
    return f"dashboard:artifacts:{trial_id(trial)}:{artifact_id}"
