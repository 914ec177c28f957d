"""The command line, as a user types it."""

import shlex

from click.testing import CliRunner
from click.testing import Result

from optuna_dnas.cli import main


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def next_commands(output: str) -> list[list[str]]:
    """The lines to type that a search prints at its end, as the shell takes them apart."""
    _, _, lines = output.partition("\nNext\n")
    return [shlex.split(line) for line in lines.splitlines() if line.startswith("    ")]


def type_in(words: list[str]) -> Result:
    name, *arguments = words
    assert name == "optuna-dnas"
    return run(*arguments)


def assert_is_message(result: Result) -> str:
    """The last line, behind a progress bar or the usage."""
    assert result.exit_code in (1, 2)
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    _, found, message = result.output.partition("Error: ")
    assert found
    return message
