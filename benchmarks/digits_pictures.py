"""The pictures of ``digits.md``."""

from typing import Any

import plotly.graph_objects as go  # type: ignore[import-untyped]
from plotly.subplots import make_subplots  # type: ignore[import-untyped]

from benchmarks.digits_statistics import Cells
from benchmarks.digits_statistics import pareto_front


_GREY, _ORANGE, _BLUE = "rgb(150,150,150)", "rgb(213,94,0)", "rgb(0,114,178)"


def draw_front(cells: Cells) -> go.Figure:
    """All cells, and the front."""
    front = pareto_front(cells.flops, cells.means)
    figure = go.Figure()
    figure.add_scatter(
        x=cells.flops,
        y=100 * cells.means,
        mode="markers",
        marker={"size": 4, "color": _GREY, "opacity": 0.5},
        name=f"all {len(cells.specs):,} cells",
    )
    figure.add_scatter(
        x=cells.flops[front],
        y=100 * cells.means[front],
        mode="lines+markers",
        line={"color": _ORANGE, "shape": "hv", "width": 1.5},
        marker={"size": 7},
        name="Pareto front",
    )
    ticks = [10_000, 20_000, 50_000, 100_000, 200_000, 400_000]
    texts = [f"{tick:,}" for tick in ticks]
    figure.update_xaxes(title="multiply-adds", type="log", tickvals=ticks, ticktext=texts)
    figure.update_yaxes(title="validation accuracy, %")
    return _finish(figure, legend={"x": 0.98, "y": 0.04, "xanchor": "right", "yanchor": "bottom"})


def draw_noise(cells: Cells) -> go.Figure:
    """A histogram of the means, and two seeds against each other."""
    figure = make_subplots(cols=2, horizontal_spacing=0.11)
    percent, bins = 100 * cells.runs, {"start": 0, "end": 100, "size": 1}
    figure.add_histogram(x=100 * cells.means, xbins=bins, marker_color=_BLUE, col=1, row=1)
    figure.add_histogram2d(
        x=percent[:, 0],
        y=percent[:, 1],
        xbins=bins,
        ybins=bins,
        colorscale=[[0, "white"], [0.001, "rgb(205,225,238)"], [1, _BLUE]],
        colorbar={"title": "cells", "thickness": 12},
        col=2,
        row=1,
    )
    figure.add_scatter(
        x=[0, 100], y=[0, 100], mode="lines", line={"color": _GREY, "width": 1}, col=2, row=1
    )
    lowest = percent.min() - 2
    figure.update_xaxes(title="mean validation accuracy, %", range=[lowest, 100], col=1)
    figure.update_yaxes(title="cells", col=1)
    figure.update_xaxes(title="with seed 0, %", range=[lowest, 100], col=2)
    figure.update_yaxes(title="with seed 1, %", range=[lowest, 100], col=2)
    return _finish(figure, showlegend=False)


def _finish(figure: go.Figure, **layout: Any) -> go.Figure:
    return figure.update_layout(
        template="plotly_white",
        width=860,
        height=420,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        **layout,
    )
