"""The figure of the paper's Fig. 3: architectures along one latent.

R: architectures (rows), S: points of the traversal (columns), T: tokens, D: latent dimensions.
"""

from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np
from optuna.study import Study

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.interpret import Decoding
from optuna_dnas.interpret import FactorModel
from optuna_dnas.interpret import generative_factors
from optuna_dnas.interpret import LatentWithProbabilities
from optuna_dnas.interpret import traversal_codes
from optuna_dnas.interpret import ValidDecoding
from optuna_dnas.interpret._evaluated import evaluated
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.search_space._picture import Key
from optuna_dnas.search_space._picture import Picture
from optuna_dnas.visualization._factor_map import factor_map_info
from optuna_dnas.visualization._layout import finish
from optuna_dnas.visualization._layout import TITLE_HEIGHT
from optuna_dnas.visualization._picture import picture_image
from optuna_dnas.visualization._plotly import Figure
from optuna_dnas.visualization._plotly import graph_objects


_WIDTH, _HEIGHT = 190, 230  # Pixels of a drawing.
_MARGIN = 56
_N_WORDS = 2  # Changes that are named below a drawing.
VALUES = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Of a latent, in standard deviations."""


class _Cell(NamedTuple):
    """One drawing."""

    picture: Picture | None  # `None`: what is decoded is not valid
    highlight: tuple[Key, ...]  # what the previous drawing of the row does not have
    changes: tuple[str, ...]  # factors that are new since then, in words


class _TraversalInfo(NamedTuple):
    dimension: int
    values: tuple[float, ...]  # S
    rows: tuple[tuple[_Cell, ...], ...]  # R of S


def plot_latent_traversal(
    study: Study,
    dimension: int | None = None,
    *,
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
        dimension: Number of the latent to move; by default the one that controls a concept best.
        n_architectures: How many to start from, the best of the study.
        values: Where the latent goes, in standard deviations.
        target: The objective by which they are the best; by default the first one.
        space: The architecture space; by default it is recognised.

    Raises:
        ImportError: plotly is not installed.
        ValueError: No trial is completed, the space has no decoder, or an argument is not what it
            should be; the message names it.
    """
    if n_architectures < 1:
        raise ValueError(f"`n_architectures` must be positive, but got {n_architectures}.")
    data = evaluated(study, space)
    latent = data.explanatory_latent()
    if dimension is None:
        controls = factor_map_info(latent, data.space).controls
        dimension = max(controls, key=lambda control: control.control).latent
    architectures = data.best_architectures(n_architectures, data.objective(target))
    return traversal_figure(latent, data.space, architectures, dimension, values=values)


def traversal_figure(
    latent: LatentWithProbabilities,
    space: SearchSpace[Any],
    architectures: Sequence[Any],
    dimension: int,
    *,
    values: Sequence[float] = VALUES,
) -> Figure:
    """The same of any latent and architectures.

    Raises:
        ImportError: plotly is not installed.
        ValueError: ``architectures`` or ``values`` is empty, or there is no such latent.
    """
    if not len(architectures) or not len(values):
        raise ValueError("`architectures` and `values` must not be empty.")
    params = [space.architecture_to_params(architecture) for architecture in architectures]
    tokens, _ = space.canonicalize(space.params_to_tokens(params))
    codes = latent.encode(tokens)
    if not 0 <= dimension < codes.shape[1]:
        raise ValueError(f"`dimension` must be below {codes.shape[1]}, but got {dimension}.")
    return _get_traversal_plot(
        _get_traversal_info(ValidDecoding(latent, space), space, codes, dimension, values)
    )


def _get_traversal_info(
    decoding: Decoding,
    space: SearchSpace[Any],
    codes: FloatArray,  # (R, D)
    dimension: int,
    values: Sequence[float],
) -> _TraversalInfo:
    model, n, s = generative_factors(space), len(codes), len(values)
    moved = traversal_codes(codes, dimension, np.array(values, dtype=float))
    tokens, valid = decoding(moved.reshape(n * s, -1))
    rows = [
        _row(space, model, tokens[start : start + s], valid[start : start + s])
        for start in range(0, n * s, s)
    ]
    return _TraversalInfo(dimension, tuple(values), tuple(rows))


def _row(
    space: SearchSpace[Any],
    model: FactorModel,
    tokens: TokenArray,  # (S, T)
    valid: BoolArray,  # (S,)
) -> tuple[_Cell, ...]:
    cells: list[_Cell] = []
    previous: tuple[Picture, FloatArray] | None = None
    for row, is_valid in zip(tokens, valid, strict=True):
        if not is_valid:
            cells.append(_Cell(None, (), ()))
            continue
        (params,) = space.tokens_to_params(row[None])
        picture = space.picture(space.params_to_architecture(params))
        (factors,) = model.measure(row[None])
        if previous is None:
            cells.append(_Cell(picture, (), ()))
        else:
            before, old = previous
            cells.append(_Cell(picture, _new_keys(before, picture), _news(model, old, factors)))
        previous = picture, factors
    return tuple(cells)


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
    go = graph_objects()
    n_rows, n_columns = len(info.rows), len(info.values)
    width, height = _MARGIN + _WIDTH * n_columns, _HEIGHT * n_rows
    figure = finish(
        go.Figure(),
        f"Latent {info.dimension}, moved in {n_rows} architectures",
        "highlighted: new since the drawing on the left",
        width=width + 24,
        height=height + TITLE_HEIGHT + 2 * _MARGIN,
        margin={"t": TITLE_HEIGHT + 24, "b": 32},
        images=[_image(c, r, s) for r, row in enumerate(info.rows) for s, c in enumerate(row)],
        annotations=[
            _caption(c, r, s) for r, row in enumerate(info.rows) for s, c in enumerate(row)
        ],
    )
    figure.update_xaxes(
        range=(-0.5, n_columns - 0.5),
        tickvals=list(range(n_columns)),
        ticktext=[f"{value:+.3g} sd" for value in info.values],
        showgrid=False,
        side="top",
    )
    return figure.update_yaxes(
        range=(n_rows - 0.5, -0.5), showticklabels=False, showgrid=False
    )


def _image(cell: _Cell, row: int, column: int) -> dict[str, Any]:
    if cell.picture is None:
        return {"visible": False}
    return picture_image(
        cell.picture,
        x=column,
        y=row - 0.08,
        width=0.9,
        height=0.74,
        xref="x",
        yref="y",
        highlight=cell.highlight,
    )


def _caption(cell: _Cell, row: int, column: int) -> dict[str, Any]:
    return {
        "x": column,
        "y": row + 0.32,
        "text": _text(cell, is_first=column == 0),
        "showarrow": False,
        "yanchor": "top",
        "font": {"size": 11},
    }


def _text(cell: _Cell, *, is_first: bool) -> str:
    if cell.picture is None:
        return "not an architecture"
    if is_first:
        return ""
    if not cell.changes:
        return "other connections" if cell.highlight else "the same"
    more = len(cell.changes) - _N_WORDS
    lines = [*cell.changes[:_N_WORDS], *([f"and {more} more"] if more > 0 else [])]
    return "<br>".join(lines)
