"""Drawings as SVG."""

import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
from optuna.distributions import CategoricalDistribution
import pytest

from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.visualization import draw_architecture
from optuna_dnas.visualization._colors import HIGHLIGHT
from optuna_dnas.visualization._colors import LINE
from optuna_dnas.visualization._colors import TONES


SPACE = NASBench101Space()
CELLS = SPACE.sample(np.random.default_rng(0), 40)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("k", range(0, 40, 4))
def test_a_cell_is_small_and_valid(k: int) -> None:
    text = draw_architecture(SPACE, CELLS[k])
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert len(root.findall(f".//{SVG}rect")) == len(CELLS[k].ops)
    assert len(root.findall(f"{SVG}path")) == 2 * CELLS[k].matrix.sum()  # a curve and a head
    assert len(text.encode()) < 10_000
    assert "url(" not in text
    assert "href" not in text


def test_texts_are_escaped() -> None:
    choice = "<script>&'\""
    space = FlatSpace({"a<b": CategoricalDistribution((choice,))})
    root = ElementTree.fromstring(draw_architecture(space, {"a<b": choice}))
    assert [text.text for text in root.iter(f"{SVG}text")] == ["a<b", choice]


def test_highlighted_parts_stand_out() -> None:
    cell = SPACE.canonical(CELLS[0])
    edge = tuple(np.argwhere(cell.matrix)[0].tolist())
    root = ElementTree.fromstring(draw_architecture(SPACE, cell, highlight=[1, edge]))
    stressed = [rect for rect in root.iter(f"{SVG}rect") if rect.get("stroke") == HIGHLIGHT]
    assert len(stressed) == 1
    assert len([p for p in root.iter(f"{SVG}path") if p.get("stroke") == HIGHLIGHT]) == 1
    assert HIGHLIGHT not in draw_architecture(SPACE, cell)


@pytest.mark.parametrize("key", [17, (5, 0), "rate"])
def test_what_is_not_there_cannot_be_highlighted(key: int | str | tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="`highlight` must be of what is drawn") as error:
        draw_architecture(SPACE, CELLS[0], highlight=[key])
    assert repr(key) in str(error.value)


def test_a_parameter_can_be_highlighted() -> None:
    space = FlatSpace({"kind": CategoricalDistribution(("a", "b"))})
    assert HIGHLIGHT in draw_architecture(space, {"kind": "a"}, highlight=["kind"])


def contrast(a: str, b: str) -> float:
    """The contrast ratio of WCAG 2."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    color = {"white": "#FFFFFF"}.get(color, color)
    digits = color[1:] if len(color) == 7 else "".join(c + c for c in color[1:])
    channels = np.array([int(digits[k : k + 2], 16) for k in (0, 2, 4)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_texts_and_lines_are_legible() -> None:
    for tone in TONES:
        assert contrast(tone.fill, tone.text) >= 4.5
    for surroundings in ("white", "#121212"):
        assert contrast(LINE, surroundings) >= 3
        assert contrast(HIGHLIGHT, surroundings) >= 3


def test_drawings_need_no_plotly() -> None:
    code = (
        "import sys; from optuna_dnas.visualization import draw_architecture; "
        "sys.exit('plotly' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
