"""Whose studies a search continues, and what an interrupt leaves."""

from functools import partial
from pathlib import Path
import re
import signal
import sqlite3
import subprocess
import sys
import time
from typing import Any

import optuna
import pytest

from optuna_dnas.objectives import DigitsCellObjective

from ..visualization.studies import flat_study
from .command import assert_is_message
from .command import run


STORAGE = "sqlite:///optuna-dnas.db"


def content() -> dict[str, list[Any]]:
    """All that the database has."""
    with sqlite3.connect("optuna-dnas.db") as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables}


def test_the_study_of_another_program_is_refused_and_left_alone(folder: Path) -> None:
    study = optuna.create_study(study_name="digits", storage=STORAGE, direction="maximize")
    study.add_trials(flat_study(3).trials)
    before = content()
    message = assert_is_message(run("search", "--trials", 1))
    assert content() == before
    assert "'digits' is another program's: it has 3 trials of the parameters " in message
    names = list(flat_study(3).trials[0].params)
    assert names[0] in message
    assert "to maximize value 0" in message
    assert "Choose another --study-name." in message


def test_a_study_with_other_directions_is_refused_and_left_alone(folder: Path) -> None:
    optuna.create_study(study_name="digits", storage=STORAGE, directions=["minimize"] * 2)
    before = content()
    message = assert_is_message(run("search", "--trials", 1))
    assert "to minimize value 0 and minimize value 1" in message
    assert content() == before


def test_a_study_with_other_metrics_is_refused_and_left_alone(folder: Path) -> None:
    assert run("search", "--trials", 1).exit_code == 0
    before = content()
    assert_is_message(run("search", "--trials", 1, "--metric", "test_accuracy"))
    assert_is_message(run("search", "--trials", 1, "--max", "params=20_000"))
    assert content() == before


def test_an_empty_study_is_taken(folder: Path) -> None:
    optuna.create_study(study_name="digits", storage=STORAGE, direction="maximize")
    assert run("search", "--trials", 1).exit_code == 0
    assert run("search", "--trials", 1).exit_code == 0


def test_trials_of_another_program_in_a_search_are_not_reported(folder: Path) -> None:
    assert run("search", "--trials", 2, "--seed", 0).exit_code == 0
    study = optuna.load_study(study_name="digits", storage=STORAGE)
    study.add_trial(optuna.trial.create_trial(value=2.0))
    result = run("search", "--trials", 1, "--seed", 0)
    assert result.exit_code == 0, result.output
    best = max(study.trials[:2] + study.trials[3:], key=lambda trial: trial.values[0])
    assert f"Best architecture: trial {best.number}\n" in result.output


@pytest.mark.parametrize("metrics", [[], ["--metric", "test_accuracy", "--metric", "flops"]])
def test_an_interrupt_keeps_the_study_and_is_told_to_the_shell(
    folder: Path, monkeypatch: pytest.MonkeyPatch, metrics: list[str]
) -> None:
    original, calls = DigitsCellObjective.__call__, []

    def call(self: DigitsCellObjective, trial: optuna.Trial) -> Any:
        calls.append(trial)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(self, trial)

    monkeypatch.setattr(DigitsCellObjective, "__call__", call)
    result = run("search", "--trials", 9, *metrics)
    assert result.exit_code == 130
    assert "Interrupted. Run the command again to go on." in result.output
    assert "2 architectures evaluated" in result.output
    assert "\nNext\n" in result.output
    monkeypatch.setattr(DigitsCellObjective, "__call__", original)
    assert run("search", "--trials", 1, *metrics).exit_code == 0


def test_an_interrupt_before_the_search(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("optuna_dnas.cli._search.open_study", interrupted)
    result = run("search")
    assert result.exit_code == 130
    assert "Interrupted." in result.output


def wait_for_a_trial(journal: Path, search: subprocess.Popen[str]) -> None:
    """Until a parameter is written."""
    while b"param_name" not in journal.read_bytes():
        assert search.poll() is None
        time.sleep(0.05)


def test_a_signal_ends_a_search_with_130(folder: Path) -> None:
    command = [sys.executable, "-c", "from optuna_dnas.cli import main; main()"]
    # A shell's background job ignores interrupts, and so would what it starts.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    words = [*command, "search", "--trials", "100000", "--storage", "study.journal"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed
    ) as search:
        assert search.stderr is not None
        assert search.stderr.readline().startswith("digits: 0/100000")
        wait_for_a_trial(folder / "study.journal", search)
        search.send_signal(signal.SIGINT)
        _, errors = search.communicate(timeout=300)
    assert search.returncode == 130
    assert "Traceback" not in errors
    assert re.search(r"^digits: \d+/100000", errors, re.MULTILINE)
    assert "Interrupted. Run the command again to go on." in errors
