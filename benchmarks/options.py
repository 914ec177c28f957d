"""Options that several commands have."""

from collections.abc import Callable
import os

import click

from optuna_dnas.objectives import NASBench101Table


POSITIVE = click.IntRange(min=1)


def seeds_option(default: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """``--seeds FIRST:END``, a range."""
    return click.option(
        "--seeds", default=default, callback=_to_range, help="First and one past the last."
    )


def _to_range(context: click.Context, parameter: click.Parameter, value: str) -> range:
    first, _, end = value.partition(":")
    if not (first.isdecimal() and end.isdecimal() and int(first) < int(end)):
        raise click.BadParameter(f"{value!r} is not FIRST:END, such as 0:20.")
    return range(int(first), int(end))


def open_table() -> NASBench101Table:
    """The table that `OPTUNA_DNAS_NASBENCH101` names."""
    path = os.environ.get("OPTUNA_DNAS_NASBENCH101")
    if path is None:
        raise SystemExit("Set OPTUNA_DNAS_NASBENCH101 to a NASBench-101 TFRecord or store.")
    return NASBench101Table.open(path)
