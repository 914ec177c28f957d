"""The example of the figures runs as it is."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from optuna_dnas import visualization
from tests.test_examples import run


@pytest.mark.slow
def test_plots(tmp_path: Path) -> None:
    run("plots.py", str(tmp_path))
    ElementTree.fromstring((tmp_path / "best.svg").read_text())
    plots = {name for name in visualization.__all__ if name.startswith("plot_")}
    stems = {path.stem for path in tmp_path.glob("*.html")}
    assert {stem.partition("-")[0] for stem in stems} == plots
    assert sum(stem.startswith("plot_latent_traversal-") for stem in stems) == 3
    assert (tmp_path / "plot_budget_front.html").stat().st_size < 150_000
