"""How metrics and costs are called and written in figures."""

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from optuna.trial import FrozenTrial

from optuna_dnas._metric import SHARE
from optuna_dnas.search_space import cost_title


class Quantity(NamedTuple):
    """A number with a name and a unit.

    Args:
        title: Of an axis.
        tick_format: Of an axis, in the notation of d3.
        text_format: Of one value times ``scale``, in Python's.
        scale: See ``text_format``.
    """

    title: str
    tick_format: str = ""
    text_format: str = "{:.6g}"
    scale: float = 1.0

    def text(self, value: float) -> str:
        """One value, with its name."""
        return f"{self.title} {self.number(value)}"

    def number(self, value: float) -> str:
        """One value."""
        return self.text_format.format(value * self.scale)


_UNIT_TITLES = {"s": "seconds", "ms": "milliseconds"}


def quantity(name: str, units: Mapping[str, str]) -> Quantity:
    """A metric or a cost; one of no unit, and any that nobody knows, stands for itself.

    Args:
        name: Of the metric.
        units: Of what the study's objective measures, by name.
    """
    if cost_title(name) != name:
        return Quantity(cost_title(name), "~s", "{:,.0f}")
    unit, title = units.get(name, ""), name.replace("_", " ")
    if unit == SHARE:
        return Quantity(title, ".1~%", "{:.2f} %", scale=100.0)
    if unit:
        return Quantity(f"{title} in {_UNIT_TITLES.get(unit, unit)}", "~s", "{:,.4g}")
    return Quantity(name)


def describe_architecture(trial: FrozenTrial) -> str:
    """The architecture as the objective recorded it, or else the parameters."""
    text = trial.user_attrs.get("architecture")
    if isinstance(text, str):
        return text
    return "<br>".join(f"{name} = {_short(value)}" for name, value in trial.params.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
