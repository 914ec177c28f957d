"""Effects are those that were planted, and none where there is none."""

import numpy as np
import pytest

from optuna_dnas.explanation._effects import _select
from optuna_dnas.explanation._effects import Effect
from optuna_dnas.explanation._effects import effects
from optuna_dnas.explanation._effects import MIN_TRIALS


N = 80


def draw(n_factors: int = 5, n: int = N) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2, (n, n_factors)).astype(float)


def estimate(factors: np.ndarray, losses: np.ndarray, **nominal: bool) -> list[Effect | None]:
    is_nominal = np.full(factors.shape[1], nominal.get("nominal", False))
    best = int(losses.argmin())
    return list(effects(factors, is_nominal, losses, best, np.random.default_rng(0)))


def test_effects_of_binary_factors_are_their_coefficients() -> None:
    x = draw()
    noise = 0.1 * np.random.default_rng(2).standard_normal(N)
    found = estimate(x, -1.0 * x[:, 0] - 0.5 * x[:, 3] + noise)
    for f, planted in ((0, -1.0), (3, -0.5)):
        effect = found[f]
        assert effect is not None
        assert effect.low < effect.value < effect.high < 0
        assert effect.value == pytest.approx(planted, abs=0.1)
        assert effect.is_clear
        assert effect.support == 1.0
    assert not any(e.is_clear for k, e in enumerate(found) if e is not None and k not in (0, 3))


def test_noise_has_no_clear_effect() -> None:
    found = estimate(draw(20), np.random.default_rng(3).standard_normal(N))
    assert not any(effect.is_clear for effect in found if effect is not None)


def test_a_factor_that_only_goes_with_another_one_has_none() -> None:
    rng = np.random.default_rng(4)
    cause = rng.integers(0, 5, N).astype(float)
    companion = cause + rng.integers(0, 2, N)
    first, second = estimate(np.stack([cause, companion], axis=1), -cause)
    assert first is not None
    assert first.is_clear
    assert second is not None
    assert not second.is_clear


def test_a_best_value_in_the_middle_is_found() -> None:
    x = np.random.default_rng(5).random((N, 3))
    found = estimate(x, (x[:, 1] - 0.5) ** 2)
    assert [e is not None and e.is_clear for e in found] == [False, True, False]


def test_names_have_no_order() -> None:
    x = np.random.default_rng(6).integers(0, 4, (N, 2)).astype(float)
    losses = np.array([0.0, 1.0, 0.2, 1.0])[x[:, 0].astype(int)]
    first, second = estimate(x, losses, nominal=True)
    assert first is not None
    assert first.value < -0.5
    assert second is not None
    assert not second.is_clear


def test_a_factor_may_not_apply() -> None:
    x = draw(3)
    x[:40, 1] = np.nan
    losses = np.where(np.isnan(x[:, 1]), 1.0, 0.0)
    found = estimate(x, losses)
    assert found[1] is not None
    assert found[1].is_clear


def test_one_disaster_does_not_decide() -> None:
    x = draw()
    losses = -1.0 * x[:, 0]
    losses[x[:, 0].argmin()] = 1e6
    effect = estimate(x, losses)[0]
    assert effect is not None
    assert effect.is_clear
    assert effect.value == pytest.approx(-1.0, abs=0.3)


def test_effects_are_the_same_again() -> None:
    x, losses = draw(), np.random.default_rng(7).random(N)
    assert estimate(x, losses) == estimate(x, losses)


def test_what_does_not_vary_has_no_effect() -> None:
    x = np.column_stack([draw(1), np.ones(N), np.full(N, np.nan)])
    first, second, third = estimate(x, -x[:, 0])
    assert first is not None
    assert second is third is None


def test_too_few_trials_tell_nothing() -> None:
    x = draw(2, MIN_TRIALS - 1)
    assert estimate(x, x[:, 0]) == [None, None]


def test_equal_losses_need_no_factor() -> None:
    assert _select([draw(1), draw(2)], np.ones(N)) == []
