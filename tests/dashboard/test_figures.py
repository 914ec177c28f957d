"""Figures stay small, and are drawn seldom."""

from base64 import b64decode
from collections.abc import Callable
import json
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import plotly.graph_objects as go
import pytest

from optuna_dnas.dashboard._callback import is_due
from optuna_dnas.dashboard._figures import compact
from optuna_dnas.dashboard._figures import publish_figures
from optuna_dnas.dashboard._format import optuna_dashboard
from optuna_dnas.dashboard._format import read_attrs
from optuna_dnas.dashboard._format import write_figure
from tests.visualization.studies import cell_study
from tests.visualization.studies import flat_study


MAX_CHARACTERS = 150_000


def written(study: optuna.Study) -> dict[str, str]:
    part = optuna_dashboard("._custom_plot_data")
    figures: dict[str, str] = part.get_plotly_graph_objects(read_attrs(study))
    return figures


def decoded(array: dict[str, str]) -> npt.NDArray[Any]:
    return np.frombuffer(b64decode(array["bdata"]), dtype=array["dtype"])


@pytest.mark.parametrize(
    ("make", "n"), [(cell_study, 1000), (flat_study, 1000), (flat_study, 3000)]
)
def test_figures_are_small_and_whole(make: Callable[[int], optuna.Study], n: int) -> None:
    study = make(n)
    publish_figures(study, {}, None, None)
    figures = written(study)
    assert len(figures) >= 3
    for name, text in figures.items():
        assert len(text) < MAX_CHARACTERS, name
        go.Figure(json.loads(text))


def test_a_shorter_figure_replaces_a_longer_one() -> None:
    study = optuna.create_study()
    for text in ("a" * 100_000, "b" * 40_000, "c" * 70_000):
        write_figure(study, read_attrs(study), "name", text)
        assert written(study) == {"name": text}


def test_thinning_keeps_points_together_and_the_last_one() -> None:
    n = 5000
    numbers = np.arange(n)
    figure = go.Figure(go.Scatter(x=numbers, y=2.0 * numbers, text=[str(k) for k in numbers]))
    (trace,) = json.loads(compact(figure))["data"]
    x, y = decoded(trace["x"]), decoded(trace["y"])
    assert len(x) == 1000
    assert x[-1] == n - 1
    np.testing.assert_array_equal(y, 2.0 * x)
    assert [int(text) for text in trace["text"]] == x.tolist()


def test_a_small_figure_keeps_its_texts() -> None:
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0.5, 1.5], text=["a<br>b<br>c<br>d", "e"]))
    (trace,) = go.Figure(json.loads(compact(figure))).data
    assert list(trace.text) == ["a<br>b<br>c<br>d", "e"]


def test_figures_are_drawn_at_growing_intervals() -> None:
    due = [n for n in range(1, 5001) if is_due(n, 5)]
    assert due[:12] == [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 61]
    steps = np.diff(due)
    assert (steps <= np.maximum(5, 0.11 * np.array(due[:-1]))).all()
    assert len([n for n in due if n <= 1000]) < 45
