import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
import pytest
from scipy.stats import chisquare
from scipy.stats import kstest

from optuna_dnas.controller import IdentityLatent
from optuna_dnas.search_space import FlatSpace


RANGES: dict[str, BaseDistribution] = {
    "op": CategoricalDistribution("abcd"),
    "switch": CategoricalDistribution((False, True)),
    "width": IntDistribution(1, 5),
    "rate": FloatDistribution(1e-4, 1.0, log=True),
    "drop": FloatDistribution(0.0, 0.9),
}
N_CHOICES = np.array([4, 2])
SPACE = FlatSpace(RANGES)
LATENT = IdentityLatent(SPACE)


def draw(n: int, seed: int = 0) -> np.ndarray:
    return LATENT.sample_prior(n, np.random.default_rng(seed))


def perturb(codes: np.ndarray, seed: int = 1) -> np.ndarray:
    return LATENT.perturb(codes, np.random.default_rng(seed))


def test_dimensions_are_the_parameters() -> None:
    assert LATENT.is_categorical.tolist() == [True, True, False, False, False]
    assert LATENT.relevance_group.tolist() == [0, 1, 2, 3, 4]
    assert (LATENT.half_width[:2] == 0).all()
    assert (LATENT.half_width[2:] > 0).all()


def test_typical_distance_is_that_of_two_random_codes() -> None:
    real = IdentityLatent(
        FlatSpace({"x": CategoricalDistribution("ab"), "y": FloatDistribution(0, 1)})
    )
    rng = np.random.default_rng(0)
    left, right = real.sample_prior(20_000, rng), real.sample_prior(20_000, rng)
    unequal = (left[:, 0] != right[:, 0]).mean()
    squared = ((left[:, 1] - right[:, 1]) ** 2).mean()
    np.testing.assert_allclose(real.typical_distance, [unequal, squared], rtol=0.05)


def test_codes_are_tokens() -> None:
    tokens = SPACE.sample_tokens(50, np.random.default_rng(0))
    np.testing.assert_array_equal(LATENT.decode(LATENT.encode(tokens)), tokens)
    assert LATENT.encode(tokens.astype(np.float32)).dtype == np.float64


def test_decoding_clips_numbers_and_keeps_what_is_inactive() -> None:
    codes = np.array([[3.0, 0.0, -0.3, 1.7, np.nan]])
    np.testing.assert_array_equal(LATENT.decode(codes), [[3.0, 0.0, 0.0, 1.0, np.nan]])


def test_the_prior_is_uniform() -> None:
    codes = draw(4_000)
    for dimension, n in enumerate(N_CHOICES):
        counts = np.bincount(codes[:, dimension].astype(int), minlength=n)
        assert len(counts) == n
        assert chisquare(counts).pvalue > 0.001
    assert chisquare(np.bincount(np.rint(codes[:, 2] * 4).astype(int))).pvalue > 0.001
    for dimension in (3, 4):
        assert kstest(codes[:, dimension], "uniform").pvalue > 0.001
    correlation = np.corrcoef(codes.T) - np.eye(5)
    assert np.abs(correlation).max() < 0.06


def test_every_move_changes_a_coordinate() -> None:
    codes = draw(5_000)
    assert (perturb(codes) != codes).any(axis=1).all()


@pytest.mark.parametrize("corner", [0.0, 1.0])
def test_moves_stay_in_the_space(corner: float) -> None:
    codes = np.where(LATENT.is_categorical, 1.0, corner)[None].repeat(5_000, axis=0)
    for _ in range(3):
        codes = perturb(codes)
        numbers, categories = codes[:, 2:], codes[:, :2]
        assert numbers.min() >= 0.0
        assert numbers.max() <= 1.0
        assert (categories == np.floor(categories)).all()
        assert (categories >= 0).all()
        assert (categories < N_CHOICES).all()


def test_another_category_is_drawn_uniformly_from_the_others() -> None:
    codes = np.zeros((20_000, 5))
    codes[:, 0] = 2.0
    moved = perturb(codes)[:, 0]
    counts = np.bincount(moved[moved != 2.0].astype(int), minlength=4)[[0, 1, 3]]
    assert counts.sum() > 2_000
    assert chisquare(counts).pvalue > 0.001


def test_a_third_of_the_moves_are_fine_and_touch_numbers_only() -> None:
    codes = np.full((9_000, 5), 0.5)
    codes[:, :2] = 1.0
    moved = perturb(codes)
    # The others leave the two real numbers together rarely, and never all three.
    all_numbers = (moved[:, 2:] != codes[:, 2:]).all(axis=1)
    no_category = (moved[:, :2] == codes[:, :2]).all(axis=1)
    step = np.abs(moved - codes)[all_numbers & no_category][:, 3:]
    assert 0.30 < (all_numbers & no_category).mean() < 0.40
    assert np.median(step) < 0.05
    coarse = np.abs(moved - codes)[~all_numbers][:, 3:]
    assert np.median(coarse[coarse > 0]) > np.median(step)


def test_moves_are_near_and_far() -> None:
    codes = np.full((5_000, 5), 0.5)
    codes[:, :2] = 0.0
    step = np.abs(perturb(codes) - codes)[:, 4]
    step = step[step > 0]
    assert np.quantile(step, 0.1) < 0.01
    assert np.quantile(step, 0.9) > 0.1


def test_reach_moves_numbers_farther_and_changes_the_same_ones() -> None:
    codes = np.full((5_000, 5), 0.5)
    codes[:, :2] = 0.0
    usual = perturb(codes)
    farther = LATENT.perturb(codes, np.random.default_rng(1), reach=2.0)
    np.testing.assert_array_equal(usual[:, :2], farther[:, :2])
    near, far = np.abs(usual - codes)[:, 4], np.abs(farther - codes)[:, 4]
    np.testing.assert_array_equal(near > 0, far > 0)
    assert np.quantile(far[far > 0], 0.9) > 1.2 * np.quantile(near[near > 0], 0.9)


def test_a_step_on_a_grid_reaches_the_next_value() -> None:
    codes = np.full((5_000, 5), 0.5)
    codes[:, :2] = 0.0
    moved = perturb(codes)
    changed = moved[:, 2] != 0.5
    width = np.array([p["width"] for p in SPACE.tokens_to_params(LATENT.decode(moved[changed]))])
    assert (width != 3).mean() > 0.4


def test_categories_alone_have_no_fine_moves() -> None:
    latent = IdentityLatent(FlatSpace({name: RANGES[name] for name in ("op", "switch")}))
    codes = latent.sample_prior(2_000, np.random.default_rng(0))
    moved = latent.perturb(codes, np.random.default_rng(1))
    assert (moved != codes).any(axis=1).all()
    assert (moved < N_CHOICES).all()
    assert (moved >= 0).all()


def test_a_single_category_stays() -> None:
    latent = IdentityLatent(
        FlatSpace({"x": CategoricalDistribution(("only",)), "y": FloatDistribution(0, 1)})
    )
    codes = latent.sample_prior(500, np.random.default_rng(0))
    moved = latent.perturb(codes, np.random.default_rng(1))
    assert (moved[:, 0] == 0).all()


def test_no_codes_are_moved_to_none() -> None:
    assert perturb(draw(0)).shape == (0, 5)
