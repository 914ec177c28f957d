"""Options that several searches have."""

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import fields
import functools
from typing import Any
from typing import cast
from typing import TypeVar

import click

from optuna_dnas.cli._benchmarks import Goal
from optuna_dnas.cli._storages import STORAGE_VARIABLE


F = TypeVar("F", bound=Callable[..., Any])

POSITIVE = click.FloatRange(min=0, min_open=True)


def goal_options(metrics: Sequence[str], latency_needs: str = "") -> Callable[[F], F]:
    """Pass a `Goal` as ``goal``; ``latency_needs`` says what it takes to measure latency."""
    options = (
        click.option(
            "--metric",
            "metrics",
            type=click.Choice(metrics),
            multiple=True,
            default=("validation_accuracy",),
            help="What to optimise. Several make a Pareto study.",
        ),
        click.option("--max-flops", type=POSITIVE, help="Limit of multiply-adds."),
        click.option("--max-params", type=POSITIVE, help="Limit of parameters."),
        click.option(
            "--min-flops", type=POSITIVE, help="The least multiply-adds, for a band of costs."
        ),
        click.option("--min-params", type=POSITIVE, help="The least parameters."),
        click.option(
            "--max-latency",
            type=POSITIVE,
            help=f"Limit of the milliseconds of an inference{latency_needs}.",
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
