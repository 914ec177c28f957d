"""Pictures of architectures as SVG."""

from collections.abc import Collection
from typing import Any
from xml.sax.saxutils import escape

from optuna_dnas.search_space import Arrow
from optuna_dnas.search_space import Box
from optuna_dnas.search_space import FONT_SIZE
from optuna_dnas.search_space import Key
from optuna_dnas.search_space import Picture
from optuna_dnas.search_space import Point
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.visualization._colors import HIGHLIGHT
from optuna_dnas.visualization._colors import LINE
from optuna_dnas.visualization._colors import TONES


_FONTS = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',Arial,sans-serif"
_LINE_HEIGHT = 12.0

RING_DISTANCE = 3.0
"""Between a box and the ring that stresses it: it is seen whatever the colour of the box."""


def draw_architecture(
    space: SearchSpace[Any], architecture: Any, *, highlight: Collection[Key] = ()
) -> str:
    """An architecture as SVG: a cell is a graph with its input at the top, a dict a table.

    The background is transparent, and the colours can be read on light and dark ones. It scales
    to any size: set ``width`` or ``height`` where it is shown.

    Args:
        space: Its search space.
        architecture: One of the space.
        highlight: What to stress: vertices (``2``) and edges (``(0, 2)``) of the canonical cell,
            ``space.canonical(architecture)``, or names of parameters.

    Raises:
        ValueError: Something to highlight is not part of the architecture.
    """
    return to_svg(space.picture(architecture), highlight=highlight)


def to_svg(picture: Picture, *, highlight: Collection[Key] = ()) -> str:
    """A picture as SVG. See `draw_architecture`."""
    picture.check_keys(highlight)
    width, height = f"{picture.width:.4g}", f"{picture.height:.4g}"
    stressed = [arrow for arrow in picture.arrows if arrow.key in highlight]
    plain = [arrow for arrow in picture.arrows if arrow.key not in highlight]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="{_FONTS}" font-size="{FONT_SIZE:g}" '
        f'font-weight="600" text-anchor="middle">',
        *(_arrow(arrow, is_stressed=False) for arrow in plain),
        *(_arrow(arrow, is_stressed=True) for arrow in stressed),
        *(_box(box, is_stressed=box.key in highlight) for box in picture.boxes),
        "</svg>",
    ]
    return "\n".join(parts)


def _arrow(arrow: Arrow, *, is_stressed: bool) -> str:
    color, width = (HIGHLIGHT, 2.8) if is_stressed else (LINE, 1.6)
    start, *rest = map(_point, arrow.points)
    return (
        f'<path d="M{start}C{" ".join(rest)}" fill="none" stroke="{color}" '
        f'stroke-width="{width}"/>'
        f'<path d="M{"L".join(map(_point, arrow.head))}Z" fill="{color}"/>'
    )


def _box(box: Box, *, is_stressed: bool) -> str:
    tone = TONES[box.tone]
    fill = f'fill="{tone.fill}"'
    ring = f'fill="none" stroke="{HIGHLIGHT}" stroke-width="2.4"'
    first = box.centre[1] - _LINE_HEIGHT * (len(box.lines) - 1) / 2 + 0.36 * FONT_SIZE
    texts = [
        f'<text x="{box.centre[0]:.4g}" y="{first + _LINE_HEIGHT * n:.4g}" fill="{tone.text}">'
        f"{escape(line)}</text>"
        for n, line in enumerate(box.lines)
    ]
    return (
        f"<g><title>{escape(box.title)}</title>"
        f"{_rectangle(box, 0.0, fill)}"
        f"{_rectangle(box, RING_DISTANCE, ring) if is_stressed else ''}"
        f"{''.join(texts)}</g>"
    )


def _rectangle(box: Box, distance: float, style: str) -> str:
    """So far outside of the box."""
    left, top, _, _ = box.corners
    places = left - distance, top - distance
    sizes = box.width + 2 * distance, box.height + 2 * distance
    names = ("x", "y", "width", "height")
    numbers = (f'{n}="{v:.4g}"' for n, v in zip(names, (*places, *sizes), strict=True))
    return f'<rect {" ".join(numbers)} rx="5" {style}/>'


def _point(point: Point) -> str:
    return f"{point[0]:.4g},{point[1]:.4g}"
