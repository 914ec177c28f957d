"""The figure of each factor against quality (Fig. 4 of the paper).

N: trials, D: latent dimensions, P: panels, K: best trials.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import math
from typing import Any
from typing import NamedTuple

import numpy as np
from optuna.study import Study

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.controller import average_ranks
from optuna_dnas.controller import ControllerConfig
from optuna_dnas.controller import Latent
from optuna_dnas.interpret import evaluated
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies import PromisingRegions
from optuna_dnas.visualization._colors import GREY
from optuna_dnas.visualization._colors import ORANGE
from optuna_dnas.visualization._colors import SKY
from optuna_dnas.visualization._concepts import Concept
from optuna_dnas.visualization._concepts import concepts
from optuna_dnas.visualization._labels import quantity
from optuna_dnas.visualization._layout import finish
from optuna_dnas.visualization._plotly import Figure
from optuna_dnas.visualization._plotly import subplots


_MAX_PANELS = 8
_N_COLUMNS = 4
# A region of a category is a point; shaded is so much on both sides of it.
_CATEGORY_WIDTH = 0.35
_MAX_LETTERS = 12


class _Panel(NamedTuple):
    """One dimension of the latent."""

    name: str
    concept: str  # what it stands for; a parameter stands for itself
    codes: FloatArray  # (N,), NaN where a parameter is inactive
    correlation: float  # Spearman's, with the values; 0 where the codes do not vary
    regions: FloatArray  # (., 2) intervals
    ticks: dict[float, str]  # instead of the codes


class _FactorAccuracyInfo(NamedTuple):
    metric: str
    units: Mapping[str, str]  # see `Evaluated`
    values: FloatArray  # (N,)
    numbers: IntArray  # (N,)
    best: IntArray  # (K,) rows, the best first
    panels: tuple[_Panel, ...]  # P
    n_dimensions: int
    is_searched: bool  # whether the search samples in these dimensions


def plot_factor_accuracy(
    study: Study,
    *,
    target: str | None = None,
    top_k: int = 10,
    space: SearchSpace[Any] | None = None,
    config: ControllerConfig | None = None,
    explanatory: bool = False,
) -> Figure:
    """What each factor has to do with quality, and where the search looks next.

    A panel is a dimension of the latent; those 8 are shown whose rank correlation (Spearman's)
    with the objective is strongest. Shaded are the promising regions: the intervals around the
    codes of the best architectures, in which the strategy ``dense`` samples (Eq. 4). A space that
    is not searched in a learned latent has its parameters for dimensions.

    Args:
        study: Any study.
        target: The objective to look at; by default the first one.
        top_k: How many of the best architectures span the regions.
        space: The architecture space; by default it is recognised.
        config: The latent, if the sampler was given another ``DNASConfig.controller``.
        explanatory: Of a declared space, look at the dimensions that `plot_latent_traversal`
            moves, which are concepts, instead of those in which the search samples.

    Raises:
        ImportError: plotly is not installed.
        ValueError: No trial is completed, or an argument is not what it should be; the message
            names it.
    """
    return _get_factor_accuracy_plot(
        _get_factor_accuracy_info(study, target, top_k, space, config, explanatory)
    )


def _get_factor_accuracy_info(
    study: Study,
    target: str | None,
    top_k: int,
    space: SearchSpace[Any] | None,
    config: ControllerConfig | None,
    explanatory: bool = False,
) -> _FactorAccuracyInfo:
    if top_k < 1:
        raise ValueError(f"`top_k` must be positive, but got {top_k}.")
    data = evaluated(study, space)
    data = data.of_architectures() if explanatory else data
    column = data.objective(target)
    best = data.ranking(column)[:top_k]
    latent = data.explanatory_latent() if explanatory else data.latent(config)
    codes, values = latent.encode(data.tokens), data.values[:, column]
    known: Sequence[Concept | None] = ()
    if latent.learned is not None:
        known = concepts(data.of_architectures().space, latent.learned)
    named = [name for name in latent.dimension_names if name is not None]
    panels = [
        _panel(latent, codes, values, best, d, concept)
        for d, concept in enumerate([*known, *[None] * len(named)])
        if concept is not None or not explanatory
    ]
    panels.sort(key=lambda panel: -abs(panel.correlation))
    return _FactorAccuracyInfo(
        metric=data.metric_names[column],
        units=data.units,
        values=values,
        numbers=data.numbers,
        best=best,
        panels=tuple(panels[:_MAX_PANELS]),
        n_dimensions=codes.shape[1],
        is_searched=not explanatory,
    )


def _panel(
    latent: Latent,
    codes: FloatArray,
    values: FloatArray,
    best: IntArray,
    dimension: int,
    concept: Concept | None,
) -> _Panel:
    own = codes[:, dimension]
    is_active = ~np.isnan(own)
    centres = codes[best[is_active[best]]][:, [dimension]]
    regions = PromisingRegions(centres, latent.half_width[[dimension]])
    intervals = regions.intervals(0) if len(centres) else np.empty((0, 2))
    if latent.is_categorical[dimension]:
        intervals = intervals + np.array([-_CATEGORY_WIDTH, _CATEGORY_WIDTH])
    panel = _Panel(
        name=f"z{dimension}",
        concept="no single concept" if concept is None else concept.text,
        codes=own,
        correlation=_spearman(own[is_active], values[is_active]),
        regions=intervals,
        ticks={} if concept is None else concept.ticks,
    )
    name = latent.dimension_names[dimension]
    if name is None:
        return panel
    ticks = {code: _cut(text) for code, text in latent.ticks(dimension).items()}
    return panel._replace(name=name, concept="", ticks=ticks)


def _spearman(a: FloatArray, b: FloatArray) -> float:
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(average_ranks(a), average_ranks(b))[0, 1])


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_LETTERS else f"{text[: _MAX_LETTERS - 1]}…"


def _get_factor_accuracy_plot(info: _FactorAccuracyInfo) -> Figure:
    metric = quantity(info.metric, info.units)
    n_columns = min(_N_COLUMNS, len(info.panels))
    n_rows = math.ceil(len(info.panels) / n_columns)
    figure = subplots().make_subplots(
        rows=n_rows,
        cols=n_columns,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=0.42 / n_rows,
        subplot_titles=[_panel_title(panel) for panel in info.panels],
    )
    figure.update_annotations(font={"size": 11})
    for k, panel in enumerate(info.panels):
        _add_panel(figure, info, panel, k // n_columns + 1, k % n_columns + 1)
    figure.update_yaxes(tickformat=metric.tick_format)
    figure.update_yaxes(title=metric.title, col=1)
    what = "factor" if info.is_searched else "concept"
    return finish(
        figure,
        f"{metric.title[:1].upper()}{metric.title[1:]} by {what}",
        _summary(info),
        height=170 + 270 * n_rows,
        margin={"t": 140, "b": 76},
        legend={"orientation": "h", "x": 0, "y": 1 + 66 / (260 * n_rows), "yanchor": "bottom"},
    )


def _panel_title(panel: _Panel) -> str:
    concept = f"<br>{panel.concept}" if panel.concept else ""
    return f"<b>{panel.name}</b>, Spearman {_signed(panel.correlation)}{concept}"


def _signed(number: float) -> str:
    return f"{number:+.2f}".replace("-", "−")


def _add_panel(
    figure: Figure, info: _FactorAccuracyInfo, panel: _Panel, row: int, col: int
) -> None:
    is_best = np.isin(np.arange(len(info.values)), info.best)
    for kept, name, color, size in (
        (~is_best, "other trials", GREY, 5),
        (is_best, f"the best {len(info.best)}", ORANGE, 8),
    ):
        figure.add_scatter(
            x=panel.codes[kept],
            y=info.values[kept],
            mode="markers",
            marker={"color": color, "size": size, "line": {"color": "white", "width": 0.5}},
            customdata=info.numbers[kept],
            hovertemplate=f"<b>trial %{{customdata}}</b><br>{_hover(panel)}%{{y}}<extra></extra>",
            name=name,
            legendgroup=name,
            showlegend=row == col == 1,
            row=row,
            col=col,
        )
    # plotly draws no rectangle where there is nothing else yet.
    for low, high in panel.regions:
        figure.add_vrect(
            x0=low,
            x1=high,
            fillcolor=SKY,
            opacity=0.3,
            line_width=0,
            layer="below",
            row=row,
            col=col,
        )
    axis = _axis(panel) if panel.ticks else {"title": "standard deviations"}
    figure.update_xaxes(row=row, col=col, **axis)


def _hover(panel: _Panel) -> str:
    # The code of a parameter is not its value.
    return "" if panel.ticks else f"{panel.name} %{{x:.2f}}<br>"


def _axis(panel: _Panel) -> dict[str, Any]:
    places = list(panel.ticks)
    ends = [*places, *panel.codes[~np.isnan(panel.codes)], *panel.regions.ravel()]
    room = 0.08 * (max(ends) - min(ends))
    return {
        "tickvals": places,
        "ticktext": list(panel.ticks.values()),
        "range": [min(ends) - room, max(ends) + room],
    }


def _summary(info: _FactorAccuracyInfo) -> str:
    n, all_of_them = len(info.panels), info.n_dimensions
    shown = f"the {n} of {all_of_them} dimensions that tell most about it; " * (n < all_of_them)
    is_named = any(panel.concept for panel in info.panels)
    named = "named by the concept that each knows most of, and how much of it; " * is_named
    what = ", where the search samples densely" * info.is_searched
    return f"{shown}{named}shaded: around the best {len(info.best)}{what}"
