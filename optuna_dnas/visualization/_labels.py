"""How metrics and costs are called and written in figures."""

from typing import Any
from typing import NamedTuple

from optuna.trial import FrozenTrial


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


_ACCURACIES = ("validation_accuracy", "test_accuracy", "train_accuracy")
_QUANTITIES = {
    **{
        name: Quantity(name.replace("_", " "), ".1~%", "{:.2f} %", scale=100.0)
        for name in _ACCURACIES
    },
    "training_time": Quantity("training time in seconds", "~s", "{:,.4g}"),
    "flops": Quantity("multiply-adds", "~s", "{:,.0f}"),
    "params": Quantity("parameters", "~s", "{:,.0f}"),
}


def quantity(name: str) -> Quantity:
    """The metrics of this package have units; any other name stands for itself."""
    return _QUANTITIES.get(name, Quantity(name))


def describe_architecture(trial: FrozenTrial) -> str:
    """The architecture as the objective recorded it, or else the parameters."""
    text = trial.user_attrs.get("architecture")
    if isinstance(text, str):
        return text
    return "<br>".join(f"{name} = {_short(value)}" for name, value in trial.params.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
