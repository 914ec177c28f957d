"""How far it is, on a terminal and in a log file."""

import contextlib
import io
import sys

import pytest

from optuna_dnas._progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def count(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, n: int) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_bar(desc="digits", total=n, unit="trial") as bar:
        for _ in range(n):
            bar.set_postfix_str("best 0.9", refresh=False)
            bar.update()
    return stream.getvalue()


def test_a_log_file_has_a_line_at_the_beginning_and_one_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = count(io.StringIO(), monkeypatch, 5000)
    first, last = text.splitlines()
    assert first.startswith("digits: 0/5000 [")
    assert last.startswith("digits: 5000/5000 [")
    assert "best 0.9" in last
    assert "\r" not in text
    assert "\x1b" not in text


def test_a_log_file_has_a_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    now = [0.0]
    with progress_bar(desc="digits", total=600, unit="trial") as bar:
        bar._time = lambda: now[0]
        bar.start_t = bar.last_print_t = now[0]
        for _ in range(600):
            now[0] += 1.0
            bar.update()
    assert 10 <= len(stream.getvalue().splitlines()) <= 13


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    text = count(Terminal(), monkeypatch, 10)
    assert "\rdigits: 100%|" in text


def test_an_interrupt_says_how_far_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    bar = progress_bar(desc="a", total=9, unit="b")
    with contextlib.suppress(KeyboardInterrupt), bar:
        bar.update(4)
        raise KeyboardInterrupt
    assert stream.getvalue().splitlines()[-1].startswith("a: 4/9 [")


def test_nothing_is_shown_that_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    list(progress_bar(range(3), desc="a", total=3, unit="b", disable=True))
    assert stream.getvalue() == ""
