"""Progress: a bar on a terminal, and now and then a plain line in a log file."""

from collections.abc import Iterable
import sys
from typing import Any
from typing import TextIO

from tqdm import tqdm


_LINE = "{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"
# Not tuned: a day of training is 1,440 lines.
_SECONDS_BETWEEN_LINES = 60.0


def progress_bar(
    iterable: Iterable[Any] | None = None,
    *,
    desc: str,
    total: int,
    unit: str,
    initial: int = 0,
    unit_scale: bool = False,
    disable: bool = False,
) -> "tqdm[Any]":
    """``tqdm`` on standard error, fit for where that goes.

    Where it is no terminal, a bar would write itself again and again. There are lines instead: at
    the beginning, at the end, and at most one a minute between them.

    Args:
        iterable: What to count; `None`: `update` counts.
        desc: What goes on.
        total: How many there will be.
        unit: What one of them is called.
        initial: How many there are already.
        unit_scale: Whether to write thousands as ``k`` and the like.
        disable: Whether to show nothing.
    """
    lines: dict[str, Any] = {
        "file": _Lines(sys.stderr),
        "bar_format": _LINE,
        "mininterval": _SECONDS_BETWEEN_LINES,
        "maxinterval": _SECONDS_BETWEEN_LINES,
    }
    return tqdm(
        iterable,
        desc=desc,
        total=total,
        unit=unit,
        initial=initial,
        unit_scale=unit_scale,
        disable=disable,
        **({} if sys.stderr.isatty() else lines),
    )


class _Lines:
    """A stream that makes lines of what is meant to be written over each other."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """A line for each state of the bar, none for what moves a cursor."""
        line = text.strip()
        if line:
            self._stream.write(f"{line}\n")

    def flush(self) -> None:
        """Of the stream."""
        self._stream.flush()
