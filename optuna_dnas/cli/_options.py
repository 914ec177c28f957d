"""Options that several searches have."""

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import fields
import functools
import math
from typing import Any
from typing import cast
from typing import TypeVar

import click

from optuna_dnas.cli._benchmarks import Bound
from optuna_dnas.cli._benchmarks import Goal
from optuna_dnas.cli._storages import STORAGE_VARIABLE
from optuna_dnas.objectives import ArchitectureObjective


F = TypeVar("F", bound=Callable[..., Any])


class BoundType(click.ParamType[Bound]):
    """A `Bound`, written ``NAME=NUMBER``.

    Args:
        known: The names.
    """

    name = "NAME=NUMBER"

    def __init__(self, known: Sequence[str]) -> None:
        self._known = tuple(known)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Bound:
        """Refuse what is not written like that, or of another name."""
        if isinstance(value, Bound):
            return value
        name, _, text = value.partition("=")
        if name not in self._known:
            self.fail(
                f"{value!r} must begin with one of {', '.join(self._known)}, and =.", param, ctx
            )
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf:
            self.fail(f"{value!r} must end with = and a positive number.", param, ctx)
        return Bound(name, number)


def goal_options(
    objective: type[ArchitectureObjective[Any]],
    *,
    limited: Sequence[str],
    latency_needs: str = "",
) -> Callable[[F], F]:
    """Pass a `Goal` as ``goal``.

    Args:
        objective: Its class offers the metrics.
        limited: What there may be limits of.
        latency_needs: The option that it takes to measure latency.
    """
    metrics = [metric.name for metric in objective.offered]
    needs = f" ({latency_needs})" if latency_needs else ""
    options = (
        click.option(
            "--metric",
            "metrics",
            type=click.Choice(metrics),
            multiple=True,
            default=("validation_accuracy",),
            help="What to optimise. Several make a Pareto study.",
        ),
        click.option(
            "--max",
            "maxima",
            type=BoundType(limited),
            multiple=True,
            help="The most that is allowed, as flops=250000 (multiply-adds), params=1e5, or "
            f"latency=0.5 (milliseconds of an inference){needs}. May be given several times.",
        ),
        click.option(
            "--min",
            "minima",
            type=BoundType(limited),
            multiple=True,
            help="The least that is allowed, as flops=1e5, for a band of costs.",
        ),
        click.option(
            "--latency-batch-size",
            type=click.IntRange(min=1),
            show_default="1",
            help="Images of an inference.",
        ),
    )
    return lambda command: collected(command, Goal, "goal", options)


def collected(command: F, kind: type[Any], name: str, options: Sequence[Callable[..., Any]]) -> F:
    """What the options give, as one argument: a dataclass with a field for each of them."""
    keys = [field.name for field in fields(kind)]

    @functools.wraps(command)
    def with_one(*args: Any, **kwargs: Any) -> Any:
        return command(*args, **{name: kind(**{key: kwargs.pop(key) for key in keys})}, **kwargs)

    for option in reversed(options):
        with_one = option(with_one)
    return cast(F, with_one)


def study_options(default_name: str) -> Callable[[F], F]:
    """Where the study is kept, and whether it can be watched."""

    def decorate(command: F) -> F:
        for option in (
            click.option(
                "--dashboard",
                is_flag=True,
                help=(
                    "Publish drawings, figures and notes while it runs, for "
                    "`optuna-dnas dashboard`."
                ),
            ),
            click.option("--study-name", show_default=default_name, help="Its name there."),
            click.option(
                "--storage",
                default="sqlite:///optuna-dnas.db",
                envvar=STORAGE_VARIABLE,
                show_envvar=True,
                help="Where the study is kept: the URL of a database or of Redis, or the file of "
                "a journal.",
            ),
        ):
            command = option(command)
        return command

    return decorate
