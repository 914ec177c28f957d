"""The figures of a study, small enough for a page that fetches all of them again and again.

n: points of a trace.
"""

from collections.abc import Callable
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from optuna.study import Study

from optuna_dnas._typing import IntArray
from optuna_dnas.controller import ControllerConfig
from optuna_dnas.dashboard._format import write_figure
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.visualization import Figure
from optuna_dnas.visualization import plot_budget_front
from optuna_dnas.visualization import plot_factor_accuracy
from optuna_dnas.visualization import plot_latent_space
from optuna_dnas.visualization import plot_sources


_HEIGHT = 450  # The dashboard cuts off what is below.
_MAX_CHARACTERS = 120_000
_MAX_POINTS = 1000
# Of a trace; those that have as many entries as it has points are taken apart with them.
_ARRAYS = ("x", "y", "text", "customdata", "marker.color")


def publish_figures(
    study: Study,
    attrs: Mapping[str, Any],
    space: SearchSpace[Any] | None,
    config: ControllerConfig | None,
) -> None:
    """Draw all figures that the study has data for, in place of the earlier ones."""
    figures: dict[str, Callable[[], Figure]] = {
        "dnas-budget-front": lambda: plot_budget_front(study, space=space),
        # There is little room between the axes.
        "dnas-sources": lambda: plot_sources(study, space=space).update_xaxes(title=None, row=1),
        "dnas-factor-accuracy": lambda: plot_factor_accuracy(
            study, space=space, config=config
        ).update_layout(legend={"y": -0.12, "yanchor": "top"}),
        "dnas-latent-space": lambda: plot_latent_space(study, space=space, config=config),
    }
    for name, draw in figures.items():
        try:
            figure = draw()
        except ValueError:  # Nothing completed yet, or a space without costs.
            continue
        write_figure(study, attrs, name, compact(figure.update_layout(height=_HEIGHT)))


def compact(figure: Figure) -> str:
    """A figure as JSON, without what is least missed; the figure is changed.

    Numbers lose digits that nobody sees, and traces of very many points keep every k-th one. If
    that is still not enough, hover texts keep their first lines, and traces fewer points.
    """
    _thin(figure, _MAX_POINTS)
    text = str(figure.to_json())
    for shrink in _SHRINKAGES:
        if len(text) <= _MAX_CHARACTERS:
            break
        shrink(figure)
        text = str(figure.to_json())
    return text


def _thin(figure: Figure, n_points: int) -> None:
    for trace in figure.data:
        n = 0 if trace["x"] is None else len(trace["x"])
        rows = np.unique(np.linspace(0, n - 1, min(n, n_points)).astype(np.int64))
        for name in _ARRAYS:
            values = _get(trace, name)
            if isinstance(values, (list, tuple, np.ndarray)) and len(values) == n > 0:
                trace[name] = _entries(values, rows)


def _entries(values: Any, rows: IntArray) -> Any:
    array = np.asarray(values)
    if array.dtype.kind == "f":
        return array[rows].astype(np.float32)
    return array[rows] if array.dtype.kind in "iu" else [values[row] for row in rows]


def _shorten(figure: Figure, n_lines: int) -> None:
    for trace in figure.data:
        texts = _get(trace, "text")
        if isinstance(texts, (list, tuple)):
            trace["text"] = ["<br>".join(text.split("<br>")[:n_lines]) for text in texts]


def _get(trace: Any, name: str) -> Any:
    """`None`: it has none, or is of a kind that has no such thing."""
    if name not in trace:
        return None
    return trace[name]


_SHRINKAGES: tuple[Callable[[Figure], None], ...] = (
    *(partial(_shorten, n_lines=n) for n in (3, 2)),
    *(partial(_thin, n_points=n) for n in (700, 500, 350, 250)),
)
