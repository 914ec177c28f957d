"""``optuna-dnas explain``."""

from pathlib import Path
import warnings

import click
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage
from optuna.storages import get_storage
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from optuna_dnas.cli._errors import clear_errors


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
    from optuna_dnas.explanation import to_html
    from optuna_dnas.explanation._words import summary

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _load(storage, study_name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        explanation = explain_study(study, storage=without_secrets(storage))
    output.write_text(to_html(explanation), encoding="utf-8")
    for sentence in summary(explanation):
        click.echo(sentence)
    click.echo(f"\nThe report is in {output}: open it in a browser.")


def without_secrets(storage: str) -> str:
    """A storage as one may show it: no user, password or options."""
    try:
        url = make_url(storage)
    except ArgumentError:  # A file.
        return storage
    shown = URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
    return shown.render_as_string()


def _load(storage: str, study_name: str) -> optuna.Study:
    opened = _open(storage)
    names = sorted(study.study_name for study in opened.get_all_studies())
    if study_name not in names:
        hint = f"it has {', '.join(map(repr, names))}" if names else "it has none at all"
        raise ValueError(
            f"There is no study {study_name!r} in {without_secrets(storage)}; {hint}."
        )
    return optuna.load_study(study_name=study_name, storage=opened)


def _open(storage: str) -> BaseStorage:
    """Nothing is created where nothing was: a mistyped path would become an empty database."""
    if Path(storage).is_file():
        return JournalStorage(JournalFileBackend(storage))
    try:
        url = make_url(storage)
    except ArgumentError:
        raise ValueError(
            f"STORAGE must be the URL of a database, such as sqlite:///optuna-dnas.db, or the "
            f"file of a journal, but got {storage!r}."
        ) from None
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    if is_file and not Path(str(url.database)).is_file():
        raise ValueError(f"There is no file {url.database}.")
    return get_storage(storage)
