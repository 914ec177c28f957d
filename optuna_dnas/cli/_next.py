"""What a user may type after a search."""

from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
import os
from typing import Any

import click
from click.core import ParameterSource

from optuna_dnas.cli._benchmarks import Goal
from optuna_dnas.cli._storages import STORAGE_VARIABLE
from optuna_dnas.cli._storages import to_shell


_SET_STORAGE = "First, type in the URL of the storage, which is not shown as it has a password:"


def next_steps(context: click.Context, goal: Goal, storage: str, study_name: str) -> str:
    """Commands to type as they stand, with the options that the user has given."""
    steps = study_steps(context, storage, study_name)
    if len(goal.metrics) == 1:
        rivals = _rivals(goal.metrics[0])
        steps[f"Trade {' for '.join(rivals)}, in a Pareto study:"] = [
            command_line(context, metrics=rivals, study_name=f"{study_name}-pareto")
        ]
    return format_steps(steps)


def study_steps(context: click.Context, storage: str, study_name: str) -> dict[str, list[str]]:
    """What serves any study: titles, and commands for each."""
    return {
        "Go on, with the same command:": [command_line(context)],
        "Read why the best is the best, in report.html:": [
            to_shell(["optuna-dnas", "explain", storage, study_name], storage)
        ],
        "Look at the study in a browser:": [
            "pip install optuna-dashboard",
            to_shell(["optuna-dnas", "dashboard", storage], storage),
        ],
    }


def format_steps(steps: Mapping[str, Sequence[str]]) -> str:
    """A title and commands for each step; before them how to set what they need."""
    needed = any(STORAGE_VARIABLE in line for commands in steps.values() for line in commands)
    if needed and STORAGE_VARIABLE not in os.environ:
        steps = {
            _SET_STORAGE: [f"read -rs {STORAGE_VARIABLE}; export {STORAGE_VARIABLE}"],
            **steps,
        }
    lines = ["Next"]
    for title, commands in steps.items():
        lines += [f"  {title}", *(f"    {command}" for command in commands)]
    return "\n".join(lines)


def command_line(context: click.Context, **changes: Any) -> str:
    """The command that runs, with some parameters changed, quoted for the shell."""
    names = ["optuna-dnas", *_command_names(context)]
    every = [str(parameter.name) for parameter in context.command.params]
    words = names + given_words(context, every, **changes)
    return to_shell(words, context.params.get("storage"))


def given_words(context: click.Context, names: Collection[str], **changes: Any) -> list[str]:
    """The named parameters as the user has given them; nothing of those that were not given."""
    words = []
    for parameter in context.command.params:
        name = str(parameter.name)
        is_given = context.get_parameter_source(name) == ParameterSource.COMMANDLINE
        if (is_given and name in names) or name in changes:
            words += _to_words(parameter, changes.get(name, context.params.get(name)))
    return words


def _command_names(context: click.Context) -> list[str]:
    """Without that of the program, which may have been started in other ways."""
    own = [str(context.info_name)]
    parent = context.parent
    return own if parent is None or parent.parent is None else _command_names(parent) + own


def _to_words(parameter: click.Parameter, value: Any) -> list[str]:
    if not isinstance(parameter, click.Option):
        return [str(value)]
    if parameter.is_flag:
        # The opposite of a flag may have a name of its own.
        return [parameter.opts[0]] if value else parameter.secondary_opts[:1]
    values = value if parameter.multiple else [value]
    return [word for v in values for word in (parameter.opts[0], _to_word(v))]


def _to_word(value: Any) -> str:
    is_integral = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_integral else value)


def _rivals(metric: str) -> Sequence[str]:
    """A metric, and one that it is usually paid with."""
    if metric.endswith("_accuracy"):
        return metric, "flops"
    return "validation_accuracy", metric
