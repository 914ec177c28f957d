"""The figure of one architecture, and pictures within figures."""

import base64

import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial
import plotly.graph_objects as go
import pytest

from optuna_dnas.search_space import ModelSpec
from optuna_dnas.visualization import draw_architecture
from optuna_dnas.visualization import plot_architecture
from optuna_dnas.visualization._architecture import _get_architecture_info
from optuna_dnas.visualization._picture import picture_image
from optuna_dnas.visualization._picture import picture_parts
from tests.trials import CELLS
from tests.visualization.studies import cell_study
from tests.visualization.studies import flat_study


def test_the_best_trial_is_drawn() -> None:
    study = cell_study()
    best = study.best_trial
    info = _get_architecture_info(study, None, None, None)
    spec = ModelSpec.parse(best.user_attrs["architecture"])
    assert info.picture == CELLS.picture(spec)
    assert info.title == f"Validation accuracy {100 * best.value:.2f} %"
    assert info.subtitle == (
        f"trial {best.number}: rank 1 of 30, {best.user_attrs['flops']:,} multiply-adds, "
        f"{best.user_attrs['params']:,} parameters"
    )


def test_a_given_trial_is_drawn() -> None:
    study = cell_study(5, metrics=("validation_accuracy", "flops"))
    order = sorted(study.trials, key=lambda t: -t.values[0])
    for rank, trial in enumerate(order, 1):
        info = _get_architecture_info(study, trial, "validation_accuracy", None)
        assert f"trial {trial.number}: rank {rank} of 5 in validation accuracy" in info.subtitle
        assert info.picture == CELLS.picture(ModelSpec.parse(trial.user_attrs["architecture"]))


def test_a_trial_beyond_its_limits_says_so() -> None:
    study = cell_study(limits={"flops": 100_000})
    beyond = next(t for t in study.trials if t.constraints["max_flops"] > 0)
    assert "breaks a limit" in _get_architecture_info(study, beyond, None, None).subtitle
    assert "breaks a limit" not in _get_architecture_info(study, None, None, None).subtitle


def test_trials_of_other_studies_are_refused() -> None:
    trial = create_trial(params={"x": 1}, distributions={"x": FloatDistribution(0, 1)}, value=0.0)
    trial.number = 100
    with pytest.raises(ValueError, match=r"`trial` must be a completed trial .* number 100"):
        plot_architecture(cell_study(3), trial)


def test_a_figure_has_a_shape_a_box_and_two_an_arrow() -> None:
    study = cell_study()
    figure = plot_architecture(study)
    picture = _get_architecture_info(study, None, None, None).picture
    assert isinstance(figure, go.Figure)
    assert len(figure.layout.shapes) == len(picture.boxes) + 2 * len(picture.arrows)
    assert len(figure.layout.annotations) == len(picture.boxes)
    low, high = figure.layout.yaxis.range
    assert low > high, "y goes down, as in the picture"


def test_a_figure_keeps_proportions() -> None:
    layout = plot_architecture(cell_study()).layout
    width = layout.width - layout.margin.l - layout.margin.r
    height = layout.height - layout.margin.t - layout.margin.b
    x, y = (abs(axis.range[1] - axis.range[0]) for axis in (layout.xaxis, layout.yaxis))
    assert width / x == pytest.approx(height / y)


def test_a_flat_architecture_is_a_table() -> None:
    figure = plot_architecture(flat_study())
    texts = [annotation.text for annotation in figure.layout.annotations]
    assert texts == ["depth", "1", "kind", "adam", "rate", "0.0001"]


def test_an_image_holds_the_svg() -> None:
    spec = CELLS.params_to_architecture(cell_study(1).trials[0].params)
    image = picture_image(CELLS.picture(spec), x=0.5, y=0.5, width=0.2, height=0.3)
    code = image["source"].removeprefix("data:image/svg+xml;base64,")
    assert base64.b64decode(code).decode() == draw_architecture(CELLS, spec)
    figure = go.Figure().add_layout_image(image)
    assert figure.layout.images[0].sizing == "contain"


def test_highlights_are_checked() -> None:
    spec = CELLS.params_to_architecture(cell_study(1).trials[0].params)
    with pytest.raises(ValueError, match=r"`highlight` must be of .* but got 17"):
        picture_parts(CELLS.picture(spec), font_size=12, highlight=[17])


def test_a_study_without_trials() -> None:
    with pytest.raises(ValueError, match="no completed trial"):
        plot_architecture(optuna.create_study())
