"""What a user may type after a search."""

from collections.abc import Sequence
import shlex
from typing import Any

import click
from click.core import ParameterSource

from optuna_dnas.cli._benchmarks import Goal
from optuna_dnas.search_space import COST_NAMES


def next_steps(context: click.Context, goal: Goal, storage: str, study_name: str) -> str:
    """Commands to type as they stand, with the options that the user has given."""
    steps = {
        "Go on, with the same command:": [command_line(context)],
        "Read why the best is the best, in report.html:": [
            shlex.join(["optuna-dnas", "explain", storage, study_name])
        ],
        "Look at the study in a browser:": [
            "pip install optuna-dashboard",
            shlex.join(["optuna-dnas", "dashboard", storage]),
        ],
    }
    if len(goal.metrics) == 1:
        rivals = _rivals(goal.metrics[0])
        steps[f"Trade {' for '.join(rivals)}, in a Pareto study:"] = [
            command_line(context, metrics=rivals, study_name=f"{study_name}-pareto")
        ]
    lines = ["Next"]
    for title, commands in steps.items():
        lines += [f"  {title}", *(f"    {command}" for command in commands)]
    return "\n".join(lines)


def command_line(context: click.Context, **changes: Any) -> str:
    """The command that runs, with some parameters changed, quoted for the shell."""
    words = ["optuna-dnas", str(context.info_name)]
    for parameter in context.command.params:
        name = str(parameter.name)
        is_given = context.get_parameter_source(name) == ParameterSource.COMMANDLINE
        if is_given or name in changes:
            words += _to_words(parameter, changes.get(name, context.params.get(name)))
    return shlex.join(words)


def _to_words(parameter: click.Parameter, value: Any) -> list[str]:
    if not isinstance(parameter, click.Option):
        return [str(value)]
    if parameter.is_flag:
        return [parameter.opts[0]] if value else []
    values = value if parameter.multiple else [value]
    return [word for v in values for word in (parameter.opts[0], _to_word(v))]


def _to_word(value: Any) -> str:
    is_integral = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_integral else value)


def _rivals(metric: str) -> Sequence[str]:
    """A metric, and one that it is usually paid with."""
    if metric.endswith("_accuracy"):
        return metric, COST_NAMES[0]
    return "validation_accuracy", metric
