"""What may be tried again."""

import numpy as np

from optuna_dnas.strategies import Attempts
from optuna_dnas.strategies import Observations
from optuna_dnas.strategies import token_keys


A, B, C = b"a", b"b", b"c"


def after(*ends: tuple[bytes, bool]) -> Attempts:
    """One by one: a key, and whether it ended in an error."""
    attempts = Attempts()
    for key, is_error in ends:
        attempts.add([key], np.array([is_error]))
    return attempts


def test_what_was_evaluated_is_not_open() -> None:
    attempts = after((A, False), (B, True))
    assert attempts.evaluated == {A, B}
    assert attempts.open == {B: 1}


def test_a_second_attempt_that_succeeds_ends_it() -> None:
    attempts = after((A, True), (A, False))
    assert attempts.evaluated == {A}
    assert attempts.open == {}


def test_an_error_after_a_value_is_none_of_the_architecture() -> None:
    assert after((A, False), (A, True)).open == {}


def test_what_fails_by_itself_costs_few_trials() -> None:
    """However many architectures fail whenever they are tried."""
    n_attempts, attempts = 0, Attempts()
    keys = [bytes([k]) for k in range(50)]
    attempts.add(keys, np.ones(50, dtype=bool))
    while attempts.open:
        attempts.add([min(attempts.open)], np.array([True]))
        n_attempts += 1
    assert n_attempts == 6
    assert attempts.evaluated == set(keys)


def test_failures_by_chance_leave_nothing_closed() -> None:
    """30 % of all trials fail: in 200 studies of 100 architectures, which are lost for ever?"""
    n_lost = 0
    for seed in range(200):
        fails, attempts = np.random.default_rng(seed), Attempts()
        keys = [bytes([k]) for k in range(100)]
        attempts.add(keys, fails.random(100) < 0.3)
        while attempts.open:
            attempts.add([min(attempts.open)], fails.random(1) < 0.3)
        n_lost += len(attempts._failures)
    assert n_lost < 200 * 100 * 0.01


def test_one_by_one_is_all_at_once() -> None:
    rng = np.random.default_rng(0)
    tokens, is_error = rng.integers(0, 4, (60, 1)).astype(float), rng.random(60) < 0.5
    observations = Observations(tokens, np.zeros((60, 1)), np.zeros(60), is_error=is_error)
    at_once = Attempts.at(observations)
    one_by_one = after(*zip(token_keys(tokens), is_error, strict=True))
    assert at_once.evaluated == one_by_one.evaluated
    assert at_once.open == one_by_one.open
