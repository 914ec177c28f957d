"""`DashboardCallback`: keeps a study inspectable while it runs."""

from collections.abc import Callable
from collections.abc import Sequence
import os
from pathlib import Path
import threading
from typing import Any
import warnings

from optuna.artifacts import FileSystemArtifactStore
from optuna.exceptions import ExperimentalWarning
from optuna.study import Study
from optuna.trial import FrozenTrial

from optuna_dnas._optuna_compat import get_logger
from optuna_dnas._optuna_compat import get_trials
from optuna_dnas.controller import ControllerConfig
from optuna_dnas.dashboard._drawings import ArtifactStore
from optuna_dnas.dashboard._drawings import is_drawn
from optuna_dnas.dashboard._drawings import publish_drawing
from optuna_dnas.dashboard._figures import publish_figures
from optuna_dnas.dashboard._format import optuna_dashboard
from optuna_dnas.dashboard._format import read_attrs
from optuna_dnas.dashboard._notes import publish_notes
from optuna_dnas.interpret import evaluated
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.visualization import graph_objects


_logger = get_logger(__name__)

# Figures are refreshed when the study has grown by that share.
_GROWTH = 0.1


class DashboardCallback:
    """Shows a study of architectures in optuna-dashboard, while it runs.

    Every finished trial gets a drawing of its architecture. The study gets the figures
    `plot_budget_front`, `plot_sources`, `plot_factor_accuracy` and `plot_latent_space`, and the
    best trial (or those of the Pareto front) a note; both are refreshed when the study has grown
    by a tenth. What cannot be published is warned of once, and never ends a search.

    optuna-dashboard alone takes every trial for feasible: it does not read named constraints.
    ``optuna-dnas dashboard``, and `optuna_dnas.dashboard.wsgi` for other servers, tell it of them.
    Everywhere the caption of a drawing says which limits it breaks, and the note goes to the best
    trial within all of them.

    Several workers on one storage may each have a callback: a trial belongs to the worker that
    ran it, and what is published twice replaces itself.

    Example::

        dashboard = DashboardCallback("artifacts")
        study.optimize(objective, n_trials=150, callbacks=[dashboard])
        dashboard.publish(study)

    Then ``optuna-dnas dashboard STORAGE --artifact-dir artifacts`` shows it.

    Args:
        artifacts: The directory of the drawings, which is made if it is missing, or an artifact
            store of Optuna.
        metric_names: Names of the objectives, for a study that has none.
        every: The least number of trials between two refreshments of figures and notes.
        space: The architecture space; by default it is recognised.
        config: The latent, if the sampler was given another ``DNASConfig.controller``.

    Raises:
        ImportError: optuna-dashboard or plotly is not installed.
    """

    def __init__(
        self,
        artifacts: str | os.PathLike[str] | ArtifactStore,
        *,
        metric_names: Sequence[str] | None = None,
        every: int = 5,
        space: SearchSpace[Any] | None = None,
        config: ControllerConfig | None = None,
    ) -> None:
        if every < 1:
            raise ValueError(f"`every` must be positive, but got {every}.")
        optuna_dashboard()
        graph_objects()
        self._artifacts = artifacts
        self._metric_names = metric_names
        self._every = every
        self._space = space
        self._config = config
        self._lock = threading.Lock()
        self._warned: set[str] = set()

    def __call__(self, study: Study, trial: FrozenTrial) -> None:
        """Publish a finished trial and, now and then, the study."""
        # With threads, one after the other: they would overwrite each other's figures.
        with self._lock:
            self._try("drawings", lambda: self._draw(study, trial))
            # By its number: no two workers refresh at the same trial.
            if is_due(trial.number + 1, self._every):
                self._refresh(study)

    def publish(self, study: Study) -> None:
        """Publish all of a study, one that ran without the callback too."""
        with self._lock:
            self._try("drawings", lambda: self._draw_all(study))
            self._refresh(study)

    def _refresh(self, study: Study) -> None:
        self._try("metric names", lambda: self._name_metrics(study))
        self._try("figures", lambda: self._plot(study))
        self._try("notes", lambda: self._note(study))

    def _try(self, what: str, publish: Callable[[], None]) -> None:
        try:
            publish()
        except Exception as error:  # A search must not die of what only shows it.
            if what not in self._warned:
                self._warned.add(what)
                _logger.warning(
                    f"The {what} of the study could not be published for the dashboard: "
                    f"{type(error).__name__}: {error}"
                )

    def _name_metrics(self, study: Study) -> None:
        if self._metric_names is None or study.metric_names is not None:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(list(self._metric_names))

    def _draw_all(self, study: Study) -> None:
        attrs = read_attrs(study)
        for trial in get_trials(study, use_cache=False):
            if trial.state.is_finished() and not is_drawn(study, attrs, trial):
                self._draw(study, trial)

    def _draw(self, study: Study, trial: FrozenTrial) -> None:
        publish_drawing(study, trial, self._space, self._open_store())

    def _open_store(self) -> ArtifactStore:
        if not isinstance(self._artifacts, (str, os.PathLike)):
            return self._artifacts
        Path(self._artifacts).mkdir(parents=True, exist_ok=True)
        return FileSystemArtifactStore(os.fspath(self._artifacts))

    def _plot(self, study: Study) -> None:
        publish_figures(study, read_attrs(study), self._space, self._config)

    def _note(self, study: Study) -> None:
        try:
            data = evaluated(study, self._space)
        except ValueError:  # Nothing to note yet.
            return
        publish_notes(study, read_attrs(study), data)


def is_due(n_trials: int, every: int) -> bool:
    """Whether figures are refreshed after so many trials: at intervals that grow with them."""
    due = 0
    while due < n_trials:
        due += max(every, round(due * _GROWTH))
    return due == n_trials
