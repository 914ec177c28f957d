"""plotly, which is imported when a figure is drawn: pictures as SVG need none."""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING
from typing import TypeAlias


if TYPE_CHECKING:
    import plotly.graph_objects as go  # type: ignore[import-untyped]


Figure: TypeAlias = "go.Figure"


def graph_objects() -> ModuleType:
    """``plotly.graph_objects``.

    Raises:
        ImportError: plotly is not installed; the message says how to get it.
    """
    return _import("plotly.graph_objects")


def subplots() -> ModuleType:
    """``plotly.subplots``; raises as `graph_objects` does."""
    return _import("plotly.subplots")


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            'Figures need plotly: `pip install "optuna-dnas[visualization]"`.'
        ) from error
