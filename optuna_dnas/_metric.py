"""What an objective measures."""

from dataclasses import dataclass
from typing import Literal

from optuna.study import StudyDirection


Direction = Literal["maximize", "minimize"]

SHARE = "share"
"""The unit of accuracies: they are of 1, and read in percent."""


@dataclass(frozen=True)
class Metric:
    """A number that is measured of an architecture.

    Args:
        name: Of the metric.
        direction: Of its optimization.
        unit: As it is written behind a number, ``"ms"``, say; ``"share"`` is of 1, and shown in
            percent; without one, a number stands for itself.

    Raises:
        ValueError: An argument is not what it should be; the message names it.
    """

    name: str
    direction: Direction = "maximize"
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError(f"`name` of a metric must not be empty, but got {self.name!r}.")
        if self.direction not in ("maximize", "minimize"):
            raise ValueError(
                f"`direction` of {self.name!r} must be 'maximize' or 'minimize', but got "
                f"{self.direction!r}."
            )

    @property
    def study_direction(self) -> StudyDirection:
        """The same for Optuna."""
        return StudyDirection[self.direction.upper()]
