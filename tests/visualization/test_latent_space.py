"""The map of the latent space."""

import numpy as np
import optuna
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas.visualization import plot_latent_space
from optuna_dnas.visualization._latent_space import _get_latent_space_info
from optuna_dnas.visualization._latent_space import principal_components
from tests.visualization.studies import cell_study
from tests.visualization.studies import flat_study


def test_components_of_a_line_explain_everything() -> None:
    """Standardised, two proportional columns are one direction."""
    t = np.arange(10.0)
    scores, explained = principal_components(np.stack([t, 5 * t + 3], axis=1))
    assert np.allclose(explained, [1, 0])
    assert np.allclose(scores[:, 0], (t - t.mean()) / t.std() * np.sqrt(2))
    assert np.allclose(scores[:, 1], 0)


def test_components_are_uncorrelated_and_keep_the_variance() -> None:
    columns = np.random.default_rng(0).normal(size=(50, 2)) @ [[1.0, 0.8], [0.0, 0.6]]
    scores, explained = principal_components(columns)
    assert abs(np.corrcoef(scores.T)[0, 1]) < 1e-9
    assert np.allclose(scores.var(axis=0), 2 * explained)  # standardised: 2 in all
    assert explained.sum() == pytest.approx(1)


def test_components_do_not_depend_on_the_order_of_rows() -> None:
    columns = np.random.default_rng(0).normal(size=(30, 5))
    order = np.random.default_rng(1).permutation(30)
    assert np.allclose(
        principal_components(columns)[0][order], principal_components(columns[order])[0]
    )


@pytest.mark.parametrize("shape", [(1, 3), (5, 1), (2, 2)])
def test_few_trials_or_parameters_have_a_map(shape: tuple[int, int]) -> None:
    scores, explained = principal_components(np.random.default_rng(0).normal(size=shape))
    assert scores.shape == (shape[0], 2)
    assert np.isfinite(scores).all()
    assert 0 <= explained.sum() <= 1 + 1e-9


def test_what_is_missing_is_at_the_mean() -> None:
    columns = np.array([[0.0, 1.0], [1.0, np.nan], [2.0, 3.0]])
    assert np.isfinite(principal_components(columns)[0]).all()
    assert np.allclose(principal_components(columns)[0][1], 0)


def test_cells_are_mapped_by_the_latent(config: DNASConfig) -> None:
    study = cell_study(20)
    info = _get_latent_space_info(study, None, None, config.controller)
    assert info.coordinates.shape == (20, 2)
    assert info.explained[0] >= info.explained[1] > 0
    assert info.best == study.best_trial.number
    assert info.is_maximised
    assert info.values.tolist() == [t.value for t in study.trials]

    figure = plot_latent_space(study, config=config.controller)
    dots, best = figure.data
    assert len(dots.x) == 20
    assert dots.text[3].startswith("<b>trial 3</b>")
    assert (best.x[0], best.y[0]) == tuple(info.coordinates[info.best])
    assert f"{info.explained[0]:.0%} of the variance" in figure.layout.xaxis.title.text


def test_a_flat_space_is_mapped_by_its_parameters() -> None:
    study = flat_study()
    info = _get_latent_space_info(study, None, None, None)
    assert np.isfinite(info.coordinates).all()
    assert info.best == 0
    assert not info.is_maximised
    marker = plot_latent_space(study).data[0].marker
    # The lighter the better, and the worst tenth alike.
    assert marker.reversescale
    assert (marker.cmin, marker.cmax) == (0.0, pytest.approx(17.1))


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"`target` must be one of .* but got 'speed'"):
        plot_latent_space(flat_study(), target="speed")
    with pytest.raises(ValueError, match="no completed trial"):
        plot_latent_space(optuna.create_study())
