"""Why a study chose what it chose, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
import platform
from typing import Any

import numpy as np
import optuna
from optuna.study import Study
from optuna.trial import TrialState

from optuna_dnas._optuna_compat import get_trials
from optuna_dnas._typing import IntArray
from optuna_dnas.explanation._course import Course
from optuna_dnas.explanation._course import read_course
from optuna_dnas.explanation._factors import factor_findings
from optuna_dnas.explanation._factors import FactorFinding
from optuna_dnas.explanation._figures import draw_figures
from optuna_dnas.explanation._figures import ReportFigure
from optuna_dnas.interpret import Evaluated
from optuna_dnas.interpret import evaluated
from optuna_dnas.search_space import Picture
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies import non_dominated
from optuna_dnas.visualization import Quantity
from optuna_dnas.visualization import quantity
from optuna_dnas.visualization import read_budget


MAX_CHOSEN = 6
"""Of a larger Pareto front so many are drawn."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """An architecture that a study recommends.

    Args:
        number: Of its trial.
        values: Its objectives and costs, by name.
        picture: Of the architecture.
        source: Which part of the search proposed it.
        is_feasible: Whether it is within all limits.
    """

    number: int
    values: tuple[tuple[str, float], ...]
    picture: Picture
    source: str
    is_feasible: bool


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a report comes from.

    Args:
        storage: As the user may show it to others; `None`: in memory.
        software: Versions by name.
        begun: When the first trial began.
        ended: When the last trial ended.
        written: When the report was made.
    """

    storage: str | None
    software: tuple[tuple[str, str], ...]
    begun: datetime | None
    ended: datetime | None
    written: datetime


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Everything that a report says.

    Args:
        study_name: As the user called it.
        space: What was searched, in words.
        metric_names: Of the objectives.
        is_maximised: Which of them.
        units: Of metrics and costs, by name.
        target: The objective that is explained: the first one that is not a cost.
        states: How many trials ended how.
        n_architectures: Different ones that were evaluated.
        n_infeasible: Evaluated trials that broke a limit.
        limits: Names and bounds.
        n_front: Size of the Pareto front; 1 for a single objective.
        chosen: The best architecture, or some of the front from cheapest to most
            expensive.
        explained: Number of the trial that ``factors`` are of: the best in ``target``.
        factors: What decides first.
        course: What the search did.
        figures: To be looked at.
        provenance: Where it all comes from.
    """

    study_name: str
    space: str
    metric_names: tuple[str, ...]
    is_maximised: tuple[bool, ...]
    units: Mapping[str, str]
    target: str
    states: tuple[tuple[str, int], ...]
    n_architectures: int
    n_infeasible: int
    limits: tuple[tuple[str, float], ...]
    n_front: int
    chosen: tuple[Chosen, ...]
    explained: int
    factors: tuple[FactorFinding, ...]
    course: Course
    figures: tuple[ReportFigure, ...]
    provenance: Provenance

    def label(self, name: str) -> Quantity:
        """Of a metric or a cost."""
        return quantity(name, self.units)


def explain(
    study: Study, space: SearchSpace[Any] | None = None, *, storage: str | None = None
) -> Explanation:
    """Why the best architectures of a study are the best ones.

    Args:
        study: Any study.
        space: Its architecture space; by default it is recognised.
        storage: Where the study is kept, for the reader; without passwords.

    Raises:
        ImportError: plotly is not installed.
        ValueError: No trial is completed.
    """
    data = evaluated(study, space)
    names = data.metric_names
    target = next((name for name in names if name not in data.cost_names), names[0])
    column = data.objective(target)
    front = _front(data, column)
    best = int(data.ranking(column)[0])
    return Explanation(
        study_name=study.study_name,
        space=data.space.in_words,
        metric_names=names,
        is_maximised=tuple((data.signs < 0).tolist()),
        units=data.units,
        target=target,
        states=_states(study),
        n_architectures=len(np.unique(data.tokens, axis=0)),
        n_infeasible=int((~data.is_feasible).sum()),
        limits=_limits(data, column),
        n_front=len(front),
        chosen=tuple(_chosen(data, row) for row in _some(front)),
        explained=int(data.numbers[best]),
        factors=factor_findings(data, column, best),
        course=read_course(study, data, column),
        figures=draw_figures(study, data, target),
        provenance=_provenance(study, storage),
    )


def _front(data: Evaluated, column: int) -> IntArray:
    """Rows of the architectures to recommend; several from cheapest to most expensive."""
    best = data.ranking(column)[:1]
    if len(data.signs) == 1 or not data.is_feasible.any():
        return best
    rivals = np.flatnonzero(data.is_feasible)
    front = rivals[non_dominated(data.losses[rivals])]
    _, first = np.unique(data.tokens[front], axis=0, return_index=True)
    front = front[np.sort(first)]
    budget = read_budget(data, None, column)
    ordered: IntArray = front[np.argsort(budget.sign * budget.amounts[front], kind="stable")]
    return ordered


def _some(front: IntArray) -> list[int]:
    """Evenly spread, both ends included."""
    places = np.linspace(0, len(front) - 1, min(MAX_CHOSEN, len(front))).round().astype(int)
    some: list[int] = front[places].tolist()
    return some


def _chosen(data: Evaluated, row: int) -> Chosen:
    values = dict(zip(data.metric_names, data.values[row].tolist(), strict=True))
    costs = dict(zip(data.cost_names, data.costs[row].tolist(), strict=True))
    values |= {name: cost for name, cost in costs.items() if name not in values}
    (params,) = data.space.tokens_to_params(data.tokens[[row]])
    return Chosen(
        number=int(data.numbers[row]),
        values=tuple(values.items()),
        picture=data.space.picture(data.space.params_to_architecture(params)),
        source=data.sources[row],
        is_feasible=bool(data.is_feasible[row]),
    )


def _limits(data: Evaluated, column: int) -> tuple[tuple[str, float], ...]:
    """What the space declares, and what the trials recorded: of others only that 0 is allowed."""
    recorded = sorted({key for trial in data.trials for key in trial.constraints})
    known = [(key, bound) for key in recorded for bound in _bounds(data, key, column)]
    return tuple((dict(known) | data.space.limits.by_key).items())


def _bounds(data: Evaluated, key: str, column: int) -> tuple[float, ...]:
    side, _, name = key.partition("_")
    try:
        budget = read_budget(data, name, column)
    except ValueError:  # No quantity of the trials, but a constraint of its own.
        return (0.0,)
    return {"max": budget.most, "min": budget.least}.get(side, (0.0,))


def _states(study: Study) -> tuple[tuple[str, int], ...]:
    states = [trial.state for trial in get_trials(study, use_cache=False)]
    return tuple((state.name.lower(), states.count(state)) for state in TrialState)


def _provenance(study: Study, storage: str | None) -> Provenance:
    from optuna_dnas import __version__

    trials = get_trials(study, use_cache=False)
    begun = [t.datetime_start for t in trials if t.datetime_start is not None]
    ended = [t.datetime_complete for t in trials if t.datetime_complete is not None]
    return Provenance(
        storage=storage,
        software=(
            ("optuna-dnas", __version__),
            ("Optuna", optuna.__version__),
            ("Python", platform.python_version()),
        ),
        begun=min(begun, default=None),
        ended=max(ended, default=None),
        written=datetime.now(),
    )
