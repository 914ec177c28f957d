"""``optuna-dnas dashboard``."""

from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import make_server
from wsgiref.simple_server import WSGIRequestHandler
from wsgiref.simple_server import WSGIServer

import click

from optuna_dnas.cli._errors import clear_errors
from optuna_dnas.cli._storages import file_of
from optuna_dnas.cli._storages import open_storage
from optuna_dnas.cli._storages import without_secrets


if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


_DIRECTORY = "optuna-dnas-artifacts"


@click.command()
@click.argument("storage")
@click.option("--port", type=click.IntRange(min=0, max=65535), default=8080)
@click.option("--host", default="127.0.0.1", help="0.0.0.0 lets others in, too.")
@click.option(
    "--artifact-dir",
    type=click.Path(file_okay=False, path_type=Path),
    show_default=f"{_DIRECTORY} beside the database",
    help="Where the drawings of the architectures are.",
)
@clear_errors
def dashboard(storage: str, port: int, host: str, artifact_dir: Path | None) -> None:
    """Look at studies in a browser, with optuna-dashboard.

    STORAGE is where a search keeps its studies: the URL of a database, as of
    `optuna-dnas search --storage`, or the file of a journal. What `optuna-dnas search --dashboard`
    has published is shown: the architecture of each trial, and figures of the study.
    """
    from optuna_dnas.dashboard import optuna_dashboard
    from optuna_dnas.dashboard import wsgi

    optuna_dashboard()  # Tells what to install, if it is missing.
    app = wsgi(open_storage(storage), artifact_dir or artifact_directory(storage))
    with _listen(host, port, app) as server:
        address = f"http://{host}:{server.server_port}/"
        click.echo(f"{address} shows {without_secrets(storage)}. Ctrl-C ends it.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("Ended.", err=True)


def artifact_directory(storage: str) -> Path:
    """Beside the file of a storage, or else in the working directory."""
    file = file_of(storage)
    return Path(_DIRECTORY) if file is None else file.parent / _DIRECTORY


class _Server(ThreadingMixIn, WSGIServer):
    """A page asks for many things at once."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a page that is open asks every few seconds."""


def _listen(host: str, port: int, app: "WSGIApplication") -> WSGIServer:
    try:
        return make_server(host, port, app, server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        raise ValueError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port."
        ) from error
