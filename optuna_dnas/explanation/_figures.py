"""The figures of a report, and how to read each of them."""

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
import itertools
from typing import Any

from optuna.study import Study

from optuna_dnas.controller import Latent
from optuna_dnas.explanation._factors import top_k
from optuna_dnas.interpret import controller_of
from optuna_dnas.interpret import Evaluated
from optuna_dnas.interpret import LatentControl
from optuna_dnas.search_space import Factor
from optuna_dnas.visualization import factor_map
from optuna_dnas.visualization import factor_map_figure
from optuna_dnas.visualization import Figure
from optuna_dnas.visualization import plot_budget_front
from optuna_dnas.visualization import plot_factor_accuracy
from optuna_dnas.visualization import plot_latent_space
from optuna_dnas.visualization import plot_sources
from optuna_dnas.visualization import traversal_figure


SOURCES_KEY = "sources"

_N_TRAVERSED = 3
_MAX_TRAVERSALS = 3


@dataclass(frozen=True, kw_only=True)
class ReportFigure:
    """A figure with its explanation.

    Args:
        key: What it is called within the report.
        title: For the reader.
        figure: A plotly figure.
        reading: How to read it, in plain words.
    """

    key: str
    title: str
    figure: Figure
    reading: str


def draw_figures(study: Study, data: Evaluated, target: str) -> tuple[ReportFigure, ...]:
    """All figures that the study has enough for.

    Args:
        study: Any study.
        data: The same.
        target: The objective to explain.

    Raises:
        ImportError: plotly is not installed.
    """
    return tuple(_figures(study, data, target))


def _figures(study: Study, data: Evaluated, target: str) -> Iterator[ReportFigure]:
    about: dict[str, Any] = {"target": target, "space": data.space}
    yield ReportFigure(
        key=SOURCES_KEY,
        title="Who proposed what",
        figure=plot_sources(study, **about),
        reading=(
            "Above: which part of the search proposed the trials, from the first on the left to "
            "the last on the right. Below: how good these were. A star is a trial that was better "
            "than all before it."
        ),
    )
    k, latent = top_k(data), data.latent()
    yield ReportFigure(
        key="factors",
        title="Quality by factor",
        figure=plot_factor_accuracy(study, top_k=k, **about),
        reading=_factor_reading(data, latent, k),
    )
    if data.cost_names or len(data.signs) > 1:
        yield ReportFigure(
            key="budget",
            title="Quality against cost",
            figure=plot_budget_front(study, **about),
            reading=(
                "Every dot is a trial. The line joins those that are worth their cost: nothing "
                "cheaper was found to be as good. Hollow dots broke a limit; a vertical line is "
                "a limit."
            ),
        )
    yield ReportFigure(
        key="space",
        title="A map of what was tried",
        figure=plot_latent_space(study, **about),
        reading=(
            "Every dot is a trial; its colour is its quality. What lies together is similar for "
            "the search. Where the dots crowd, it looked closely; where there are none, nothing "
            "is known. The axes have no meaning by themselves."
        ),
    )
    if latent.learned is not None:
        yield ReportFigure(
            key="concepts",
            title="Quality by concept",
            figure=plot_factor_accuracy(study, top_k=k, explanatory=True, **about),
            reading=(
                "The same for a code whose dimensions are concepts, as far as the package has "
                "one for the space: each panel is headed by the concept that its dimension knows "
                "most of. Where the shaded range is narrow, the best architectures agree."
            ),
        )
        yield from _latent_figures(data, data.objective(target))


def _factor_reading(data: Evaluated, latent: Latent, k: int) -> str:
    names = latent.dimension_names
    kinds = (
        "a dimension (z) of the code by which the search tells architectures apart",
        "a parameter",
    )
    is_there = None in names, any(name is not None for name in names)
    what = ", or ".join(itertools.compress(kinds, is_there))
    return (
        f"Each panel is {what}, each dot a trial; higher or lower is its quality. Orange are the "
        f"best {min(k, len(data.trials))}; shaded is the range around them, from which the search "
        "draws most of what it tries next. Spearman's number says how closely the two go "
        "together: 0 is not at all, +1 or −1 is strictly."
    )


def _latent_figures(data: Evaluated, column: int) -> Iterator[ReportFigure]:
    data = data.of_architectures()
    latent = data.explanatory_latent()
    info = factor_map(latent, data.space)
    yield ReportFigure(
        key="map",
        title="What the dimensions of a code mean",
        figure=factor_map_figure(info),
        reading=(
            "A row is a dimension of a code of architectures, a column a concept of people. The "
            "darker, the more the dimension knows of the concept. “controls”: turning this knob "
            "changes this concept and mostly nothing else. “reads”: it knows the concept, but "
            "turning it does not change it."
        ),
    )
    rows = data.best_rows(_N_TRAVERSED, column)
    architectures = data.architectures(rows)
    names = [f"trial {number}" for number in data.numbers[rows]]
    for control, concept in _knobs(info.controls):
        yield ReportFigure(
            key=f"traversal-{control.latent}",
            title=f"Turning one knob: {concept.name}",
            figure=traversal_figure(latent, data.space, architectures, control, names=names),
            reading=(
                "Each row is one of the best architectures, and what becomes of it when dimension "
                f"{control.latent} alone is turned from low to high. In random architectures "
                f"{control.control:.0%} of the steps that change a concept change the "
                f"{concept.name} and nothing else. Highlighted is what is new."
            ),
        )


def _knobs(controls: Sequence[LatentControl]) -> list[tuple[LatentControl, Factor]]:
    """For some kinds of concepts the latent that controls one best, and the concept."""
    kinds = dict.fromkeys(c.controls.kind for c in controls if c.controls is not None)
    best = [controller_of(kind, controls) for kind in kinds]
    knobs = [(c, c.controls) for c in best if c is not None and c.controls is not None]
    return knobs[:_MAX_TRAVERSALS]
