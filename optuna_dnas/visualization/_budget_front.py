"""The figure of quality against cost. N: trials, F: those of the front."""

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import numpy as np
from optuna.study import Study

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.interpret import Evaluated
from optuna_dnas.interpret import evaluated
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies import non_dominated
from optuna_dnas.visualization._budget import Budget
from optuna_dnas.visualization._budget import read_budget
from optuna_dnas.visualization._colors import DARK
from optuna_dnas.visualization._colors import sorted_sources
from optuna_dnas.visualization._colors import source_color
from optuna_dnas.visualization._colors import VERMILLION
from optuna_dnas.visualization._labels import describe_architecture
from optuna_dnas.visualization._labels import quantity
from optuna_dnas.visualization._layout import finish
from optuna_dnas.visualization._plotly import Figure
from optuna_dnas.visualization._plotly import graph_objects


# From such a ratio on, costs are compared by their logarithms.
_LOG_RATIO = 8.0


class _BudgetFrontInfo(NamedTuple):
    budget: Budget  # of the N trials
    metric: str
    units: Mapping[str, str]  # see `Evaluated`
    values: FloatArray  # (N,)
    is_feasible: BoolArray  # (N,)
    sources: tuple[str, ...]  # N
    hover: tuple[str, ...]  # N
    front: IntArray  # (F,) rows, by ascending cost
    edges: tuple[tuple[float, float], ...]  # from, to: where the limits are just met


def plot_budget_front(
    study: Study,
    *,
    target: str | None = None,
    cost: str | None = None,
    margin: float = 0.05,
    space: SearchSpace[Any] | None = None,
) -> Figure:
    """What quality was reached for what cost: all trials, and the front of those worth it.

    A dot is a trial, in the colour of the part of the search that proposed it; hollow if it broke
    a limit. The line goes through the trials within all limits that no other one beats in both
    quality and cost. Limits are vertical lines; where an upper one is just met, and the strategy
    ``edge`` looks, is shaded.

    Args:
        study: Any study, with one objective or several.
        target: The objective to look at; by default the first one that is not a cost.
        cost: What it is paid with: another objective, a cost that is known, such as ``"flops"``
            (multiply-adds), a user attribute of the trials, or a constraint. By default another
            objective, or else the first cost.
        margin: How far below a limit the shaded edge reaches, as a share of it.
        space: The architecture space; by default it is recognised.

    Raises:
        ImportError: plotly is not installed.
        ValueError: No trial is completed, or an argument is not what it should be; the message
            names it.
    """
    return _get_budget_front_plot(_get_budget_front_info(study, target, cost, margin, space))


def _get_budget_front_info(
    study: Study,
    target: str | None,
    cost: str | None,
    margin: float,
    space: SearchSpace[Any] | None,
) -> _BudgetFrontInfo:
    if not 0 <= margin < 1:
        raise ValueError(f"`margin` must be in [0, 1), but got {margin}.")
    data = evaluated(study, space)
    column = data.objective(_default_target(data) if target is None else target)
    budget = read_budget(data, cost, column)
    kept = np.isfinite(budget.amounts)
    losses = np.stack([budget.amounts * budget.sign, data.losses[:, column]], axis=1)
    rivals = np.flatnonzero(kept & data.is_feasible)
    front = rivals[non_dominated(losses[rivals])]
    front = front[np.lexsort((losses[front, 1], budget.amounts[front]))]
    place = np.cumsum(kept) - 1
    return _BudgetFrontInfo(
        budget=budget._replace(amounts=budget.amounts[kept]),
        metric=data.metric_names[column],
        units=data.units,
        values=data.values[kept, column],
        is_feasible=data.is_feasible[kept],
        sources=tuple(s for s, k in zip(data.sources, kept, strict=True) if k),
        hover=tuple(_hover(data, row, column, budget) for row in np.flatnonzero(kept).tolist()),
        front=place[front],
        edges=tuple((limit * (1 - margin), limit) for limit in budget.most if limit > 0),
    )


