"""Which axis a study has beside its objective: a cost, and the limits that it has.

N: trials.
"""

from typing import Any
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas.interpret import Evaluated


class Budget(NamedTuple):
    """A cost of every trial."""

    name: str
    amounts: FloatArray  # (N,), NaN where a trial does not tell
    sign: float  # times the amounts: minimised
    least: tuple[float, ...]  # limits: the trials were to reach them
    most: tuple[float, ...]  # limits: the trials were to stay below them


def read_budget(data: Evaluated, cost: str | None, column: int) -> Budget:
    """The cost that is meant, in a study of which objective ``column`` is looked at.

    Args:
        data: The study.
        cost: Another objective, a cost that is known, such as ``"flops"``, a number among the user
            attributes of the trials, or a constraint; by default another objective, or else the
            first cost.
        column: The objective.

    Raises:
        ValueError: There is no such cost.
    """
    amounts = _amounts(data)
    name = _default(data, column) if cost is None else cost
    if name not in amounts or name == data.metric_names[column]:
        known = tuple(key for key in amounts if key != data.metric_names[column])
        hint = f"one of {known}" if known else "kept by the trials, which know no cost at all"
        raise ValueError(f"`cost` must be {hint}, but got {cost!r}.")
    sign = dict(zip(data.metric_names, data.signs.tolist(), strict=True)).get(name, 1.0)
    is_constraint = name not in _without_constraints(data)
    most = {0.0} if is_constraint else _limits(data, amounts[name], f"max_{name}", -1.0)
    least = _limits(data, amounts[name], f"min_{name}", 1.0)
    return Budget(name, amounts[name], sign, tuple(sorted(least)), tuple(sorted(most)))


def _default(data: Evaluated, column: int) -> str | None:
    others = [name for k, name in enumerate(data.metric_names) if k != column]
    return next(iter((*others, *data.cost_names)), None)


def _amounts(data: Evaluated) -> dict[str, FloatArray]:
    """Everything that may be a cost; of two with one name the first one."""
    constraints = {
        key: np.array([trial.constraints.get(key, np.nan) for trial in data.trials])
        for key in sorted({key for trial in data.trials for key in trial.constraints})
    }
    return constraints | _without_constraints(data)


def _without_constraints(data: Evaluated) -> dict[str, FloatArray]:
    keys = sorted({key for trial in data.trials for key in trial.user_attrs})
    columns = {key: [trial.user_attrs.get(key) for trial in data.trials] for key in keys}
    attributes = {
        key: np.array([value if _is_number(value) else np.nan for value in values], dtype=float)
        for key, values in columns.items()
        if any(map(_is_number, values))
    }
    costs = dict(zip(data.cost_names, data.costs.T, strict=True))
    objectives = dict(zip(data.metric_names, data.values.T, strict=True))
    return attributes | costs | objectives


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _limits(data: Evaluated, amounts: FloatArray, key: str, sign: float) -> set[float]:
    """What an objective recorded is how far a limit is exceeded, not the limit itself."""
    limits = {
        # The difference has the rounding errors of both.
        float(f"{amount + sign * trial.constraints[key]:.6g}")
        for amount, trial in zip(amounts.tolist(), data.trials, strict=True)
        if key in trial.constraints
    }
    return {limit for limit in limits if np.isfinite(limit)}
