"""What orders candidates: closed forms against samples."""

from dataclasses import replace

import numpy as np
import pytest

from optuna_dnas.strategies import SearchConfig
from optuna_dnas.strategies._acquisition import candidate_order
from optuna_dnas.strategies._acquisition import Evaluated
from optuna_dnas.strategies._acquisition import negative_improvements
from optuna_dnas.strategies._acquisition import Predictions
from optuna_dnas.strategies._acquisition import thompson_samples

from .toy import bowl
from .toy import CONFIG
from .toy import FLAT
from .toy import QUEUE
from .toy import Run


def test_expected_improvement_against_samples() -> None:
    rng = np.random.default_rng(0)
    means, deviations = rng.normal(size=(5, 1)), rng.uniform(0.2, 2.0, (5, 1))
    best = np.array([-0.3])
    samples = means + deviations * rng.standard_normal((5, 400_000))
    expected = np.maximum(best - samples, 0.0).mean(axis=1)
    np.testing.assert_allclose(
        negative_improvements(means, deviations, best)[:, 0], -expected, atol=5e-3
    )


def test_noise_leaves_the_share_of_an_improvement_that_an_evaluation_would_tell() -> None:
    """Of what is known but for the noise, nothing; of what is unknown, all."""
    means, best = np.full((3, 1), -0.3), np.zeros(1)
    deviations, noise = np.array([[1e-4], [0.5], [100.0]]), np.array([0.25])
    plain = negative_improvements(means, deviations, best)
    augmented = negative_improvements(means, deviations, best, noise)
    expected = [[0.0], [1.0 - np.sqrt(0.5)], [1.0]]
    np.testing.assert_allclose(augmented / plain, expected, atol=6e-3)
    np.testing.assert_array_equal(
        negative_improvements(means, deviations, best, np.zeros(1)), plain
    )


def test_with_noise_what_is_less_known_is_preferred_to_the_best_known() -> None:
    means, deviations = np.array([[-0.05], [0.2]]), np.array([[0.1], [0.3]])
    best = np.zeros(1)
    assert negative_improvements(means, deviations, best)[:, 0].argmin() == 0
    assert negative_improvements(means, deviations, best, np.array([0.06]))[:, 0].argmin() == 1


def test_without_hope_the_most_probable_comes_first() -> None:
    means = np.array([[80.0], [60.0], [70.0]])
    improvements = negative_improvements(means, np.ones((3, 1)), np.zeros(1))
    assert improvements[:, 0].argsort().tolist() == [1, 2, 0]


def test_thompson_samples_have_mean_and_deviation() -> None:
    rng = np.random.default_rng(0)
    means, deviations = np.full((100_000, 1), 3.0), np.full((100_000, 1), 0.5)
    samples = thompson_samples(means, deviations, 2.0, rng)
    assert samples.mean() == pytest.approx(3.0, abs=0.02)
    assert samples.std() == pytest.approx(1.0, abs=0.02)
    np.testing.assert_array_equal(thompson_samples(means, deviations, 0.0, rng), means)


@pytest.mark.parametrize("n_objectives", [1, 2])
@pytest.mark.parametrize("n_feasible", [0, 2])
def test_what_is_infeasible_comes_last_and_the_least_so_first(
    n_objectives: int, n_feasible: int
) -> None:
    """Also where there is nothing else."""
    rng = np.random.default_rng(0)
    means, deviations = rng.normal(size=(6, n_objectives)), np.ones((6, n_objectives))
    violations = np.array([3.0, 1.0, 6.0, 2.0, 5.0, 4.0])
    violations[:n_feasible] = 0.0
    values = rng.normal(size=(8, n_objectives))
    observed = Evaluated(values, values, None, np.ones(8, dtype=bool))
    predictions = Predictions(means, deviations, None, violations, None)
    order = list(candidate_order(predictions, observed, CONFIG, rng))
    assert set(order[:n_feasible]) == set(range(n_feasible))
    rest = [k for k in np.argsort(violations).tolist() if violations[k] > 0]
    assert order[n_feasible:] == rest


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_what_is_expected_hangs_on_no_draw(config: SearchConfig) -> None:
    for share in (1.0, 0.0):
        runs = [
            Run(FLAT, bowl, replace(config, improvement_share=share, noise=noise)).steps(20)
            for noise in (0.5, 2.0)
        ]
        one, other = (np.stack([p.tokens for p in run.proposals]) for run in runs)
        assert np.array_equal(one, other, equal_nan=True) == (share == 1)


def test_the_share_of_improvement_is_one() -> None:
    with pytest.raises(ValueError, match=r"improvement_share.*1\.5"):
        replace(CONFIG, improvement_share=1.5)
