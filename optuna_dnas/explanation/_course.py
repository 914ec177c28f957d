"""What a search did, from its first trial to its last."""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass

from optuna.study import Study
from optuna.trial import TrialState

from optuna_dnas._optuna_compat import get_trials
from optuna_dnas.interpret import Evaluated
from optuna_dnas.interpret import source_of
from optuna_dnas.visualization import sorted_sources


_N_PERIODS = 8


@dataclass(frozen=True, kw_only=True)
class Period:
    """Some trials after each other.

    Args:
        first: Number of the first one.
        last: Number of the last one.
        proposals: How many of them each source proposed.
        improvements: By how many of these each source found something better than all before.
        best: The best value until then, within all limits; `None`: none yet.
    """

    first: int
    last: int
    proposals: tuple[tuple[str, int], ...]
    improvements: tuple[tuple[str, int], ...]
    best: float | None


@dataclass(frozen=True, kw_only=True)
class SourceShare:
    """What a part of the search contributed.

    Args:
        name: ``dense`` and the like.
        n_proposals: Trials, whatever became of them.
        n_improvements: How many were better than all before.
        best: Its best value within all limits.
    """

    name: str
    n_proposals: int
    n_improvements: int
    best: float | None


@dataclass(frozen=True, kw_only=True)
class Course:
    """A search, by time and by source."""

    periods: tuple[Period, ...]
    sources: tuple[SourceShare, ...]


def read_course(study: Study, data: Evaluated, column: int) -> Course:
    """What a study did with one of its objectives.

    Args:
        study: Any study.
        data: The same.
        column: The objective.
    """
    proposed = {
        trial.number: source_of(trial)
        for trial in get_trials(study, use_cache=False)
        if trial.state != TrialState.WAITING
    }
    numbers = data.numbers.tolist()
    improved = {n for n, is_one in zip(numbers, data.improvements, strict=True) if is_one}
    values = {
        number: float(value)
        for number, value, is_within in zip(
            numbers, data.values[:, column], data.is_feasible, strict=True
        )
        if is_within
    }
    sign = float(data.signs[column])
    return Course(
        periods=_periods(proposed, improved, values, sign),
        sources=tuple(
            SourceShare(
                name=name,
                n_proposals=sum(of == name for of in proposed.values()),
                n_improvements=sum(proposed[n] == name for n in improved),
                best=_best([v for n, v in values.items() if proposed[n] == name], sign),
            )
            for name in sorted_sources(proposed.values())
        ),
    )


def _periods(
    proposed: dict[int, str], improved: set[int], values: dict[int, float], sign: float
) -> tuple[Period, ...]:
    n_trials = 1 + max(proposed)
    size = -(-n_trials // _N_PERIODS)
    periods = []
    for first in range(0, n_trials, size):
        numbers = range(first, min(first + size, n_trials))
        periods.append(
            Period(
                first=first,
                last=numbers[-1],
                proposals=_count(proposed[n] for n in numbers if n in proposed),
                improvements=_count(proposed[n] for n in numbers if n in improved),
                best=_best([v for n, v in values.items() if n <= numbers[-1]], sign),
            )
        )
    return tuple(periods)


def _count(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    counts = Counter(names)
    return tuple((name, counts[name]) for name in sorted_sources(counts))


def _best(values: Sequence[float], sign: float) -> float | None:
    return min(values, key=lambda value: sign * value, default=None)
