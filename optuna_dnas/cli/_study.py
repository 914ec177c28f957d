"""Studies of a search: opened, run, and published while they run."""

from collections.abc import Mapping
from typing import Any
from typing import TYPE_CHECKING
import warnings

import click
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from tqdm import tqdm

from optuna_dnas import DNASSampler
from optuna_dnas.cli._dashboard import artifact_directory
from optuna_dnas.objectives import ArchitectureObjective
from optuna_dnas.search_space import SearchSpace


if TYPE_CHECKING:
    from optuna_dnas.dashboard import DashboardCallback


_SEARCH_KEY = "dnas:search"
_NAME_KEY = "benchmark"


def check_device(device: str) -> None:
    """Before anything else: a controller that cannot run would leave the search to chance."""
    from optuna_dnas._torch_scope import resolve_device

    resolve_device(device)


def open_study(
    objective: ArchitectureObjective[Any],
    sampler: DNASSampler,
    *,
    storage: str,
    name: str,
    benchmark: str,
    conditions: Mapping[str, Any] = {},
    pruner: BasePruner | None = None,
) -> optuna.Study:
    """The study of this name, new or to be continued.

    Args:
        objective: Its metrics and limits are those of the study.
        sampler: Of the study.
        storage: Its URL.
        name: Of the study.
        benchmark: What is searched.
        conditions: What else must be equal for trials to be compared.
        pruner: Of the study.

    Raises:
        ValueError: There is a study of this name that is about something else.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=sampler,
        pruner=pruner,
        directions=objective.directions,
        load_if_exists=True,
    )
    known = study.metric_names
    if known is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(objective.metric_names)
    elif known != objective.metric_names:
        raise ValueError(
            f"The study {name!r} optimises {', '.join(known)}, not "
            f"{', '.join(objective.metric_names)}. Choose another --study-name."
        )
    search = {_NAME_KEY: benchmark, **conditions}
    _check_same_search(study, search | objective.limits | objective.latency_conditions)
    return study


def optimize(
    study: optuna.Study,
    objective: ArchitectureObjective[Any],
    n_trials: int,
    *,
    publish_for: str | None,
) -> None:
    """Add trials, with a progress bar, until an interrupt.

    Args:
        study: To add to.
        objective: Of the study.
        n_trials: How many.
        publish_for: The storage beside which `optuna-dnas dashboard` finds drawings, figures and
            notes; `None`: there will be none.
    """
    publishers = [] if publish_for is None else [_open_dashboard(objective.space, publish_for)]
    with tqdm(total=n_trials, unit="trial", desc=study.study_name) as bar:

        def show(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
            bar.set_postfix_str(_best_so_far(study), refresh=False)
            bar.update()

        try:
            study.optimize(objective, n_trials=n_trials, callbacks=[show, *publishers])
        except KeyboardInterrupt:
            bar.close()
            click.echo("Interrupted. Run the command again to go on.", err=True)
    for publisher in publishers:
        publisher.publish(study)


def _check_same_search(study: optuna.Study, search: dict[str, Any]) -> None:
    """Trials of other cells, with other limits, or timed elsewhere cannot be compared."""
    known = study.user_attrs.get(_SEARCH_KEY)
    if known is None:
        study.set_user_attr(_SEARCH_KEY, search)
    elif known != search:
        raise ValueError(
            f"The study {study.study_name!r} is about {_describe(known)}, not about "
            f"{_describe(search)}. Choose another --study-name."
        )


def _describe(search: dict[str, Any]) -> str:
    others = [
        f"{key} {value if isinstance(value, str) else format(value, ',g')}"
        for key, value in search.items()
        if key != _NAME_KEY
    ]
    return ", ".join([search[_NAME_KEY], *others])


def _open_dashboard(space: SearchSpace[Any], storage: str) -> "DashboardCallback":
    from optuna_dnas.dashboard import DashboardCallback

    return DashboardCallback(artifact_directory(storage), space=space)


def _best_so_far(study: optuna.Study) -> str:
    try:
        return f"best {study.best_value:.5g}"
    except (ValueError, RuntimeError):  # Nothing within the limits yet, or several objectives.
        return ""
