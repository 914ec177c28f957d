"""Spaces in the user's own words: searched with their conditions, and kept with the study."""

from collections.abc import Callable
import math
from pathlib import Path

import numpy as np
import optuna
from optuna.trial import Trial
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas.explanation import explain
from optuna_dnas.search_space import ArchitectureSpace
from optuna_dnas.search_space import Choice
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import Repeat
from optuna_dnas.visualization import draw_architecture
from optuna_dnas.visualization import plot_latent_space

from .toy import MODEL_SOURCES
from .toy import params_of
from .toy import sources_of


LAYERS = Repeat({"width": Choice(16, 32, 64, 128), "norm": Choice(False, True)}, depth=(1, 5))
MLP = ArchitectureSpace(layers=LAYERS, head=Choice("mean", "cls"))


def width_loss(widths: list[int]) -> float:
    """Three layers of 64 are best."""
    return (len(widths) - 3) ** 2 / 4 + sum(abs(math.log2(w) - 6) for w in widths) / len(widths)


def suggested(trial: Trial) -> float:
    architecture = MLP.suggest(trial)
    loss = width_loss([layer.width for layer in architecture.layers])
    return loss + 0.2 * sum(not layer.norm for layer in architecture.layers)


def as_a_user_writes_it(trial: Trial) -> float:
    """Without the space; names are those that it has."""
    n = trial.suggest_int("n_layers", 1, 5)
    widths, n_plain = [], 0
    for k in range(n):
        widths.append(trial.suggest_categorical(f"layers_{k}_width", (16, 32, 64, 128)))
        n_plain += not trial.suggest_categorical(f"layers_{k}_norm", (False, True))
    trial.suggest_categorical("head", ("mean", "cls"))
    rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
    return width_loss(widths) + 0.2 * n_plain + abs(math.log10(rate) + 2) / 2


def search(
    objective: Callable[[Trial], float],
    sampler: DNASSampler,
    n_trials: int,
    path: str | None = None,
) -> optuna.Study:
    study = optuna.create_study(
        sampler=sampler, storage=path, study_name="mlp", load_if_exists=True
    )
    study.optimize(objective, n_trials=n_trials)
    return study


@pytest.mark.parametrize("objective", [suggested, as_a_user_writes_it])
def test_what_does_not_exist_is_not_asked_for_and_the_search_goes_on(
    objective: Callable[[Trial], float], config: DNASConfig, messages: Callable[[], list[str]]
) -> None:
    study = search(objective, DNASSampler(space=MLP, seed=0, config=config), 36)
    assert set(sources_of(study)[17:]) <= MODEL_SOURCES
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}
    for params in params_of(study):
        n_widths = sum(name.endswith("_width") for name in params)
        assert n_widths == params["n_layers"]
    assert len({repr(sorted(params.items())) for params in params_of(study)}) == 36
    assert messages() == []


def test_the_next_worker_need_not_be_told(config: DNASConfig, tmp_path: Path) -> None:
    path = f"sqlite:///{tmp_path}/study.db"
    whole = search(suggested, DNASSampler(space=MLP, seed=0, config=config), 24)
    search(suggested, DNASSampler(space=MLP, seed=0, config=config), 12, path)
    study = search(suggested, DNASSampler(seed=0, config=config), 12, path)
    assert params_of(study) == params_of(whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_the_best_architecture_is_found(seed: int) -> None:
    """Of 74,896, with 60 trials."""
    study = search(suggested, DNASSampler(space=MLP, seed=seed), 60)
    assert study.best_value == 0


def test_a_cost_is_a_limit_from_the_first_trial_on(config: DNASConfig) -> None:
    space = ArchitectureSpace(
        layers=LAYERS,
        head=Choice("mean", "cls"),
        cost=lambda a: Cost(flops=1, params=sum(layer.width for layer in a.layers)),
        limits={"params": 100},
    )
    study = search(suggested, DNASSampler(space=space, seed=0, config=config), 30)
    for params in params_of(study):
        architecture = space.params_to_architecture(params)
        assert sum(layer.width for layer in architecture.layers) <= 100


def test_a_study_is_explained_and_drawn_without_the_space(
    config: DNASConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    study = search(as_a_user_writes_it, DNASSampler(space=MLP, seed=0, config=config), 40)
    explanation = explain(study)
    assert explanation.space == "74,896 architectures, together with rate"
    factors = {finding.factor.name for finding in explanation.factors}
    assert "rate" in factors
    assert factors & {f"width of layer {k}" for k in range(1, 6)}
    figure = plot_latent_space(study)
    assert len(figure.data[0].x) > 0
    best = MLP.params_to_architecture(study.best_params)
    svg = draw_architecture(MLP, best)
    assert all(f"layers_{k}_width" in svg for k in range(len(best.layers)))


def test_a_declaration_that_a_later_version_wrote_is_no_error(config: DNASConfig) -> None:
    study = optuna.create_study(sampler=DNASSampler(seed=0, config=config))
    study.set_user_attr(
        "dnas:space", '{"kind": "ArchitectureSpace", "parts": [["a", {"new": 1}]]}'
    )
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=12)
    assert np.isfinite(study.best_value)
