"""Figures of studies, and drawings of architectures.

Every ``plot_*`` takes a study and returns a ``plotly.graph_objects.Figure``; plotly comes with
``optuna-dnas[visualization]``. Drawings are SVG and need nothing.
"""

from optuna_dnas.visualization._architecture import plot_architecture
from optuna_dnas.visualization._budget import Budget
from optuna_dnas.visualization._budget import read_budget
from optuna_dnas.visualization._budget_front import plot_budget_front
from optuna_dnas.visualization._colors import sorted_sources
from optuna_dnas.visualization._factor_accuracy import plot_factor_accuracy
from optuna_dnas.visualization._factor_map import factor_map
from optuna_dnas.visualization._factor_map import factor_map_figure
from optuna_dnas.visualization._factor_map import FactorMap
from optuna_dnas.visualization._factor_map import plot_factor_map
from optuna_dnas.visualization._labels import Quantity
from optuna_dnas.visualization._labels import quantity
from optuna_dnas.visualization._latent_space import plot_latent_space
from optuna_dnas.visualization._plotly import Figure
from optuna_dnas.visualization._plotly import graph_objects
from optuna_dnas.visualization._sources import plot_sources
from optuna_dnas.visualization._svg import draw_architecture
from optuna_dnas.visualization._svg import to_svg
from optuna_dnas.visualization._traversal import plot_latent_traversal
from optuna_dnas.visualization._traversal import traversal_figure


__all__ = [
    "Budget",
    "FactorMap",
    "Figure",
    "Quantity",
    "draw_architecture",
    "factor_map",
    "factor_map_figure",
    "graph_objects",
    "plot_architecture",
    "plot_budget_front",
    "plot_factor_accuracy",
    "plot_factor_map",
    "plot_latent_space",
    "plot_latent_traversal",
    "plot_sources",
    "quantity",
    "read_budget",
    "sorted_sources",
    "to_svg",
    "traversal_figure",
]
