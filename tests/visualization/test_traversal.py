"""The figure of architectures along one latent."""

import numpy as np
import pytest

from optuna_dnas.interpret import Decoded
from optuna_dnas.interpret import Decoding
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.visualization._traversal import _get_traversal_info
from optuna_dnas.visualization._traversal import _get_traversal_plot
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


def captions(decoding: Decoding, n_values: int) -> list[str]:
    info = _get_traversal_info(decoding, SPACE, np.zeros((1, 3)), 0, range(n_values))
    return [a.text for a in _get_traversal_plot(info).layout.annotations]


def test_rows_are_architectures_and_columns_are_values() -> None:
    figure = traversal_figure(Oracle(), SPACE, CELLS, 0, values=VALUES)
    assert len(figure.layout.images) == len(figure.layout.annotations) == 8
    assert {(i.x, round(i.y)) for i in figure.layout.images} == {
        (s, r) for r in range(2) for s in range(4)
    }
    assert figure.layout.xaxis.ticktext == ("-1 sd", "+0 sd", "+0.1 sd", "+1 sd")
    assert "Latent 0" in figure.layout.title.text


def test_what_changes_is_named_and_highlighted() -> None:
    table = Table(chain(0, 0, 0), chain(0, 2, 0))
    info = _get_traversal_info(table, SPACE, np.zeros((1, 3)), 0, (0, 1))
    first, second = info.rows[0]
    assert first.highlight == first.changes == ()
    assert second.highlight == (2,)
    assert second.changes == ("vertex 2 is maxpool3x3",)


def test_a_traversal_that_does_nothing_says_so() -> None:
    assert captions(Table(chain(0, 0, 0), chain(0, 0, 0)), 2) == ["", "the same"]


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
