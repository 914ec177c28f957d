"""The figure of each factor against quality."""

import numpy as np
import optuna
import pytest
from scipy.stats import spearmanr

from optuna_dnas import DNASConfig
from optuna_dnas.interpret import evaluated
from optuna_dnas.visualization import plot_factor_accuracy
from optuna_dnas.visualization._factor_accuracy import _get_factor_accuracy_info
from tests.visualization.studies import cell_study
from tests.visualization.studies import flat_study


def test_panels_are_dimensions_in_the_order_of_their_correlation(config: DNASConfig) -> None:
    study = cell_study(30)
    info = _get_factor_accuracy_info(study, None, 5, None, config.controller)
    data = evaluated(study)
    codes = data.latent(config.controller).encode(data.tokens)
    assert info.n_dimensions == len(info.panels) == codes.shape[1] == 8
    strengths = [abs(panel.correlation) for panel in info.panels]
    assert strengths == sorted(strengths, reverse=True)
    for panel in info.panels:
        own = codes[:, int(panel.name.removeprefix("z"))]
        assert (panel.codes == own).all()
        assert panel.correlation == pytest.approx(spearmanr(own, info.values).statistic)


def test_regions_are_around_the_best(config: DNASConfig) -> None:
    study = cell_study(30)
    info = _get_factor_accuracy_info(study, None, 4, None, config.controller)
    order = sorted(study.trials, key=lambda t: (-t.value, t.number))
    assert info.best.tolist() == [t.number for t in order[:4]]
    half_width = evaluated(study).latent(config.controller).half_width[0]
    for panel in info.panels:
        inside = [
            any(low <= z <= high for low, high in panel.regions) for z in panel.codes[info.best]
        ]
        assert all(inside)
        assert (panel.regions[1:, 0] > panel.regions[:-1, 1]).all()
        widths = panel.regions[:, 1] - panel.regions[:, 0]
        assert (widths >= 2 * half_width - 1e-9).all()
        assert widths.sum() <= 4 * 2 * half_width + 1e-9


def test_only_the_most_informative_eight_are_shown() -> None:
    study = cell_study(30)
    figure = plot_factor_accuracy(study)
    assert len(figure.data) == 2 * 8
    assert "the 8 of 16 dimensions" in figure.layout.title.text
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert len(titles) == 8
    assert all("Spearman" in title for title in titles)


def test_a_figure_shows_every_trial_and_every_region(config: DNASConfig) -> None:
    study = cell_study(30)
    info = _get_factor_accuracy_info(study, None, 3, None, config.controller)
    figure = plot_factor_accuracy(study, top_k=3, config=config.controller)
    assert [len(trace.x) for trace in figure.data] == [27, 3] * 8
    assert len(figure.layout.shapes) == sum(len(panel.regions) for panel in info.panels)
    assert [t.name for t in figure.data if t.showlegend] == ["other trials", "the best 3"]


def test_parameters_are_the_factors_of_a_flat_space() -> None:
    info = _get_factor_accuracy_info(flat_study(), None, 3, None, None)
    panels = {panel.name: panel for panel in info.panels}
    assert panels.keys() == {"rate", "depth", "kind", "momentum"}
    assert panels["rate"].correlation == pytest.approx(1.0)
    assert panels["momentum"].correlation == pytest.approx(1.0)
    assert np.isnan(panels["momentum"].codes).sum() == 10
    assert list(panels["kind"].ticks.values()) == ["adam", "sgd"]
    assert list(panels["depth"].ticks.values()) == ["1", "3", "5"]
    assert list(panels["rate"].ticks.values()) == ["0.0001", "0.01", "1"]
    # Trials 0 to 2 are the best: both categories, around their places.
    assert panels["kind"].regions.tolist() == [[-0.35, 0.35], [0.65, 1.35]]


def test_a_parameter_that_the_best_do_not_have_has_no_region() -> None:
    info = _get_factor_accuracy_info(flat_study(), None, 1, None, None)
    assert len(next(p for p in info.panels if p.name == "momentum").regions) == 0


def test_what_does_not_vary_has_no_correlation() -> None:
    info = _get_factor_accuracy_info(flat_study(1), None, 10, None, None)
    assert [panel.correlation for panel in info.panels] == [0.0, 0.0, 0.0]
    assert len(plot_factor_accuracy(flat_study(1)).data) == 6


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="`top_k` must be positive, but got 0"):
        plot_factor_accuracy(flat_study(), top_k=0)
    with pytest.raises(ValueError, match=r"`target` must be one of .* but got 'speed'"):
        plot_factor_accuracy(flat_study(), target="speed")
    with pytest.raises(ValueError, match="no completed trial"):
        plot_factor_accuracy(optuna.create_study())
