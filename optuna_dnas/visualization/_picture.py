"""Pictures of architectures within plotly figures: as shapes, or as a small image."""

import base64
from collections.abc import Collection
from typing import Any
from typing import NamedTuple

from optuna_dnas.search_space import Arrow
from optuna_dnas.search_space import Box
from optuna_dnas.search_space import Key
from optuna_dnas.search_space import Picture
from optuna_dnas.search_space import Point
from optuna_dnas.visualization._colors import HIGHLIGHT
from optuna_dnas.visualization._colors import LINE
from optuna_dnas.visualization._colors import TONES
from optuna_dnas.visualization._svg import RING_DISTANCE
from optuna_dnas.visualization._svg import to_svg


_CORNER = 5.0


class PictureParts(NamedTuple):
    """What to hand to ``figure.update_layout``."""

    shapes: list[dict[str, Any]]
    annotations: list[dict[str, Any]]


def picture_image(
    picture: Picture,
    *,
    x: float,
    y: float,
    width: float,
    height: float,
    xref: str = "paper",
    yref: str = "paper",
    highlight: Collection[Key] = (),
) -> dict[str, Any]:
    """A picture as an image for ``figure.add_layout_image``; its text scales with it.

    For grids of many: ``figure.add_layout_image(picture_image(picture, x=0.5, ...))``.

    Args:
        picture: ``space.picture(architecture)``.
        x: Centre of the image.
        y: Centre of the image.
        width: Of the room that it gets; it keeps its proportions and fits into it.
        height: The same.
        xref: ``"paper"`` or an axis of the figure, ``"x2"``.
        yref: The same.
        highlight: Keys of boxes and arrows to stress.
    """
    code = base64.b64encode(to_svg(picture, highlight=highlight).encode()).decode()
    return {
        "source": f"data:image/svg+xml;base64,{code}",
        "x": x,
        "y": y,
        "sizex": width,
        "sizey": height,
        "xref": xref,
        "yref": yref,
        "xanchor": "center",
        "yanchor": "middle",
        "sizing": "contain",
        "layer": "above",
    }


def picture_parts(
    picture: Picture, *, font_size: float, highlight: Collection[Key] = ()
) -> PictureParts:
    """A picture as shapes and texts on the axes ``x`` and ``y``, the latter pointing down.

    Args:
        picture: ``space.picture(architecture)``.
        font_size: In pixels: plotly's text does not scale with its axes.
        highlight: Keys of boxes and arrows to stress.
    """
    picture.check_keys(highlight)
    shapes, annotations = [], []
    for arrow in picture.arrows:
        shapes += _arrow(arrow, is_stressed=arrow.key in highlight)
    for box in picture.boxes:
        fill = {"fillcolor": TONES[box.tone].fill, "line": {"width": 0}}
        shapes.append(_rectangle(box, 0.0) | fill)
        if box.key in highlight:
            ring = {"line": {"color": HIGHLIGHT, "width": 3}}
            shapes.append(_rectangle(box, RING_DISTANCE) | ring)
        annotations.append(_text(box, font_size))
    return PictureParts(shapes, annotations)


def _arrow(arrow: Arrow, *, is_stressed: bool) -> list[dict[str, Any]]:
    color, width = (HIGHLIGHT, 4) if is_stressed else (LINE, 2)
    points = [_point(point) for point in arrow.points]
    # plotly reads one curve after each C.
    curves = "".join(f"C{' '.join(points[k : k + 3])}" for k in range(1, len(points), 3))
    line = {"type": "path", "path": f"M{points[0]}{curves}"}
    head = {"type": "path", "path": f"M{'L'.join(map(_point, arrow.head))}Z"}
    return [
        line | {"line": {"color": color, "width": width}},
        head | {"line": {"width": 0}, "fillcolor": color},
    ]


def _rectangle(box: Box, distance: float) -> dict[str, Any]:
    """So far outside of the box."""
    left, top, right, bottom = box.corners
    left, top, right, bottom = left - distance, top - distance, right + distance, bottom + distance
    r = _CORNER
    path = (
        f"M{left + r},{top}L{right - r},{top}Q{right},{top} {right},{top + r}"
        f"L{right},{bottom - r}Q{right},{bottom} {right - r},{bottom}"
        f"L{left + r},{bottom}Q{left},{bottom} {left},{bottom - r}"
        f"L{left},{top + r}Q{left},{top} {left + r},{top}Z"
    )
    return {"type": "path", "path": path}


def _text(box: Box, font_size: float) -> dict[str, Any]:
    return {
        "x": box.centre[0],
        "y": box.centre[1],
        "text": "<br>".join(box.lines),
        "showarrow": False,
        "font": {"color": TONES[box.tone].text, "size": font_size},
        "hovertext": box.title,
    }


def _point(point: Point) -> str:
    return f"{point[0]:.5g},{point[1]:.5g}"
