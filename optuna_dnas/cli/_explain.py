"""``optuna-dnas explain``."""

from pathlib import Path
import warnings

import click
import optuna
from optuna.exceptions import ExperimentalWarning

from optuna_dnas._files import write_atomically
from optuna_dnas.cli._errors import clear_errors
from optuna_dnas.cli._storages import load_study
from optuna_dnas.cli._storages import without_secrets


@click.command()
@click.argument("storage")
@click.argument("study_name", metavar="STUDY")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("report.html"),
    help="The file to write.",
)
@clear_errors
def explain(storage: str, study_name: str, output: Path) -> None:
    """Write a report that tells why the best architectures of a study are the best.

    STORAGE is where a search keeps its studies: the URL of a database, as of
    `optuna-dnas search --storage`, or the file of a journal. STUDY is the name of the study.

    The report is one HTML file that opens without a network. It draws the best architectures,
    says which of their factors go with their quality and how certain that is, and what each part
    of the search contributed. Any study will do, whatever its sampler.
    """
    from optuna_dnas.explanation import explain as explain_study
    from optuna_dnas.explanation import summary
    from optuna_dnas.explanation import to_html

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = load_study(storage, study_name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        explanation = explain_study(study, storage=without_secrets(storage))
    write_atomically(output, to_html(explanation).encode())
    for sentence in summary(explanation):
        click.echo(sentence)
    click.echo(f"\nThe report is in {output}: open it in a browser.")
