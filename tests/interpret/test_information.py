import math

import numpy as np
import pytest

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.interpret import information
from optuna_dnas.interpret import mutual_information_gap
from optuna_dnas.interpret._information import discretise
from optuna_dnas.interpret._information import entropy
from optuna_dnas.interpret._information import mutual_information


def grid(n_factors: int = 3, n_values: int = 4) -> FloatArray:
    """All combinations of independent uniform factors, 50 times."""
    axes = np.meshgrid(*[np.arange(float(n_values))] * n_factors, indexing="ij")
    return np.tile(np.stack([axis.ravel() for axis in axes], axis=1), (50, 1))


def labels(n: int = 1_000) -> IntArray:
    return np.random.default_rng(0).integers(0, 5, n)


def test_entropy_of_uniform_labels_is_the_logarithm_of_their_number() -> None:
    assert entropy(np.arange(60) % 6) == pytest.approx(math.log(6))
    assert entropy(np.zeros(9, dtype=int)) == 0


def test_labels_share_their_whole_entropy_with_themselves_under_any_names() -> None:
    a = labels()
    renamed = np.array([3, 0, 4, 1, 2])[a]
    assert mutual_information(a, renamed) == pytest.approx(entropy(a))


def test_independent_labels_share_nothing() -> None:
    a, b = np.divmod(np.arange(20), 5)
    assert mutual_information(a, b) == pytest.approx(0, abs=1e-12)


def test_information_is_symmetric() -> None:
    a, b = labels(), np.minimum(labels(), 2)
    assert mutual_information(a, b) == pytest.approx(mutual_information(b, a))
    assert mutual_information(a, b) == pytest.approx(entropy(b))


def test_few_values_are_bins_of_their_own_and_many_have_equal_widths() -> None:
    np.testing.assert_array_equal(discretise(np.array([7.0, -1.0, 7.0, 900.0])), [1, 0, 1, 2])
    np.testing.assert_array_equal(
        discretise(np.linspace(0, 1, 1_000), 4), np.repeat([0, 1, 2, 3], 250)
    )


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_the_gap_of_permuted_factors_is_one(order: tuple[int, ...]) -> None:
    factors = grid()
    codes = -3.0 * factors[:, order] + 1.0
    assert mutual_information_gap(information(codes, factors)) == pytest.approx(1)


def test_the_gap_of_independent_codes_is_about_zero() -> None:
    factors = grid()
    codes = np.random.default_rng(0).standard_normal((len(factors), 5))
    assert mutual_information_gap(information(codes, factors)) < 0.01


def test_the_gap_of_rotated_factors_is_about_zero() -> None:
    factors = grid(2, 20)
    rotation = np.array([[1.0, -1.0], [1.0, 1.0]]) / math.sqrt(2)
    assert mutual_information_gap(information(factors @ rotation, factors)) < 0.01


def test_the_gap_of_codes_that_say_it_twice_is_zero() -> None:
    factors = grid()
    shared = information(np.concatenate([factors, factors], axis=1), factors)
    assert mutual_information_gap(shared) == pytest.approx(0)


def test_the_gap_leaves_constant_factors_out() -> None:
    factors = np.column_stack([grid(), np.full(len(grid()), 7.0)])
    shared = information(grid(), factors)
    assert shared.entropies[-1] == 0
    np.testing.assert_array_equal(shared.normalised[:, -1], 0)
    assert mutual_information_gap(shared) == pytest.approx(1)
    with pytest.raises(ValueError, match="9 nats"):
        mutual_information_gap(shared, least_entropy=9)


def test_architectures_without_a_factor_do_not_count_for_it() -> None:
    factors = grid()
    some = factors.copy()
    some[: len(some) // 2, 0] = np.nan
    half = len(some) // 2
    shared = information(factors, some)
    assert shared.shared[0, 0] == pytest.approx(entropy(factors[half:, 0].astype(int)))
    all_unknown = np.full((len(factors), 1), np.nan)
    np.testing.assert_array_equal(information(factors, all_unknown).shared, 0)
