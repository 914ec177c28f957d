"""Errors of a user's input, as one clear line instead of a traceback."""

from collections.abc import Callable
import functools
from typing import ParamSpec
from typing import TypeVar

import click
from sqlalchemy.exc import SQLAlchemyError


P = ParamSpec("P")
R = TypeVar("R")


def clear_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn what bad input raises into a message and exit code 1."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (ImportError, MemoryError, OSError, ValueError, SQLAlchemyError) as error:
            raise click.ClickException(str(error)) from error

    return wrapped
