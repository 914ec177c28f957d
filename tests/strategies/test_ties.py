"""Exactly equal values tell which tokens do not matter."""

import numpy as np
import pytest

from optuna_dnas.strategies._state import Observations
from optuna_dnas.strategies._ties import change_probabilities
from optuna_dnas.strategies._ties import postpone_ties
from optuna_dnas.strategies._ties import tie_probabilities


def draw(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Eight categories of four; the value is decided by the first four."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 4, (n, 8)).astype(float)
    # Neighbours, as a search has them: some differ in what matters, some in what does not.
    tokens[n // 2 :] = tokens[: n - n // 2]
    moved = rng.integers(0, 8, n - n // 2)
    tokens[np.arange(n // 2, n), moved] = rng.integers(0, 4, n - n // 2)
    return tokens, tokens[:, :4] @ [1.0, 0.1, 0.01, 0.001]


@pytest.mark.parametrize("seed", range(5))
def test_what_does_not_matter_is_found(seed: int) -> None:
    change = change_probabilities(*draw(120, seed))
    assert change is not None
    assert change[:4].min() > 0.5 > change[4:].max()


def test_different_values_tell_nothing() -> None:
    tokens, values = draw(60)
    values = values + 1e-3 * np.random.default_rng(1).standard_normal(60)
    assert change_probabilities(tokens, values) is None


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_or_failed_trials_tell_nothing(n: int) -> None:
    tokens = np.zeros((n, 8))
    assert change_probabilities(tokens, np.full(n, np.inf)) is None
    assert n > 2 or change_probabilities(tokens, np.zeros(n)) is None


def test_a_tie_is_as_probable_as_that_nothing_changes() -> None:
    change = np.array([0.5, 0.9])
    observed = np.array([[0.0, 0.0], [1.0, 1.0]])
    candidates = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    expected = [1.0, 0.5, 0.5, 0.05]
    np.testing.assert_allclose(
        tie_probabilities(change, observed, candidates), expected, rtol=1e-5
    )


def test_probable_ties_come_last_in_their_order() -> None:
    tokens, values = draw(120)
    observations = Observations(tokens, values[:, None], np.zeros(120))
    same, other = tokens[:20].copy(), tokens[:20].copy()
    same[:, 4:] = (same[:, 4:] + 1) % 4
    other[:, :4] = 9.0
    candidates = np.concatenate([same, other])
    given = np.random.default_rng(0).permutation(40)
    late = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        order = list(postpone_ties(iter(given), candidates, observations, rng))
        assert sorted(order) == list(range(40))
        assert [k for k in order if k >= 20] == [k for k in given if k >= 20]
        late += sum(k < 20 for k in order[20:])
    assert late > 0.6 * 20 * 20
