"""The figure of one architecture."""

from typing import Any
from typing import NamedTuple

from optuna.study import Study
from optuna.trial import FrozenTrial

from optuna_dnas.interpret import Evaluated
from optuna_dnas.interpret import evaluated
from optuna_dnas.search_space import FONT_SIZE
from optuna_dnas.search_space import Picture
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.visualization._labels import quantity
from optuna_dnas.visualization._layout import finish
from optuna_dnas.visualization._layout import TITLE_HEIGHT
from optuna_dnas.visualization._picture import picture_parts
from optuna_dnas.visualization._plotly import Figure
from optuna_dnas.visualization._plotly import graph_objects


_PIXELS_PER_UNIT = 1.7
_MARGIN = 16
# The title needs that room, however narrow the architecture is.
_MIN_WIDTH = 520


class _ArchitectureInfo(NamedTuple):
    picture: Picture
    title: str
    subtitle: str


def plot_architecture(
    study: Study,
    trial: FrozenTrial | None = None,
    *,
    target: str | None = None,
    space: SearchSpace[Any] | None = None,
) -> Figure:
    """Draw the architecture of a trial, with its values, its costs and its rank.

    Args:
        study: Any study.
        trial: A completed trial of it; by default the best one that is within all limits.
        target: The objective that ranks the trials; by default the first one.
        space: The architecture space; by default it is recognised.

    Raises:
        ImportError: plotly is not installed.
        ValueError: No trial is completed, ``trial`` is none of those that are, or there is no
            objective ``target``.
    """
    return _get_architecture_plot(_get_architecture_info(study, trial, target, space))


def _get_architecture_info(
    study: Study, trial: FrozenTrial | None, target: str | None, space: SearchSpace[Any] | None
) -> _ArchitectureInfo:
    data = evaluated(study, space)
    column = data.objective(target)
    ranking = data.ranking(column).tolist()
    row = ranking[0] if trial is None else _row_of(data, trial)
    params = data.space.tokens_to_params(data.tokens[[row]])[0]
    values = zip(data.metric_names, data.values[row].tolist(), strict=True)
    title = ", ".join(quantity(name, data.units).text(value) for name, value in values)
    return _ArchitectureInfo(
        picture=data.space.picture(data.space.params_to_architecture(params)),
        title=title[:1].upper() + title[1:],
        subtitle=_subtitle(data, row, column, ranking.index(row)),
    )


def _row_of(data: Evaluated, trial: FrozenTrial) -> int:
    numbers: list[int] = data.numbers.tolist()
    if trial.number not in numbers:
        raise ValueError(
            "`trial` must be a completed trial of the study with an architecture, "
            f"but got number {trial.number}."
        )
    return numbers.index(trial.number)


def _subtitle(data: Evaluated, row: int, column: int, n_better: int) -> str:
    metric = (
        f" in {quantity(data.metric_names[column], data.units).title}"
        if len(data.signs) > 1
        else ""
    )
    parts = [f"trial {data.numbers[row]}: rank {n_better + 1} of {len(data.trials)}{metric}"]
    if not data.is_feasible[row]:
        parts.append("breaks a limit")
    for name, cost in zip(data.cost_names, data.costs[row].tolist(), strict=True):
        if name not in data.metric_names:
            label = quantity(name, data.units)
            parts.append(f"{label.number(cost)} {label.title}")
    return ", ".join(parts)


def _get_architecture_plot(info: _ArchitectureInfo) -> Figure:
    go = graph_objects()
    picture, scale = info.picture, _PIXELS_PER_UNIT
    parts = picture_parts(picture, font_size=0.95 * FONT_SIZE * scale)
    figure = go.Figure()
    figure.update_layout(shapes=parts.shapes, annotations=parts.annotations)
    width = max(picture.width * scale, _MIN_WIDTH)
    left = (picture.width - width / scale) / 2
    figure = finish(
        figure,
        info.title,
        info.subtitle,
        width=width + 2 * _MARGIN,
        height=picture.height * scale + TITLE_HEIGHT + _MARGIN,
        margin={"l": _MARGIN, "r": _MARGIN, "b": _MARGIN},
    )
    figure.update_xaxes(visible=False, range=[left, left + width / scale])
    return figure.update_yaxes(visible=False, range=[picture.height, 0])
