"""The figure of the paper's Fig. 3: architectures along one latent.

R: architectures (rows), S: points of the traversal (columns), T: tokens, D: latent dimensions.
"""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np
from optuna.study import Study

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.interpret import controller_of
from optuna_dnas.interpret import Decoding
from optuna_dnas.interpret import evaluated
from optuna_dnas.interpret import LatentControl
from optuna_dnas.interpret import LatentWithProbabilities
from optuna_dnas.interpret import traversal_codes
from optuna_dnas.interpret import ValidDecoding
from optuna_dnas.search_space import Factor
from optuna_dnas.search_space import FactorModel
from optuna_dnas.search_space import Key
from optuna_dnas.search_space import Picture
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.visualization._factor_map import factor_map
from optuna_dnas.visualization._labels import quantity
from optuna_dnas.visualization._layout import finish
from optuna_dnas.visualization._layout import TITLE_HEIGHT
from optuna_dnas.visualization._picture import picture_image
from optuna_dnas.visualization._plotly import Figure
from optuna_dnas.visualization._plotly import graph_objects


# Pixels: a column, the tallest drawing, a caption, and what the names of the rows take.
_COLUMN, _TALLEST, _CAPTION, _NAMES = 190.0, 200.0, 58.0, 104.0
_MARGIN = 56
_N_WORDS = 2  # Changes that are named below a drawing.
VALUES = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Of a latent, in standard deviations."""


class _Cell(NamedTuple):
    """One drawing."""

    picture: Picture | None  # `None`: what is decoded is not valid
    highlight: tuple[Key, ...]  # what the previous drawing of the row does not have
    changes: tuple[str, ...]  # factors that are new since then, in words
    concept: str  # the factor that the latent controls, in words, if it is known
    is_original: bool  # the row's architecture itself


class _TraversalInfo(NamedTuple):
    dimension: int
    control: LatentControl | None
    values: tuple[float, ...]  # S
    rows: tuple[tuple[_Cell, ...], ...]  # R of S
    names: tuple[str, ...]  # R, or none


def plot_latent_traversal(
    study: Study,
    dimension: int | None = None,
    *,
    concept: str | None = None,
    n_architectures: int = 3,
    values: Sequence[float] = VALUES,
    target: str | None = None,
    space: SearchSpace[Any] | None = None,
) -> Figure:
    """What one latent does to the best architectures, the others staying as they are (Fig. 3).

    Each row is an architecture, each column a value of the latent. What is new since the drawing
    on the left is highlighted, and the concepts that change are named.

    Args:
        study: Of a declared space.
        dimension: Number of the latent to move; by default the one that controls ``concept``.
        concept: A kind of factor, such as ``"operation"``, ``"skip connection"`` or
            ``"number of layers"``; by default whichever is controlled best.
        n_architectures: How many to start from, the best of the study.
        values: Where the latent goes, in standard deviations.
        target: The objective by which they are the best; by default the first one.
        space: The architecture space; by default it is recognised.

    Raises:
        ImportError: plotly is not installed.
        ValueError: No trial is completed, the space has no decoder, no latent controls the
            concept, or an argument is not what it should be; the message names it.
    """
    if n_architectures < 1:
        raise ValueError(f"`n_architectures` must be positive, but got {n_architectures}.")
    if dimension is not None and concept is not None:
        raise ValueError("`dimension` and `concept` exclude each other.")
    data = evaluated(study, space).of_architectures()
    latent, column = data.explanatory_latent(), data.objective(target)
    controls = factor_map(latent, data.space).controls
    chosen = _choose(controls, dimension, concept)
    rows, metric = (
        data.best_rows(n_architectures, column),
        quantity(data.metric_names[column], data.units),
    )
    values_of = [metric.number(value) for value in data.values[rows, column]]
    names = [f"trial {n}<br>{v}" for n, v in zip(data.numbers[rows], values_of, strict=True)]
    return traversal_figure(
        latent, data.space, data.architectures(rows), chosen, values=values, names=names
    )


def _choose(
    controls: Sequence[LatentControl], dimension: int | None, concept: str | None
) -> LatentControl:
    if dimension is not None:
        found = next((control for control in controls if control.latent == dimension), None)
        if found is None:
            raise ValueError(f"`dimension` must be below {len(controls)}, but got {dimension}.")
        return found
    if concept is None:
        return max(controls, key=lambda control: control.control * control.reach)
    best = controller_of(concept, controls)
    if best is None:
        able = sorted({c.controls.kind for c in controls if c.controls is not None})
        raise ValueError(f"`concept` must be controlled, as {able} are, but got {concept!r}.")
    return best


def traversal_figure(
    latent: LatentWithProbabilities,
    space: SearchSpace[Any],
    architectures: Sequence[Any],
    moved: int | LatentControl,
    *,
    values: Sequence[float] = VALUES,
    names: Sequence[str] = (),
) -> Figure:
    """The same of any latent and architectures.

    Args:
        latent: Encodes and decodes.
        space: Of the architectures.
        architectures: One a row.
        moved: Which latent: its number, or what is known of it, which the title then tells.
        values: Where it goes.
        names: Of the rows.

    Raises:
        ImportError: plotly is not installed.
        ValueError: ``architectures`` or ``values`` is empty, or there is no such latent.
    """
    if not len(architectures) or not len(values):
        raise ValueError("`architectures` and `values` must not be empty.")
    control = moved if isinstance(moved, LatentControl) else None
    dimension = moved.latent if isinstance(moved, LatentControl) else moved
    params = [space.architecture_to_params(architecture) for architecture in architectures]
    tokens, _ = space.canonicalize(space.params_to_tokens(params))
    codes = latent.encode(tokens)
    if not 0 <= dimension < codes.shape[1]:
        raise ValueError(f"`dimension` must be below {codes.shape[1]}, but got {dimension}.")
    way = traversal_codes(codes, dimension, np.array(values, dtype=float))
    concept = None if control is None else control.controls
    rows = _get_traversal_rows(ValidDecoding(latent, space), space, tokens, way, concept)
    return _get_traversal_plot(
        _TraversalInfo(dimension, control, tuple(values), rows, tuple(names))
    )


def _get_traversal_rows(
    decoding: Decoding,
    space: SearchSpace[Any],
    originals: TokenArray,  # (R, T)
    codes: FloatArray,  # (R, S, D) on the way
    concept: Factor | None = None,
) -> tuple[tuple[_Cell, ...], ...]:
    n, s, dim = codes.shape
    tokens, valid = decoding(codes.reshape(n * s, dim))
    tokens, valid = tokens.reshape(n, s, -1), valid.reshape(n, s)
    return tuple(
        tuple(_cells(space, original, own, is_valid, concept))
        for original, own, is_valid in zip(originals, tokens, valid, strict=True)
    )


def _cells(
    space: SearchSpace[Any],
    original: TokenArray,  # (T,)
    tokens: TokenArray,  # (S, T)
    valid: BoolArray,  # (S,)
    concept: Factor | None,
) -> Iterator[_Cell]:
    """A row, from left to right."""
    model = space.factor_model
    place = None if concept is None else model.factors.index(concept)
    previous: tuple[Picture, FloatArray] | None = None
    for row, is_valid in zip(tokens, valid, strict=True):
        if not is_valid:
            yield _Cell(None, (), (), "", False)
            continue
        (params,) = space.tokens_to_params(row[None])
        picture = space.picture(space.params_to_architecture(params))
        (factors,) = model.measure(row[None])
        yield _Cell(
            picture,
            () if previous is None else _new_keys(previous[0], picture),
            () if previous is None else _news(model, previous[1], factors),
            "" if place is None else model.factors[place].describe(factors[place]),
            bool((row == original).all()),
        )
        previous = picture, factors


def _new_keys(before: Picture, after: Picture) -> tuple[Key, ...]:
    """Boxes with another text, and arrows, that were not there."""
    texts = {box.key: box.lines for box in before.boxes}
    arrows = {arrow.key for arrow in before.arrows}
    boxes = [b.key for b in after.boxes if b.key is not None and texts.get(b.key) != b.lines]
    return (*boxes, *(arrow.key for arrow in after.arrows if arrow.key not in arrows))


def _news(model: FactorModel, before: FloatArray, after: FloatArray) -> tuple[str, ...]:
    """The basic factors that have changed, with their values, in words."""
    changed = [f for f in model.basic if before[f] != after[f] and not np.isnan(after[f])]
    return tuple(model.factors[f].describe(after[f]) for f in changed)


def _get_traversal_plot(info: _TraversalInfo) -> Figure:
    n_rows, n_columns = len(info.rows), len(info.values)
    grid = _grid(info)
    left = _NAMES if info.names else _MARGIN
    title, subtitle = _words(info)
    figure = finish(
        graph_objects().Figure(),
        title,
        subtitle,
        width=left + _COLUMN * n_columns + 24,
        height=grid.row_height * n_rows + TITLE_HEIGHT + 2 * _MARGIN,
        margin={"l": left, "t": TITLE_HEIGHT + 44, "b": 12},
        images=[
            _image(cell, r, s, grid)
            for r, row in enumerate(info.rows)
            for s, cell in enumerate(row)
        ],
        annotations=[
            _caption(cell, r, s, grid)
            for r, row in enumerate(info.rows)
            for s, cell in enumerate(row)
        ],
    )
    figure.update_xaxes(
        range=(-0.5, n_columns - 0.5),
        tickvals=list(range(n_columns)),
        ticktext=[_deviations(value) for value in info.values],
        title=f"latent {info.dimension}, in standard deviations",
        showgrid=False,
        side="top",
    )
    return figure.update_yaxes(
        range=(n_rows - 0.5, -0.5),
        tickvals=list(range(len(info.names))),
        ticktext=info.names,
        showgrid=False,
    )


def _words(info: _TraversalInfo) -> tuple[str, str]:
    """Title and subtitle."""
    control, n_rows = info.control, len(info.rows)
    reading = (
        f"{n_rows} architecture{'s' * (n_rows > 1)}, a row each, with this latent alone moved; "
        "orange: new since the drawing on the left; *: the architecture itself"
    )
    if control is None or control.controls is None:
        return f"What latent {info.dimension} does", reading
    share = f"{control.control:.0%} of its steps in random architectures change nothing else"
    return f"Latent {info.dimension} controls the {control.controls.name}", f"{reading}; {share}"


def _deviations(value: float) -> str:
    return "0" if value == 0 else f"{value:+.3g}".replace("-", "−")


class _Grid(NamedTuple):
    """One scale for all drawings, in pixels."""

    scale: float
    tallest: float
    row_height: float


def _grid(info: _TraversalInfo) -> _Grid:
    pictures = [c.picture for row in info.rows for c in row if c.picture is not None]
    width = max((picture.width for picture in pictures), default=1.0)
    height = max((picture.height for picture in pictures), default=1.0)
    scale = min(0.92 * _COLUMN / width, _TALLEST / height)
    return _Grid(scale, scale * height, scale * height + _CAPTION)


def _image(cell: _Cell, row: int, column: int, grid: _Grid) -> dict[str, Any]:
    if cell.picture is None:
        return {"visible": False}
    return picture_image(
        cell.picture,
        x=column,
        y=row - 0.5 + 0.5 * grid.tallest / grid.row_height,
        width=cell.picture.width * grid.scale / _COLUMN,
        height=cell.picture.height * grid.scale / grid.row_height,
        xref="x",
        yref="y",
        highlight=cell.highlight,
    )


def _caption(cell: _Cell, row: int, column: int, grid: _Grid) -> dict[str, Any]:
    return {
        "x": column,
        "y": row - 0.5 + grid.tallest / grid.row_height,
        "text": _text(cell, is_first=column == 0),
        "showarrow": False,
        "yanchor": "top",
        "font": {"size": 11},
    }


def _text(cell: _Cell, *, is_first: bool) -> str:
    text = _change(cell, is_first=is_first)
    return f"{text} *".strip() if cell.is_original else text


def _change(cell: _Cell, *, is_first: bool) -> str:
    if cell.picture is None:
        return "not an architecture"
    if is_first:
        return cell.concept
    if not cell.changes:
        return "other connections" if cell.highlight else "the same"
    more = len(cell.changes) - _N_WORDS
    lines = [*cell.changes[:_N_WORDS], *([f"and {more} more"] if more > 0 else [])]
    return "<br>".join(lines)
