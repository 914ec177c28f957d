from dataclasses import replace

import numpy as np
import pytest

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.strategies import DenseRegions
from optuna_dnas.strategies import LatentSearch
from optuna_dnas.strategies import SearchConfig
from optuna_dnas.strategies import token_keys
from optuna_dnas.strategies import WholeSpace
from optuna_dnas.strategies._search import _to_objective_units

from .toy import bowl
from .toy import CELLS
from .toy import CONFIG
from .toy import FLAT
from .toy import heavy
from .toy import make_controller
from .toy import QUEUE
from .toy import Run
from .toy import Spy


# -- Proposals


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_sources_and_predictions(config: SearchConfig) -> None:
    run = Run(FLAT, bowl, config).steps(25)
    assert {p.source for p in run.proposals[:6]} == {"startup"}
    assert all(p.prediction is None for p in run.proposals[:6])
    later = run.proposals[6:]
    assert {p.source for p in later} <= {"dense", "local", "prior", "gradient"}
    assert len({p.source for p in later}) > 1
    values = run.observations.values
    for k, proposal in enumerate(later):
        assert proposal.prediction is not None
        assert proposal.prediction.shape == (1,)
        assert values[: 6 + k].min() <= proposal.prediction[0] <= values[: 6 + k].max()


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_predictions_follow_the_values(config: SearchConfig) -> None:
    run = Run(FLAT, bowl, config).steps(60)
    later = run.proposals[20:]
    predicted = [p.prediction[0] for p in later if p.prediction is not None]
    assert np.corrcoef(predicted, run.observations.values[20:, 0])[0, 1] > 0.3


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_the_search_is_better_than_chance(config: SearchConfig) -> None:
    """A random search of 40 has a median regret of about 0.018."""
    regrets = [
        Run(FLAT, bowl, config, seed=seed).steps(40).observations.values.min() for seed in range(5)
    ]
    assert np.median(regrets) < 0.001


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_infinite_values_do_no_harm(config: SearchConfig) -> None:
    def objective(tokens: TokenArray) -> FloatArray:
        return np.where(tokens[:, :1] > 0.5, np.inf, bowl(tokens))

    run = Run(FLAT, objective, config).steps(20)
    assert np.isfinite(run.observations.values[12:]).mean() > 0.5
    for proposal in run.proposals[6:]:
        assert proposal.prediction is not None
        assert np.isfinite(proposal.prediction).all()


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_several_objectives_are_searched_in_several_directions(config: SearchConfig) -> None:
    def objective(tokens: TokenArray) -> FloatArray:
        return np.stack([tokens[:, 0], 1 - tokens[:, 0] + (tokens[:, 1] - 0.5) ** 2], axis=1)

    run = Run(FLAT, objective, config).steps(40)
    values = run.observations.values[15:]
    prediction = run.proposals[-1].prediction
    assert prediction is not None
    assert prediction.shape == (2,)
    assert values[:, 0].min() < 0.15
    assert values[:, 0].max() > 0.85
    assert np.median(values.sum(axis=1)) < 1.05  # on the front it is 1


# -- Pseudo-labels


def test_pseudo_labels_are_new_valid_and_predicted() -> None:
    pool = (WholeSpace(share=0.4), DenseRegions(share=0.4))
    config = replace(QUEUE, n_pseudo_labelled=300, pool_strategies=pool)
    spy = Spy(make_controller(CELLS, config))
    run = Run(CELLS, heavy, config)
    run.search = LatentSearch(CELLS, lambda: spy, config)
    run.steps(7)
    assert [pseudo is None for pseudo in spy.pseudo] == [True, False]
    pseudo = spy.pseudo[1]
    assert pseudo is not None
    assert len(pseudo.tokens) > 200
    canonical, valid = CELLS.canonicalize(pseudo.tokens)
    assert valid.all()
    np.testing.assert_array_equal(canonical, pseudo.tokens)
    keys = set(token_keys(canonical))
    assert len(keys) == len(canonical)
    assert not keys & set(token_keys(run.tokens[:6]))
    assert pseudo.values.shape == (len(canonical), 1)
    np.testing.assert_array_equal(pseudo.costs, CELLS.token_costs(canonical))
    assert np.corrcoef(pseudo.values[:, 0], heavy(canonical)[:, 0])[0, 1] > 0.2


def test_pool_without_strategies_is_random() -> None:
    config = replace(QUEUE, n_pseudo_labelled=300)
    spy = Spy(make_controller(CELLS, config))
    run = Run(CELLS, heavy, config)
    run.search = LatentSearch(CELLS, lambda: spy, config)
    run.steps(7)
    pseudo = spy.pseudo[1]
    assert pseudo is not None
    # More than the decoder of any latent would find, and no cell of the first six.
    assert len(pseudo.tokens) > 200
    assert not set(token_keys(pseudo.tokens)) & set(token_keys(run.tokens[:6]))


def test_predictions_are_on_the_scale_of_what_has_a_value() -> None:
    """Whatever is predicted of what failed."""
    values = np.array([[3.0], [1.0], [np.inf], [2.0], [np.inf]])
    reference = np.array([[0.3], [0.1], [-5.0], [0.2], [0.15]])
    means = np.array([[0.1], [0.2], [0.3], [0.25]])
    expected = _to_objective_units(means, reference, values)
    np.testing.assert_allclose(expected, [[1.0], [2.0], [3.0], [2.5]])


# -- Settings


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("round_size", 0, "`round_size` must be positive, but got 0"),
        ("n_candidates", 0, "`n_candidates` must be positive, but got 0"),
        ("n_directions", -1, "`n_directions` must be positive, but got -1"),
        ("max_observations", 0, "`max_observations` must be positive, but got 0"),
        ("n_startup_trials", -1, "`n_startup_trials` must not be negative, but got -1"),
        ("noise", -0.1, "`noise` must not be negative, but got -0.1"),
        ("n_pseudo_labelled", -1, "`n_pseudo_labelled` must not be negative, but got -1"),
        ("pool_strategies", (WholeSpace(share=1.5),), "must not exceed 1, but sum to 1.5"),
        ("strategies", (), "`strategies` must not be empty"),
    ],
)
def test_bad_settings_are_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **{name: value})


def test_without_startup_trials_the_first_one_is_random() -> None:
    run = Run(FLAT, bowl, replace(CONFIG, n_startup_trials=0)).steps(3)
    assert [p.source == "startup" for p in run.proposals] == [True, False, False]
