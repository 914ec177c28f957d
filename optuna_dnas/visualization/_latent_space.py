"""The figure of the latent space as a map. N: trials, D: latent dimensions, C: columns."""

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import numpy as np
from optuna.study import Study

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.controller import ControllerConfig
from optuna_dnas.interpret import evaluated
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.visualization._colors import DARK
from optuna_dnas.visualization._labels import describe_architecture
from optuna_dnas.visualization._labels import quantity
from optuna_dnas.visualization._layout import finish
from optuna_dnas.visualization._plotly import Figure
from optuna_dnas.visualization._plotly import graph_objects


# The worst tenth has one colour: nobody cares how bad it is, and the rest is told apart.
_WORST = 0.1


class _LatentSpaceInfo(NamedTuple):
    coordinates: FloatArray  # (N, 2)
    explained: FloatArray  # (2,) shares of the variance
    metric: str
    units: Mapping[str, str]  # see `Evaluated`
    is_maximised: bool
    values: FloatArray  # (N,)
    numbers: IntArray  # (N,)
    architectures: tuple[str, ...]  # N
    best: int  # row


def plot_latent_space(
    study: Study,
    *,
    target: str | None = None,
    space: SearchSpace[Any] | None = None,
    config: ControllerConfig | None = None,
) -> Figure:
    """A map of the evaluated architectures: what the search takes for similar lies together.

    The axes are the first two principal components of the latent codes. A space that is not
    searched in a learned latent is mapped by its parameters.

    Args:
        study: Any study.
        target: The objective that colours the trials; by default the first one.
        space: The architecture space; by default it is recognised.
        config: The latent, if the sampler was given another ``DNASConfig.controller``.

    Raises:
        ImportError: plotly is not installed.
        ValueError: No trial is completed, or there is no objective ``target``.
    """
    return _get_latent_space_plot(_get_latent_space_info(study, target, space, config))


def _get_latent_space_info(
    study: Study,
    target: str | None,
    space: SearchSpace[Any] | None,
    config: ControllerConfig | None,
) -> _LatentSpaceInfo:
    data = evaluated(study, space)
    column = data.objective(target)
    latent = data.latent(config)
    columns = _columns(latent.encode(data.tokens), latent.is_categorical)
    coordinates, explained = principal_components(columns)
    return _LatentSpaceInfo(
        coordinates=coordinates,
        explained=explained,
        metric=data.metric_names[column],
        units=data.units,
        is_maximised=bool(data.signs[column] < 0),
        values=data.values[:, column],
        numbers=data.numbers,
        architectures=tuple(describe_architecture(trial) for trial in data.trials),
        best=int(data.ranking(column)[0]),
    )


def principal_components(columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(N, C) numbers, NaN where there is none -> (N, 2) scores, (2,) shares of the variance.

    Columns are standardised; what is missing is put at their mean.
    """
    centred = columns - np.nanmean(columns, axis=0)
    deviation = np.nanstd(columns, axis=0)
    scaled = np.nan_to_num(centred / np.where(deviation > 0, deviation, 1.0))
    if scaled.shape[1] < 2:
        scaled = np.pad(scaled, ((0, 0), (0, 1)))
    left, lengths, axes = np.linalg.svd(scaled, full_matrices=False)
    scores, share = np.zeros((len(columns), 2)), np.zeros(2)
    n = min(2, len(lengths))
    # The sign of an axis is arbitrary: its largest loading is positive.
    largest = axes[np.arange(n), np.abs(axes[:n]).argmax(axis=1)]
    scores[:, :n] = left[:, :n] * lengths[:n] * np.where(largest < 0, -1.0, 1.0)
    if lengths.any():
        share[:n] = lengths[:n] ** 2 / (lengths**2).sum()
    return scores, share


def _columns(codes: FloatArray, is_categorical: BoolArray) -> FloatArray:
    """(N, D) -> (N, C): the numbers, and for each category seen whether it is that one."""
    columns = [codes[:, ~is_categorical & ~np.isnan(codes).all(axis=0)]]
    for d in np.flatnonzero(is_categorical):
        categories = np.unique(codes[:, d][~np.isnan(codes[:, d])])
        columns.append((codes[:, d, None] == categories).astype(float))
    return np.concatenate(columns, axis=1)


def _get_latent_space_plot(info: _LatentSpaceInfo) -> Figure:
    metric = quantity(info.metric, info.units)
    figure = graph_objects().Figure()
    figure.add_scatter(
        x=info.coordinates[:, 0],
        y=info.coordinates[:, 1],
        mode="markers",
        marker=_marker(info),
        text=[
            f"<b>trial {number}</b><br>{metric.text(value)}<br>{architecture}"
            for number, value, architecture in zip(
                info.numbers, info.values, info.architectures, strict=True
            )
        ],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    _mark_best(figure, info)
    first, second = (f"{share:.0%} of the variance" for share in info.explained)
    figure.update_xaxes(title=f"first principal component, {first}")
    figure.update_yaxes(title=f"second principal component, {second}")
    return finish(
        figure,
        "The latent space, as far as it was explored",
        f"{len(info.values)} trials by their {metric.title}; what lies together is similar",
        height=560,
    )


def _marker(info: _LatentSpaceInfo) -> dict[str, Any]:
    metric = quantity(info.metric, info.units)
    worst = np.quantile(info.values, _WORST if info.is_maximised else 1 - _WORST)
    ends = sorted((float(worst), float(info.values[info.best])))
    return {
        "size": 9,
        "color": info.values,
        "colorscale": "Viridis",
        "reversescale": not info.is_maximised,
        "cmin": ends[0],
        "cmax": ends[1],
        "line": {"color": "white", "width": 0.7},
        "colorbar": {
            "title": {"text": metric.title, "side": "right"},
            "tickformat": metric.tick_format,
            "thickness": 14,
            "outlinewidth": 0,
        },
    }


def _mark_best(figure: Figure, info: _LatentSpaceInfo) -> None:
    x, y = info.coordinates[info.best]
    figure.add_scatter(
        x=[x],
        y=[y],
        mode="markers",
        marker={"symbol": "circle-open", "size": 18, "color": DARK, "line": {"width": 2}},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_annotation(
        x=x,
        y=y,
        text=f"best: trial {info.numbers[info.best]}",
        ax=0,
        ay=-34,
        standoff=9,
        arrowcolor=DARK,
        bgcolor="rgba(255,255,255,0.85)",
        font={"color": DARK, "size": 12},
    )
