"""Errors of a user's input and of what a user's machines do, as one clear line each."""

from collections.abc import Callable
import functools
import traceback
from typing import ParamSpec
from typing import TypeVar

import click
from optuna.exceptions import OptunaError
from sqlalchemy.exc import SQLAlchemyError

from optuna_dnas.cli._storages import chain_of
from optuna_dnas.cli._storages import reason_of
from optuna_dnas.cli._storages import scrub
from optuna_dnas.cli._storages import StorageError
from optuna_dnas.cli._storages import without_secrets


P = ParamSpec("P")
R = TypeVar("R")

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C has ended, as shells have it: 128 and the signal's number."""

_STORAGE = "storage"


def clear_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn what bad input raises, and what a storage raises, into a message and exit code 1.

    The message has no secrets of the storage. Any other error is one of this package.
    """

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        context = click.get_current_context()
        storage = context.params.get(_STORAGE)
        try:
            return command(*args, **kwargs)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            context.exit(INTERRUPTED)
        except Exception as error:
            if storage is not None and _is_of_storage(error):
                place = f"{_name_of_storage(context)} {without_secrets(storage)!r}: "
                message = reason_of(error, storage)
            elif isinstance(error, _OF_INPUT):
                place, message = "", str(error) or type(error).__name__
            else:
                raise
            shown = message if storage is None else scrub(message, storage)
            raise click.ClickException(place + shown) from error

    return wrapped


_OF_INPUT = (ImportError, MemoryError, OSError, ValueError, OptunaError, SQLAlchemyError)


def _is_of_storage(error: Exception) -> bool:
    """Whether it arose in a storage, of whatever type it is.

    A journal that is damaged makes Optuna raise errors of many types, and so do drivers. Some of
    them make Optuna stumble, so that another error follows.
    """
    return isinstance(error, StorageError) or any(
        str(frame.f_globals.get("__name__")).startswith("optuna.storages")
        for one in chain_of(error)
        for frame, _ in traceback.walk_tb(one.__traceback__)
    )


def _name_of_storage(context: click.Context) -> str:
    """As the user has typed it: an option or an argument."""
    (parameter,) = [p for p in context.command.params if p.name == _STORAGE]
    return parameter.opts[0] if isinstance(parameter, click.Option) else _STORAGE.upper()
