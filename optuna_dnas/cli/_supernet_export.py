"""``optuna-dnas supernet export``."""

from pathlib import Path

import click

from optuna_dnas.cli._errors import clear_errors
from optuna_dnas.cli._storages import load_study
from optuna_dnas.objectives.supernet import export_network
from optuna_dnas.objectives.supernet import RetrainedNetwork


@click.command()
@clear_errors
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
@click.option("--storage", help="Where the search that found it has kept its study, for the card.")
@click.option("--study-name", help="Its name there.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(("torch", "onnx")),
    default="torch",
    help="torch: a program of torch.export; onnx needs optuna-dnas[onnx].",
)
def export(
    network: Path, output: Path, storage: str | None, study_name: str | None, format_: str
) -> None:
    """Write a trained network for use elsewhere, with a model card.

    The folder gets the network, README.md for people, and card.json for programs: architecture,
    cost, accuracies, how images are to be prepared, how it was trained, and how it was found.
    """
    if (storage is None) != (study_name is None):
        raise click.UsageError("--storage and --study-name belong together.")
    study = None if storage is None or study_name is None else load_study(storage, study_name)
    export_network(RetrainedNetwork.load(network), output, format=format_, study=study)
    files = ", ".join(sorted(path.name for path in output.iterdir()))
    click.echo(f"{output} has {files}.")
