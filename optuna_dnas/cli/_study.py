"""Studies of a search: opened, run, and published while they run."""

from collections.abc import Mapping
from typing import Any
from typing import TYPE_CHECKING
import warnings

import click
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner

from optuna_dnas import DNASSampler
from optuna_dnas._optuna_compat import interrupts_unlogged
from optuna_dnas._progress import progress_bar
from optuna_dnas.cli._dashboard import artifact_directory
from optuna_dnas.cli._storages import file_of
from optuna_dnas.cli._storages import open_storage
from optuna_dnas.objectives import ArchitectureObjective
from optuna_dnas.search_space import SearchSpace


if TYPE_CHECKING:
    from optuna_dnas.dashboard import DashboardCallback


_SEARCH_KEY = "dnas:search"
_NAME_KEY = "benchmark"
# Of the names of studies, in Optuna's tables. SQLite does not check it, and a journal has none.
_MAX_NAME = 512
_N_SHOWN = 40
_N_PARAMETERS = 4


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
        storage: As `open_storage` takes it; files are made.
        name: Of the study.
        benchmark: What is searched.
        conditions: What else must be equal for trials to be compared.
        pruner: Of the study.

    Raises:
        StorageError: The storage cannot be used.
        ValueError: There is a study of this name that is about something else. Nothing has been
            written to it.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    opened = open_storage(storage, create=True)
    if file_of(storage) is None and len(name) > _MAX_NAME:
        raise ValueError(
            f"--study-name must have at most {_MAX_NAME} characters, but got {len(name)}: "
            f"{name[:_N_SHOWN]!r}..."
        )
    study = optuna.create_study(
        storage=opened,
        study_name=name,
        sampler=sampler,
        pruner=pruner,
        directions=objective.directions,
        load_if_exists=True,
    )
    search = {_NAME_KEY: benchmark, **conditions} | objective.limits | objective.latency_conditions
    _claim(study, search, objective)
    return study


def optimize(
    study: optuna.Study,
    objective: ArchitectureObjective[Any],
    n_trials: int,
    *,
    publish_for: str | None,
) -> bool:
    """Add trials, and show how far it is, until an interrupt.

    Args:
        study: To add to.
        objective: Of the study.
        n_trials: How many.
        publish_for: The storage beside which `optuna-dnas dashboard` finds drawings, figures and
            notes; `None`: there will be none.

    Returns:
        Whether all trials were added: `False` after an interrupt.
    """
    publishers = [] if publish_for is None else [_open_dashboard(objective.space, publish_for)]
    is_interrupted = False
    try:
        with progress_bar(total=n_trials, unit="trial", desc=study.study_name) as bar:

            def show(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
                bar.set_postfix_str(_best_so_far(study), refresh=False)
                bar.update()

            with interrupts_unlogged():
                study.optimize(objective, n_trials=n_trials, callbacks=[show, *publishers])
    except KeyboardInterrupt:
        is_interrupted = True
        click.echo("Interrupted. Run the command again to go on.", err=True)
    for publisher in publishers:
        publisher.publish(study)
    return not is_interrupted


def _claim(
    study: optuna.Study, search: dict[str, Any], objective: ArchitectureObjective[Any]
) -> None:
    """Make an unused study one of this search, or check that it is.

    Trials of other cells, with other limits, or timed elsewhere cannot be compared.
    """
    # Before the attributes: another worker sets those before its first trial.
    trials = study.get_trials(deepcopy=False)
    known, names = study.user_attrs.get(_SEARCH_KEY), study.metric_names
    if known is None and (trials or study.directions != objective.directions):
        raise ValueError(
            f"The study {study.study_name!r} is another program's: {_describe_foreign(study)}. "
            f"Nothing has been written to it. Choose another --study-name."
        )
    if names is not None and names != objective.metric_names:
        raise ValueError(
            f"The study {study.study_name!r} optimises {', '.join(names)}, not "
            f"{', '.join(objective.metric_names)}. Choose another --study-name."
        )
    if known is not None and known != search:
        raise ValueError(
            f"The study {study.study_name!r} is about {_describe(known)}, not about "
            f"{_describe(search)}. Choose another --study-name."
        )
    if names is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(objective.metric_names)
    if known is None:
        study.set_user_attr(_SEARCH_KEY, search)


def _describe_foreign(study: optuna.Study) -> str:
    trials = study.get_trials(deepcopy=False)
    parameters = list(dict.fromkeys(name for trial in trials for name in trial.params))
    shown = parameters[:_N_PARAMETERS]
    more = len(parameters) - len(shown)
    names = study.metric_names or [f"value {k}" for k in range(len(study.directions))]
    goals = " and ".join(
        f"{direction.name.lower()} {name}"
        for direction, name in zip(study.directions, names, strict=True)
    )
    what = f" of the parameters {', '.join(shown)}" if shown else ""
    what += f" and {more} more" if more else ""
    return f"it has {len(trials)} trials{what}, to {goals}"


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
