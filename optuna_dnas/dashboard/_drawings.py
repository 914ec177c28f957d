"""The drawing of each trial's architecture, as an artifact that the dashboard previews."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from typing import BinaryIO
from typing import Protocol
import uuid

from optuna.study import Study
from optuna.trial import FrozenTrial

from optuna_dnas._declaration import declared_space
from optuna_dnas.dashboard._format import has_artifact
from optuna_dnas.dashboard._format import link_artifact
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import recognize
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.visualization import draw_architecture


class ArtifactStore(Protocol):
    """Any of Optuna's."""

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keep a file."""


def publish_drawing(
    study: Study, trial: FrozenTrial, space: SearchSpace[Any] | None, store: ArtifactStore
) -> None:
    """Draw a finished trial, if it has an architecture; again is the same as once."""
    svg = _draw(trial, space or declared_space(study))
    if svg is None:
        return
    artifact_id = _artifact_id(study, trial)
    # In this order: what a page links to is there.
    store.write(artifact_id, BytesIO(svg.encode()))
    link_artifact(study, trial, artifact_id, _filename(trial))


def is_drawn(study: Study, attrs: Mapping[str, Any], trial: FrozenTrial) -> bool:
    """Whether a trial has its drawing."""
    return has_artifact(attrs, trial, _artifact_id(study, trial))


def _artifact_id(study: Study, trial: FrozenTrial) -> str:
    """The same each time; another one for any other trial, also of another storage."""
    identity = f"{study.study_name}/{trial.number}/{trial.datetime_start}"
    return str(uuid.uuid5(uuid.NAMESPACE_OID, identity))


def _draw(trial: FrozenTrial, space: SearchSpace[Any] | None) -> str | None:
    """`None`: a trial without parameters, or whose parameters make no architecture."""
    if not trial.params:
        return None
    if space is None or not space.covers(trial.params):
        # A trial that ended early may lack parameters: a table shows those it has.
        space = recognize(trial.distributions) or FlatSpace(trial.distributions)
    try:
        return draw_architecture(space, space.params_to_architecture(trial.params))
    except OutOfDomainError:
        return None


def _filename(trial: FrozenTrial) -> str:
    """The caption in the dashboard, which does not tell by itself who breaks a limit."""
    broken = sorted(key for key, value in trial.constraints.items() if value > 0)
    return f"architecture, breaks {', '.join(broken)}.svg" if broken else "architecture.svg"
