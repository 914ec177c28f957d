"""The figure of what each part of the search contributed. N: trials, S: sources, W: windows."""

from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
import itertools
from typing import Any
from typing import NamedTuple

import numpy as np
from optuna.study import Study
from optuna.trial import TrialState

from optuna_dnas._optuna_compat import get_trials
from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.interpret import evaluated
from optuna_dnas.interpret import source_of
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.visualization._colors import DARK
from optuna_dnas.visualization._colors import sorted_sources
from optuna_dnas.visualization._colors import source_color
from optuna_dnas.visualization._labels import Quantity
from optuna_dnas.visualization._labels import quantity
from optuna_dnas.visualization._layout import finish
from optuna_dnas.visualization._plotly import Figure
from optuna_dnas.visualization._plotly import subplots


_MAX_WINDOWS = 20


class _SourcesInfo(NamedTuple):
    sources: tuple[str, ...]  # S
    window_starts: IntArray  # (W,) trial numbers
    window_size: int  # trials
    counts: IntArray  # (S, W) proposals
    metric: str
    units: Mapping[str, str]  # see `Evaluated`
    numbers: IntArray  # (N,) of the completed trials
    values: FloatArray  # (N,)
    source_of: tuple[str, ...]  # N
    is_improvement: BoolArray  # (N,)
    n_objectives: int


def plot_sources(
    study: Study, *, target: str | None = None, space: SearchSpace[Any] | None = None
) -> Figure:
    """What each part of the search proposed, and how good that was.

    On the left the share of the proposals over the course of the study, whatever became of them.
    On the right the values of the completed trials; a star is a trial that was better than all
    before it or, with several objectives, that no earlier one dominated.

    Args:
        study: Any study; what other samplers proposed is called ``independent``.
        target: The objective to look at; by default the first one.
        space: The architecture space; by default it is recognised.

    Raises:
        ImportError: plotly is not installed.
        ValueError: No trial is completed, or there is no objective ``target``.
    """
    return _get_sources_plot(_get_sources_info(study, target, space))


