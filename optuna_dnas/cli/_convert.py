"""``optuna-dnas convert``."""

from pathlib import Path
import time

import click

from optuna_dnas.cli._errors import clear_errors
from optuna_dnas.objectives import NASBench101Table


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The store to make; by default beside SOURCE, where a search finds it.",
)
@clear_errors
def convert(source: Path, output: Path | None) -> None:
    """Convert a NASBench-101 TFRecord file SOURCE into a compact store.

    The store opens in a moment. A search on a TFRecord file does the same by itself, once.
    """
    start = time.perf_counter()
    table = NASBench101Table.open(source, store=output, progress=True)
    seconds = time.perf_counter() - start
    click.echo(f"{len(table):,} cells, epochs {table.epochs}, in {seconds:.0f} s: {table.path}")
