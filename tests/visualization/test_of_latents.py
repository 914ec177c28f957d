"""Figures of the latents of a study's space."""

import numpy as np
import optuna
import pytest

from optuna_dnas import DNASSampler
from optuna_dnas.interpret import evaluated
from optuna_dnas.interpret import guided_config
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.visualization import plot_factor_accuracy
from optuna_dnas.visualization import plot_factor_map
from optuna_dnas.visualization import plot_latent_traversal


@pytest.fixture(scope="module")
def study() -> optuna.Study:
    """Of 12 cells, the larger the better."""
    space = NASBench101Space()
    study = optuna.create_study(sampler=DNASSampler(space=space, seed=0))
    study.optimize(lambda trial: -float(space.suggest(trial).matrix.sum()), n_trials=12)
    return study


def test_cells_of_seven_vertices_are_explained_by_the_structure_supervised_latent(
    study: optuna.Study,
) -> None:
    latent = evaluated(study).explanatory_latent()
    guided = guided_config(evaluated(study).space)
    assert guided is not None
    codes = latent.sample_prior(5, np.random.default_rng(0))
    assert codes.shape == (5, guided.latent_dim)
    assert latent.encode(latent.decode(codes)).shape == codes.shape


@pytest.mark.slow
def test_a_row_for_each_of_the_best_architectures(study: optuna.Study) -> None:
    figure = plot_latent_traversal(study, 0, n_architectures=2, values=(-1.0, 0.0, 1.0))
    assert len(figure.layout.images) == 6
    chosen = plot_latent_traversal(study, n_architectures=1)
    assert len(chosen.layout.images) == 5


@pytest.mark.slow
@pytest.mark.parametrize("concept", ["operation", "skip connection", "number of layers"])
def test_each_concept_of_the_paper_has_a_latent_that_controls_it(
    study: optuna.Study, concept: str
) -> None:
    kinds = {f.name: f.kind for f in evaluated(study).space.factor_model.factors}
    title = plot_latent_traversal(study, concept=concept).layout.title.text.split("<br>")[0]
    assert kinds[title.partition("controls the ")[2]] == concept


@pytest.mark.slow
def test_the_map_says_which_concepts_are_controlled(study: optuna.Study) -> None:
    (heat_map,) = plot_factor_map(study).data
    words = {
        concept: word
        for row in heat_map.text
        for concept, word in zip(heat_map.x, row, strict=True)
        if word == "controls"
    }
    assert {"operation of vertex 1", "input-output skip", "number of edges"} <= words.keys()


def test_quality_by_concept(study: optuna.Study) -> None:
    figure = plot_factor_accuracy(study, top_k=3, explanatory=True)
    titles = " ".join(annotation.text for annotation in figure.layout.annotations)
    assert "number of edges" in titles  # What the objective is.
    assert "samples densely" not in figure.layout.title.text
    assert len(figure.layout.shapes) >= 8


def test_bad_arguments_and_undeclared_spaces(study: optuna.Study) -> None:
    with pytest.raises(ValueError, match=r"n_architectures.*0"):
        plot_latent_traversal(study, n_architectures=0)
    with pytest.raises(ValueError, match=r"dimension.*99"):
        plot_latent_traversal(study, 99)
    with pytest.raises(ValueError, match=r"concept.*skip connection.*'colour'"):
        plot_latent_traversal(study, concept="colour")
    with pytest.raises(ValueError, match=r"`dimension` and `concept`"):
        plot_latent_traversal(study, 0, concept="operation")
    flat = optuna.create_study()
    flat.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    with pytest.raises(ValueError, match="`study` has a space without a decoder"):
        plot_factor_map(flat)
    with pytest.raises(ValueError, match="`study` has a space without a decoder"):
        plot_factor_accuracy(flat, explanatory=True)