def _get_sources_info(
    study: Study, target: str | None, space: SearchSpace[Any] | None
) -> _SourcesInfo:
    data = evaluated(study, space)
    column = data.objective(target)
    proposed = [
        (trial.number, source_of(trial))
        for trial in get_trials(study, use_cache=False)
        if trial.state != TrialState.WAITING
    ]
    names = sorted_sources(name for _, name in proposed)
    size = _window_size(1 + max(number for number, _ in proposed))
    starts = np.arange(0, 1 + max(number for number, _ in proposed), size)
    counts = np.zeros((len(names), len(starts)), dtype=np.int64)
    for number, name in proposed:
        counts[names.index(name), number // size] += 1
    return _SourcesInfo(
        sources=tuple(names),
        window_starts=starts,
        window_size=size,
        counts=counts,
        metric=data.metric_names[column],
        units=data.units,
        numbers=data.numbers,
        values=data.values[:, column],
        source_of=data.sources,
        is_improvement=data.improvements,
        n_objectives=len(data.signs),
    )


def _window_size(n_trials: int) -> int:
    """A round number of trials that makes not too many windows."""
    size = 1
    for factor in itertools.cycle((2, 2.5, 2)):  # 1, 2, 5, 10, 20, 50 ...
        if size * _MAX_WINDOWS >= n_trials:
            break
        size = round(size * factor)
    return size


def _get_sources_plot(info: _SourcesInfo) -> Figure:
    metric = quantity(info.metric, info.units)
    name_of_metric = f"{metric.title[:1].upper()}{metric.title[1:]}"
    figure = subplots().make_subplots(
        rows=2,
        row_heights=[0.4, 0.6],
        vertical_spacing=0.19,
        subplot_titles=[
            f"Share of the proposals, in windows of {info.window_size} trials",
            f"{name_of_metric} by source, within each from its early trials to its late ones",
        ],
    )
    for name, counts in zip(info.sources, info.counts, strict=True):
        _add_shares(figure, info, name, counts)
        _add_box(figure, info, name)
    _add_trials(figure, info, metric)
    figure.update_annotations(font={"size": 14}, x=0, xanchor="left")
    figure.update_xaxes(title="trial", row=1)
    figure.update_yaxes(tickformat=".0%", range=[0, 1], row=1)
    places, n = list(range(len(info.sources))), len(info.sources)
    figure.update_xaxes(
        tickvals=places, ticktext=info.sources, range=[-0.5, n - 0.5], showgrid=False, row=2
    )
    figure.update_yaxes(title=metric.title, tickformat=metric.tick_format, row=2)
    return finish(
        figure,
        "What each part of the search contributed",
        _summary(info),
        height=680,
        barmode="stack",
        legend={"title": "proposed by", "traceorder": "normal"},
        margin={"t": 112},
    )


def _add_shares(figure: Figure, info: _SourcesInfo, name: str, counts: IntArray) -> None:
    totals = np.maximum(info.counts.sum(axis=0), 1)
    last = info.window_starts + info.window_size - 1
    figure.add_bar(
        x=info.window_starts + (info.window_size - 1) / 2,
        y=counts / totals,
        width=info.window_size * 0.94,
        marker={"color": source_color(name), "line": {"width": 0}},
        customdata=np.stack([counts, totals, info.window_starts, last], axis=1),
        hovertemplate=(
            f"<b>{name}</b>: %{{customdata[0]}} of %{{customdata[1]}} proposals"
            "<br>trials %{customdata[2]} to %{customdata[3]}<extra></extra>"
        ),
        name=f"{name} ({counts.sum()})",
        row=1,
        col=1,
    )


def _add_box(figure: Figure, info: _SourcesInfo, name: str) -> None:
    values = info.values[np.array(info.source_of) == name]
    figure.add_box(
        x=[info.sources.index(name)] * len(values),
        y=values,
        width=0.84,
        boxpoints=False,
        line={"width": 1.2, "color": source_color(name)},
        fillcolor="rgba(0,0,0,0)",
        hoverinfo="skip",
        showlegend=False,
        row=2,
        col=1,
    )


def _add_trials(figure: Figure, info: _SourcesInfo, metric: Quantity) -> None:
    places = _places(info)
    for is_improvement, symbol, size in ((False, "circle", 6), (True, "star", 12)):
        rows = np.flatnonzero(info.is_improvement == is_improvement)
        figure.add_scatter(
            x=places[rows],
            y=info.values[rows],
            mode="markers",
            marker={
                "symbol": symbol,
                "size": size,
                "color": [source_color(info.source_of[row]) for row in rows],
                "line": {"color": DARK, "width": 1} if is_improvement else {"width": 0},
                "opacity": 1.0 if is_improvement else 0.7,
            },
            text=[_hover(info, row, metric) for row in rows.tolist()],
            hovertemplate="%{text}<extra></extra>",
            name=_name_of_improvement(info),
            showlegend=is_improvement,
            row=2,
            col=1,
        )


def _places(info: _SourcesInfo) -> FloatArray:
    """(N,) from left to right within the column of a source, in the order of the trials."""
    places = np.empty(len(info.values))
    for k, name in enumerate(info.sources):
        rows = np.flatnonzero(np.array(info.source_of) == name)
        steps = np.arange(1, len(rows) + 1) / (len(rows) + 1)
        places[rows] = k + 0.76 * (steps - 0.5)
    return places


def _hover(info: _SourcesInfo, row: int, metric: Quantity) -> str:
    return (
        f"<b>trial {info.numbers[row]}</b>, {info.source_of[row]}"
        f"<br>{metric.text(info.values[row])}"
    )


def _name_of_improvement(info: _SourcesInfo) -> str:
    return "best so far" if info.n_objectives == 1 else "not dominated so far"


def _summary(info: _SourcesInfo) -> str:
    counts = Counter(
        name for name, is_one in zip(info.source_of, info.is_improvement, strict=True) if is_one
    )
    return f"{_name_of_improvement(info)}: {_listed(counts.most_common())}"


def _listed(counts: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {n} times" if n > 1 else f"{name} once" for name, n in counts)
