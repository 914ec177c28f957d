"""Colours that the colour-blind can tell apart.

Okabe & Ito, *Color Universal Design*, 2008, and a brown of ColorBrewer (Harrower & Brewer, 2003).
"""

from collections.abc import Iterable
from typing import NamedTuple


BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, YELLOW, VERMILLION = "#56B4E9", "#F0E442", "#D55E00"
BROWN = "#8C510A"
GREY, DARK = "#8A8F98", "#333333"

HIGHLIGHT = VERMILLION
LINE = GREY
"""Seen on white and on black."""


class Tone(NamedTuple):
    """The colours of a box."""

    fill: str
    text: str


TONES = (
    Tone("#5F6670", "white"),
    Tone(BLUE, "white"),
    Tone(SKY, "#111"),
    Tone(ORANGE, "#111"),
    Tone(GREEN, "#111"),
    Tone(PURPLE, "#111"),
    Tone(YELLOW, "#111"),
)
"""By `Box.tone`."""

SOURCES = {
    "startup": GREY,
    "dense": BLUE,
    "local": ORANGE,
    "mutation": BROWN,
    "prior": GREEN,
    "gradient": PURPLE,
    "edge": VERMILLION,
    "enqueued": SKY,
    "fallback": YELLOW,
    "independent": DARK,
}
"""Where trials come from, in the order in which a search begins to use them."""


def source_color(name: str) -> str:
    """Sources that this version does not know look like those of other samplers."""
    return SOURCES.get(name, DARK)


def sorted_sources(names: Iterable[str]) -> list[str]:
    """Each once, in the order of `SOURCES`, unknown ones last."""
    known = list(SOURCES)
    return sorted(set(names), key=lambda name: (known.index(name) if name in known else 99, name))
