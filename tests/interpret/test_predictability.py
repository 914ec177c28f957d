import math
import sys

import numpy as np
import pytest

from optuna_dnas.interpret import attribute_predictability
from optuna_dnas.interpret import dci
from optuna_dnas.interpret import separated_attribute_predictability
from optuna_dnas.interpret._predictability import disentanglement_completeness

from .test_information import grid


NUMBERS = (False,) * 3


def test_importances_that_are_a_permutation_are_wholly_disentangled_and_complete() -> None:
    permutation = np.eye(4)[[2, 0, 3, 1]]
    assert disentanglement_completeness(permutation) == pytest.approx((1, 1))


def test_equal_importances_are_neither() -> None:
    assert disentanglement_completeness(np.full((4, 3), 0.25)) == pytest.approx((0, 0))


def test_two_latents_for_each_factor_are_disentangled_but_not_complete() -> None:
    twice = np.repeat(np.eye(2), 2, axis=0) / 2  # (4, 2)
    disentanglement, completeness = disentanglement_completeness(twice)
    assert disentanglement == pytest.approx(1)
    assert completeness == pytest.approx(1 - math.log(2) / math.log(4))


def test_a_latent_that_nothing_needs_does_not_count() -> None:
    importances = np.vstack([np.eye(3), np.zeros(3)])
    disentanglement, completeness = disentanglement_completeness(importances)
    assert (disentanglement, completeness) == pytest.approx((1, 1))


def test_dci_of_permuted_factors_is_one() -> None:
    factors = grid(3, 3)
    assert dci(factors[:, [1, 2, 0]], factors) == pytest.approx((1, 1, 1), abs=1e-3)


def test_dci_of_independent_codes_tells_that_they_do_not_know() -> None:
    factors = grid(2, 4)
    codes = np.random.default_rng(0).standard_normal((len(factors), 2))
    found = dci(codes, factors)
    assert found.informativeness < 0.35
    assert found.disentanglement < 0.1


def test_dci_leaves_constant_and_unknown_factors_out() -> None:
    factors = grid(2, 3)
    unknown = np.full(len(factors), np.nan)
    padded = np.column_stack([factors, np.ones(len(factors)), unknown])
    assert dci(factors, padded).informativeness == pytest.approx(1)


def test_dci_without_scikit_learn_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(ImportError, match=r"optuna-dnas\[interpret\]"):
        dci(grid(), grid())


@pytest.mark.parametrize("is_nominal", [NUMBERS, (True,) * 3])
def test_permuted_numbers_are_separated_wholly(is_nominal: tuple[bool, ...]) -> None:
    factors = grid()
    shares = attribute_predictability(5 - factors[:, [1, 2, 0]], factors, is_nominal)
    np.testing.assert_allclose(shares, np.eye(3)[[1, 2, 0]], atol=1e-12)
    assert separated_attribute_predictability(shares) == pytest.approx(1)


def test_numbers_that_are_said_twice_are_not_separated() -> None:
    factors = grid()
    shares = attribute_predictability(np.tile(factors, 2), factors, NUMBERS)
    assert separated_attribute_predictability(shares) == pytest.approx(0)


def test_both_measures_agree_on_two_categories() -> None:
    rng = np.random.default_rng(0)
    factor = rng.integers(0, 2, (500, 1)).astype(float)
    codes = factor + rng.standard_normal((500, 3))
    np.testing.assert_allclose(
        attribute_predictability(codes, factor, (True,)),
        attribute_predictability(codes, factor, (False,)),
    )


def test_categories_have_no_order() -> None:
    factor = grid(1, 3)
    codes = np.abs(factor - 1)  # tells 1 from 0 and 2
    assert attribute_predictability(codes, factor, (False,))[0, 0] == pytest.approx(0)
    assert attribute_predictability(codes, factor, (True,))[0, 0] == pytest.approx(1)


def test_a_constant_latent_predicts_nothing() -> None:
    factors = grid()
    for is_nominal in (NUMBERS, (True,) * 3):
        shares = attribute_predictability(np.ones((len(factors), 2)), factors, is_nominal)
        np.testing.assert_array_equal(shares, 0)