def _default_target(data: Evaluated) -> str | None:
    return next((name for name in data.metric_names if name not in data.cost_names), None)


def _hover(data: Evaluated, row: int, column: int, budget: Budget) -> str:
    trial = data.trials[row]
    lines = [
        f"<b>trial {trial.number}</b>, {data.sources[row]}",
        quantity(data.metric_names[column], data.units).text(data.values[row, column]),
        quantity(budget.name, data.units).text(budget.amounts[row]),
        describe_architecture(trial),
    ]
    return "<br>".join(lines if data.is_feasible[row] else [*lines, "breaks a limit"])


def _get_budget_front_plot(info: _BudgetFrontInfo) -> Figure:
    figure = graph_objects().Figure()
    for name in sorted_sources(info.sources):
        _add_trials(figure, info, name)
    front, amounts = info.front, info.budget.amounts
    figure.add_scatter(
        x=amounts[front],
        y=info.values[front],
        mode="lines",
        # Whoever may pay more has what was there for less.
        line={"shape": "hv" if info.budget.sign > 0 else "vh", "color": DARK, "width": 1.8},
        hoverinfo="skip",
        name="front",
        zorder=-1,
    )
    x, y = quantity(info.budget.name, info.units), quantity(info.metric, info.units)
    is_log = amounts.min() > 0 and amounts.max() > _LOG_RATIO * amounts.min()
    figure.update_xaxes(title=x.title, tickformat=x.tick_format)
    if is_log:
        figure.update_xaxes(type="log", dtick="D2")
    figure.update_yaxes(title=y.title, tickformat=y.tick_format)
    _add_limits(figure, info, is_log=is_log)
    if not info.is_feasible.all():
        _explain_hollow(figure)
    n, n_front = len(info.values), len(front)
    return finish(
        figure,
        f"{y.title[:1].upper()}{y.title[1:]} against {x.title}",
        f"{n} trials, {n_front} of them on the front",
        legend={"title": "proposed by"},
    )


def _add_trials(figure: Figure, info: _BudgetFrontInfo, name: str) -> None:
    rows = [n for n, source in enumerate(info.sources) if source == name]
    rows.sort(key=lambda row: not info.is_feasible[row])  # The legend shows the first.
    symbols = np.where(info.is_feasible[rows], "circle", "circle-open")
    figure.add_scatter(
        x=info.budget.amounts[rows],
        y=info.values[rows],
        mode="markers",
        marker={
            "color": source_color(name),
            "size": 8,
            "symbol": symbols.tolist(),
            "line": {"width": np.where(info.is_feasible[rows], 0.6, 1.6), "color": "white"},
        },
        text=[info.hover[row] for row in rows],
        hovertemplate="%{text}<extra></extra>",
        name=f"{name} ({len(rows)})",
    )


def _explain_hollow(figure: Figure) -> None:
    figure.add_scatter(
        x=[None],
        y=[None],
        mode="markers",
        marker={"symbol": "circle-open", "color": DARK, "size": 8, "line": {"width": 1.6}},
        name="breaks a limit",
    )


def _add_limits(figure: Figure, info: _BudgetFrontInfo, *, is_log: bool) -> None:
    unit = quantity(info.budget.name, info.units)
    for low, high in info.edges:
        figure.add_vrect(x0=low, x1=high, fillcolor=VERMILLION, opacity=0.13, line_width=0)
    for word, limits in (("at least", info.budget.least), ("at most", info.budget.most)):
        for limit in limits:
            figure.add_vline(x=limit, line={"color": VERMILLION, "width": 1.6, "dash": "dash"})
            figure.add_annotation(
                # The position of a text on a logarithmic axis is a logarithm.
                x=np.log10(limit) if is_log else limit,
                y=1.0,
                yref="paper",
                yanchor="bottom",
                text=f"{word} {unit.number(limit)}",
                showarrow=False,
                font={"color": VERMILLION, "size": 12},
            )
