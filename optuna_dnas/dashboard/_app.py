"""optuna-dashboard with constraints: infeasible trials are shown as such, and are never the best.

The dashboard knows the constraints of Optuna before version 5 alone, and takes the best trials
from all that are complete. Writing the old form beside the new one would leave the best ones what
they are, and samplers would count every constraint twice. So its answers about a study are
completed on their way to the browser; nothing is stored.
"""

from collections.abc import Callable
from collections.abc import Iterable
import json
import os
import re
from typing import Any
from typing import TYPE_CHECKING

import optuna
from optuna.artifacts import FileSystemArtifactStore
from optuna.storages import BaseStorage

from optuna_dnas._optuna_compat import get_trials
from optuna_dnas.dashboard._drawings import ArtifactStore
from optuna_dnas.dashboard._format import optuna_dashboard
from optuna_dnas.dashboard._format import serialize_trial
from optuna_dnas.dashboard._format import STUDY_PAGE


if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIApplication
    from _typeshed.wsgi import WSGIEnvironment


def wsgi(
    storage: BaseStorage, artifacts: str | os.PathLike[str] | ArtifactStore
) -> "WSGIApplication":
    """optuna-dashboard as a WSGI application, for any server.

    Args:
        storage: Of the studies.
        artifacts: The directory of the drawings, or an artifact store of Optuna.

    Raises:
        ImportError: optuna-dashboard is not installed.
    """
    store = artifacts
    if isinstance(artifacts, (str, os.PathLike)):
        store = FileSystemArtifactStore(os.fspath(artifacts))
    app: WSGIApplication = optuna_dashboard().wsgi(storage, artifact_store=store)

    def with_constraints(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        page = re.fullmatch(STUDY_PAGE, environ.get("PATH_INFO", ""))
        if page is None or environ.get("REQUEST_METHOD") != "GET":
            return app(environ, start_response)
        return _answer(app, environ, start_response, storage, int(page[1]))

    return with_constraints


def _answer(
    app: "WSGIApplication",
    environ: "WSGIEnvironment",
    start_response: "StartResponse",
    storage: BaseStorage,
    study_id: int,
) -> Iterable[bytes]:
    started: list[Any] = []
    parts: list[bytes] = []

    def start(*arguments: Any) -> Callable[[bytes], object]:
        started.append(arguments)
        return parts.append

    parts += app(environ, start)
    body = b"".join(parts)
    status, headers, *rest = started[-1]
    if status.startswith("200"):
        body = json.dumps(_complete(json.loads(body), storage, study_id)).encode()
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        headers.append(("Content-Length", str(len(body))))
    start_response(status, headers, *rest)
    return [body]


def _complete(page: dict[str, Any], storage: BaseStorage, study_id: int) -> dict[str, Any]:
    name = storage.get_study_name_from_id(study_id)
    study = optuna.load_study(study_name=name, storage=storage)
    trials = get_trials(study, use_cache=False)
    if not page["is_preferential"] and any(trial.constraints for trial in trials):
        attrs = storage.get_study_system_attrs(study_id)
        page["best_trials"] = [serialize_trial(study_id, t, attrs) for t in study.best_trials]
    for shown in [*page["trials"], *page["best_trials"]]:
        # Databases keep no order.
        shown["constraints"] = [x for _, x in sorted(trials[shown["number"]].constraints.items())]
    return page
