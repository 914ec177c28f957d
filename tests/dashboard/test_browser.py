"""The pages as a browser shows them."""

from collections.abc import Iterator
from pathlib import Path
import shutil
import subprocess
import threading
from typing import NamedTuple

from optuna.artifacts import FileSystemArtifactStore
from optuna.storages import InMemoryStorage
from optuna_dashboard import wsgi
import pytest

from optuna_dnas.cli._dashboard import _listen
from optuna_dnas.dashboard import DashboardCallback

from ..visualization.studies import cell_study
from .conftest import copied


BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    return found


class Pages(NamedTuple):
    study: str
    best_trial: str


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    storage = InMemoryStorage()
    study = copied(cell_study(20), storage)
    DashboardCallback(tmp_path).publish(study)
    app = wsgi(storage, artifact_store=FileSystemArtifactStore(tmp_path))
    with _listen("127.0.0.1", 0, app) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = f"http://127.0.0.1:{server.server_port}/dashboard/studies/{study._study_id}"
        yield Pages(page, f"{page}/trials?numbers={study.best_trial.number}")
        server.shutdown()


def _open(browser: str, page: str, profile: Path) -> str:
    """The page's elements, when its scripts have run."""
    words = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    words += [f"--user-data-dir={profile}", "--virtual-time-budget=20000", page]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.slow
def test_a_browser_shows_figures_drawings_and_notes(
    browser: str, pages: Pages, tmp_path_factory: pytest.TempPathFactory
) -> None:
    profile = tmp_path_factory.mktemp("profile")
    page = _open(browser, pages.study, profile)
    assert "The latent space, as far as it was explored" in page
    assert "What each part of the search contributed" in page
    page = _open(browser, pages.best_trial, profile)
    assert "Best architecture of the study" in page
    assert "architecture.svg" in page
