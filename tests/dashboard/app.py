"""The dashboard without a network: requests to its WSGI application."""

from collections.abc import Iterable
import json
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
from optuna.storages import BaseStorage

from optuna_dnas.dashboard import wsgi


class App:
    """Answers as a server would."""

    def __init__(self, storage: BaseStorage, artifacts: Path) -> None:
        self._app = wsgi(storage, artifacts)
        self._storage = storage

    def get(self, path: str) -> bytes:
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        environ["PATH_INFO"], _, environ["QUERY_STRING"] = path.partition("?")
        statuses: list[str] = []
        answer: Iterable[bytes] = self._app(environ, lambda status, *_: statuses.append(status))
        body = b"".join(answer)
        assert statuses == ["200 OK"], body
        return body

    def study(self, study: optuna.Study) -> dict[str, Any]:
        """What the page of a study is made of."""
        found: dict[str, Any] = json.loads(self.get(f"/api/studies/{self._id(study)}?after=0"))
        return found

    def artifact(self, study: optuna.Study, trial: dict[str, Any]) -> str:
        """The only one of a trial."""
        (artifact,) = trial["artifacts"]
        path = f"/artifacts/{self._id(study)}/{trial['trial_id']}/{artifact['artifact_id']}"
        return self.get(path).decode()

    def _id(self, study: optuna.Study) -> int:
        return self._storage.get_study_id_from_name(study.study_name)
