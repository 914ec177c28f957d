"""``optuna-dnas supernet export``."""

from pathlib import Path

import click

from optuna_dnas.cli._errors import clear_errors
from optuna_dnas.objectives.supernet import RetrainedNetwork


@click.command()
@click.option(
    "--network",
    type=click.Path(path_type=Path),
    required=True,
    help="What `optuna-dnas supernet retrain` has written.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder to make.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(("torch", "onnx")),
    default="torch",
    help="torch: a program of torch.export; onnx needs optuna-dnas[onnx].",
)
@clear_errors
def export(network: Path, output: Path, format_: str) -> None:
    """Write a trained network for use elsewhere, with a model card.

    The folder gets the network, README.md for people, and card.json for programs: architecture,
    cost, accuracies, and how it was trained.
    """
    from optuna_dnas.objectives.supernet import export_network

    export_network(RetrainedNetwork.load(network), output, format=format_)
    files = ", ".join(sorted(path.name for path in output.iterdir()))
    click.echo(f"{output} has {files}.")
