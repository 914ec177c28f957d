"""Options that several searches have."""

from collections.abc import Callable
from typing import Any
from typing import TypeVar

import click


F = TypeVar("F", bound=Callable[..., Any])

POSITIVE = click.FloatRange(min=0, min_open=True)


def limit_options(command: F) -> F:
    """Bounds of costs."""
    for option in (
        click.option("--min-params", type=POSITIVE, help="The least parameters."),
        click.option(
            "--min-flops", type=POSITIVE, help="The least multiply-adds, for a band of costs."
        ),
        click.option("--max-params", type=POSITIVE, help="Limit of parameters."),
        click.option("--max-flops", type=POSITIVE, help="Limit of multiply-adds."),
    ):
        command = option(command)
    return command


def latency_options(condition: str = "") -> Callable[[F], F]:
    """Limit of latency, and how it is measured; ``condition`` says what that needs."""

    def decorate(command: F) -> F:
        for option in (
            click.option(
                "--latency-batch-size",
                type=click.IntRange(min=1),
                show_default="1",
                help="Images of an inference.",
            ),
            click.option(
                "--max-latency",
                type=POSITIVE,
                help=f"Limit of the milliseconds of an inference{condition}.",
            ),
        ):
            command = option(command)
        return command

    return decorate


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
                help="Where the study is kept.",
            ),
        ):
            command = option(command)
        return command

    return decorate
