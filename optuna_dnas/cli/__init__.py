"""The command ``optuna-dnas``."""

import click

from optuna_dnas.cli._benchmark import benchmark
from optuna_dnas.cli._convert import convert
from optuna_dnas.cli._dashboard import dashboard
from optuna_dnas.cli._explain import explain
from optuna_dnas.cli._search import search
from optuna_dnas.cli._space import space
from optuna_dnas.cli._supernet import supernet


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="optuna-dnas")
def main() -> None:
    """Neural architecture search that people can understand."""


main.add_command(search)
main.add_command(benchmark)
main.add_command(convert)
main.add_command(dashboard)
main.add_command(explain)
main.add_command(space)
main.add_command(supernet)

__all__ = ["main"]
