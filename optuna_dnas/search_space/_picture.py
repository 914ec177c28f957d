"""Pictures of architectures as data: boxes and arrows, for anything that can draw them.

Lengths are in units of which a letter is `FONT_SIZE` high; x goes right, y goes down.
"""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import Any


Key = int | str | tuple[int, int]
"""What a box (a vertex or a parameter) or an arrow (two vertices) stands for."""
Point = tuple[float, float]

FONT_SIZE = 11.0
HEAD_LENGTH = 5.0
PADDING = 6.0

_HEAD_WIDTH = 3.2
# Of bold letters of a wide font: which one there is, only the reader knows.
_LETTER_WIDTH = 0.68 * FONT_SIZE
_ROW_HEIGHT, _GAP = 24.0, 7.0
_MAX_LETTERS = 28


@dataclass(frozen=True)
class Box:
    """A rectangle with text.

    Args:
        key: What it stands for; `None`: it only explains another box.
        centre: Of the rectangle.
        width: Of the rectangle.
        height: Of the rectangle.
        lines: Its text.
        tone: What has the same tone is of the same kind, and is drawn in one colour; 0 is
            neutral.
        title: The whole story, for who points at it.
    """

    key: Key | None
    centre: Point
    width: float
    height: float
    lines: tuple[str, ...]
    tone: int
    title: str

    def at(self, centre: Point) -> "Box":
        """The same elsewhere."""
        return replace(self, centre=centre)

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        (x, y), w, h = self.centre, self.width / 2, self.height / 2
        return x - w, y - h, x + w, y + h


@dataclass(frozen=True)
class Arrow:
    """A curve with a head at its end.

    Args:
        key: What it stands for.
        points: A start, then for each cubic Bézier curve two control points and an end.
    """

    key: Key
    points: tuple[Point, ...]

    @property
    def head(self) -> tuple[Point, Point, Point]:
        """The triangle beyond the last point; all arrows arrive from above."""
        x, y = self.points[-1]
        # A little into the line, so that nothing shines through between both.
        return (x - _HEAD_WIDTH, y - 1), (x + _HEAD_WIDTH, y - 1), (x, y + HEAD_LENGTH)


@dataclass(frozen=True)
class Picture:
    """Boxes and arrows.

    Args:
        width: The boxes and arrows lie between 0 and this.
        height: The same downwards.
        boxes: Drawn over the arrows.
        arrows: From box to box; they pass through no other.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...] = ()

    def check_keys(self, highlight: Collection[Key]) -> None:
        """Raise `ValueError` if something to be highlighted is not there."""
        keys = [*(box.key for box in self.boxes), *(arrow.key for arrow in self.arrows)]
        known = [key for key in keys if key is not None]
        for key in highlight:
            if key not in known:
                raise ValueError(
                    f"`highlight` must be of what is drawn, {known}, but got {key!r}."
                )


def stack(pictures: Sequence[Picture]) -> Picture:
    """One below the other."""
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    width, top = max(picture.width for picture in pictures), 0.0
    for picture in pictures:
        left = (width - picture.width) / 2
        for box in picture.boxes:
            x, y = box.centre
            boxes.append(box.at((x + left, y + top)))
        for arrow in picture.arrows:
            points = tuple((x + left, y + top) for x, y in arrow.points)
            arrows.append(replace(arrow, points=points))
        top += picture.height
    return Picture(width, top, tuple(boxes), tuple(arrows))


def draw_table(values: Mapping[str, Any]) -> Picture:
    """One row a parameter: its name, and its value, which is the box with the key."""
    texts = {name: _cut(_text(value)) for name, value in values.items()}
    name_width, value_width = _column_width(texts), _column_width(texts.values())
    name_x = PADDING + name_width / 2
    value_x = PADDING + name_width + _GAP + value_width / 2
    boxes: list[Box] = []
    for n, (name, text) in enumerate(texts.items()):
        y, title = PADDING + (n + 0.5) * _ROW_HEIGHT, f"{name}: {values[name]}"
        height = _ROW_HEIGHT - _GAP
        boxes.append(Box(None, (name_x, y), name_width, height, (_cut(name),), 0, title))
        boxes.append(Box(name, (value_x, y), value_width, height, (text,), 2, title))
    width = 2 * PADDING + name_width + _GAP + value_width
    return Picture(width, 2 * PADDING + _ROW_HEIGHT * len(texts), tuple(boxes))


def text_width(text: str) -> float:
    """Of one line, at most."""
    return _LETTER_WIDTH * len(text)


def _column_width(texts: Iterable[str]) -> float:
    return 12 + max((text_width(_cut(text)) for text in texts), default=0)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_LETTERS else f"{text[: _MAX_LETTERS - 1]}…"
