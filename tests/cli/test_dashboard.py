"""``optuna-dnas dashboard``, and ``search --dashboard``."""

from functools import partial
import json
from pathlib import Path
import signal
import socket
import subprocess
import sys
from urllib.request import urlopen

import pytest

from tests.cli.command import assert_is_message
from tests.cli.command import next_commands
from tests.cli.command import run


STORAGE = "sqlite:///kept/study.db"


@pytest.fixture
def searched(folder: Path) -> Path:
    """Where the drawings of a search are."""
    pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    (folder / "kept").mkdir()
    options = ["--storage", STORAGE, "--trials", 2, "--seed", 0]
    result = run("search", "--dashboard", *options)
    assert result.exit_code == 0, result.output
    assert ["optuna-dnas", "dashboard", STORAGE] in next_commands(result.output)
    return folder / "kept" / "optuna-dnas-artifacts"


def test_a_search_is_published_and_served(searched: Path) -> None:
    assert len(list(searched.iterdir())) == 2
    words = [sys.executable, "-c", "from optuna_dnas.cli import main; main()"]
    words += ["dashboard", STORAGE, "--port", "0"]
    # A shell's background job ignores interrupts, and so would what it starts.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, preexec_fn=heed) as server:
        assert server.stdout is not None
        try:
            address = server.stdout.readline().split()[0]
            page = json.load(urlopen(f"{address}api/studies/1?after=0"))
            (artifact,) = page["trials"][1]["artifacts"]
            drawing = urlopen(f"{address}artifacts/1/2/{artifact['artifact_id']}").read()
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(timeout=60) == 0
    assert drawing.startswith(b"<svg")
    assert page["objective_names"] == ["validation_accuracy"]


def test_a_port_in_use(searched: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = assert_is_message(run("dashboard", STORAGE, "--port", port))
    assert f"127.0.0.1:{port}" in message
    assert "--port" in message


@pytest.mark.parametrize("storage", ["sqlite:///nowhere.db", "nonsense", "nosuch://host/db"])
def test_an_unknown_storage(folder: Path, storage: str) -> None:
    pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    assert_is_message(run("dashboard", storage))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "words", [["dashboard", "sqlite:///any.db"], ["search", "--dashboard", "--trials", "1"]]
)
def test_a_missing_extra_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    assert "optuna-dnas[dashboard]" in assert_is_message(run(*words))
