"""The figure of architectures along one latent."""

import numpy as np
import pytest

from optuna_dnas.interpret import Decoded
from optuna_dnas.interpret import Decoding
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.visualization._factor_map import factor_map
from optuna_dnas.visualization._traversal import _Cell
from optuna_dnas.visualization._traversal import _get_traversal_plot
from optuna_dnas.visualization._traversal import _get_traversal_rows
from optuna_dnas.visualization._traversal import _TraversalInfo
from optuna_dnas.visualization._traversal import traversal_figure

from .oracle import chain
from .oracle import Oracle
from .oracle import SPACE


SMALL = ModelSpec.parse("maxpool3x3|011/001/000")
CELLS = [chain(2, 0, 0), chain(1, 0, 0)]
VALUES = (-1.0, 0.0, 0.1, 1.0)


class Table(Decoding):
    """Decodes to given cells, or to nothing."""

    def __init__(self, *cells: ModelSpec | None) -> None:
        self._cells = cells

    def __call__(self, codes: np.ndarray) -> Decoded:
        cells = [CELLS[0] if cell is None else cell for cell in self._cells]
        tokens, _ = SPACE.canonicalize(SPACE.architectures_to_tokens(cells))
        return Decoded(tokens, np.array([cell is not None for cell in self._cells]))


def row_of(decoding: Decoding, n_values: int, original: ModelSpec = SMALL) -> tuple[_Cell, ...]:
    tokens, _ = SPACE.canonicalize(SPACE.architectures_to_tokens([original]))
    (row,) = _get_traversal_rows(decoding, SPACE, tokens, np.zeros((1, n_values, 3)))
    return row


def captions(decoding: Decoding, n_values: int, original: ModelSpec = SMALL) -> list[str]:
    row = row_of(decoding, n_values, original)
    info = _TraversalInfo(0, None, tuple(range(n_values)), (row,), ())
    return [a.text for a in _get_traversal_plot(info).layout.annotations]


def test_rows_are_architectures_and_columns_are_values() -> None:
    figure = traversal_figure(Oracle(), SPACE, CELLS, 0, values=VALUES)
    assert len(figure.layout.images) == len(figure.layout.annotations) == 8
    assert {(i.x, round(i.y + 0.1)) for i in figure.layout.images} == {
        (s, r) for r in range(2) for s in range(4)
    }
    assert figure.layout.xaxis.ticktext == ("−1", "0", "+0.1", "+1")
    assert "latent 0" in figure.layout.title.text


def test_what_changes_is_named_and_highlighted() -> None:
    table = Table(chain(0, 0, 0), chain(0, 2, 0))
    first, second = row_of(table, 2)
    assert first.highlight == first.changes == ()
    assert second.highlight == (2,)
    assert second.changes == ("vertex 2 is maxpool3x3",)


def test_a_traversal_that_does_nothing_says_so() -> None:
    assert captions(Table(chain(0, 0, 0), chain(0, 0, 0)), 2) == ["", "the same"]


def test_the_architecture_itself_is_marked() -> None:
    table = Table(chain(0, 0, 0), chain(0, 2, 0), chain(0, 2, 0))
    found = captions(table, 3, original=chain(0, 2, 0))
    assert found == ["", "vertex 2 is maxpool3x3 *", "the same *"]


def test_drawings_have_one_scale() -> None:
    info = _TraversalInfo(0, None, (0.0, 1.0), (row_of(Table(chain(0, 0, 0), SMALL), 2),), ())
    large, small = _get_traversal_plot(info).layout.images
    pictures = [cell.picture for cell in info.rows[0]]
    assert all(picture is not None for picture in pictures)
    heights = [picture.height for picture in pictures if picture is not None]
    assert small.sizey / large.sizey == pytest.approx(heights[1] / heights[0])
    assert small.sizey < large.sizey


def test_a_controlled_concept_is_named() -> None:
    controls = factor_map(Oracle(), SPACE).controls
    control = max(controls, key=lambda c: c.control)
    assert control.controls is not None
    figure = traversal_figure(Oracle(), SPACE, CELLS, control, names=("best", "second"))
    assert f"controls the {control.controls.name}" in figure.layout.title.text
    first = figure.layout.annotations[0].text
    assert first.removesuffix(" *") in [control.controls.describe(v) for v in range(3)]
    assert figure.layout.yaxis.ticktext == ("best", "second")


def test_what_is_not_an_architecture_is_no_drawing_and_no_change() -> None:
    found = captions(Table(chain(0, 0, 0), None, chain(1, 0, 0)), 3)
    assert found == ["", "not an architecture", "vertex 1 is conv1x1"]


def test_many_changes_are_counted() -> None:
    (_, text) = captions(Table(chain(0, 0, 0), chain(1, 1, 1)), 2)
    assert text.count("<br>") == 2
    (_, text) = captions(Table(chain(0, 0, 0), SMALL), 2)
    assert "more" in text


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="empty"):
        traversal_figure(Oracle(), SPACE, [], 0)
    with pytest.raises(ValueError, match="but got 3"):
        traversal_figure(Oracle(), SPACE, CELLS, 3)
