import numpy as np
import pytest

from optuna_dnas.interpret import controller_of
from optuna_dnas.interpret import latent_controls
from optuna_dnas.interpret import LatentControl
from optuna_dnas.interpret import traversal_codes
from optuna_dnas.interpret import traverse
from optuna_dnas.interpret._traversal import compare_steps
from optuna_dnas.search_space import NASBench101Space

from .toy import LinearDecoding
from .toy import MODEL
from .toy import sample_digits


GRID = np.arange(0.0, 3.0)
IDENTITY = LinearDecoding(np.eye(3))
# The first latent moves both digits, the second a digit and the switch.
MIXED = LinearDecoding(np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]))


def codes(n: int = 60) -> np.ndarray:
    return sample_digits(n).astype(float)


def controls(decoding: LinearDecoding, known: np.ndarray) -> list[LatentControl]:
    factors = MODEL.measure(sample_digits(len(known)))
    return latent_controls(decoding, MODEL, known, factors, grid=GRID)


def test_a_traversal_moves_one_coordinate_and_leaves_the_others() -> None:
    moved = traversal_codes(codes(), 1, GRID)
    np.testing.assert_array_equal(moved[:, :, 1], np.tile(GRID, (60, 1)))
    still = np.repeat(codes()[:, None], 3, axis=1)
    np.testing.assert_array_equal(moved[:, :, [0, 2]], still[:, :, [0, 2]])


@pytest.mark.parametrize("dimension", range(3))
def test_the_identity_is_pure(dimension: int) -> None:
    steps = traverse(IDENTITY, MODEL, codes(), dimension, GRID)
    assert steps.purity(MODEL.basic) == 1
    assert steps.purity_by_kind(MODEL.factors, MODEL.basic) == 1
    np.testing.assert_array_equal(steps.alone(MODEL.basic), np.eye(4)[dimension])
    assert steps.reach == steps.of_factor(dimension) == 1
    assert steps.valid_share == 1


def test_a_step_that_changes_two_factors_of_a_kind_is_pure_by_kind_only() -> None:
    steps = traverse(MIXED, MODEL, np.zeros((1, 3)), 0, GRID)
    assert steps.purity(MODEL.basic) == 0
    assert steps.purity_by_kind(MODEL.factors, MODEL.basic) == 1
    assert (steps.alone(MODEL.basic) == 0).all()


def test_a_step_that_changes_two_kinds_is_not_pure() -> None:
    steps = traverse(MIXED, MODEL, np.zeros((1, 3)), 1, GRID[:2])
    assert steps.purity(MODEL.basic) == steps.purity_by_kind(MODEL.factors, MODEL.basic) == 0


def test_steps_that_change_nothing_do_not_count() -> None:
    steps = traverse(MIXED, MODEL, codes(), 2, GRID)
    assert steps.reach == 0
    assert np.isnan(steps.purity(MODEL.basic))
    assert (steps.alone(MODEL.basic) == 0).all()


def test_steps_from_or_to_what_is_invalid_do_not_count() -> None:
    no_two = LinearDecoding(np.eye(3), worst=2)
    steps = traverse(no_two, MODEL, np.array([[0.0, 1.0, 0.0]]), 0, GRID)  # sums 1, 2, 3
    assert steps.valid_share == pytest.approx(2 / 3)
    assert not steps.counts.any()


def test_another_architecture_with_equal_factors_is_an_impure_step() -> None:
    space = NASBench101Space()
    tokens = space.sample_tokens(3_000, np.random.default_rng(0))
    model = space.factor_model
    values = np.nan_to_num(model.measure(tokens)[:, model.basic], nan=-1)
    _, first, group = np.unique(values, axis=0, return_index=True, return_inverse=True)
    twins = np.flatnonzero((tokens != tokens[first[group]]).any(axis=1))
    pair = np.stack([tokens[twins], tokens[first[group[twins]]]], axis=1)  # (N, 2, T)
    steps = compare_steps(pair, np.ones(pair.shape[:2], dtype=bool), model)
    assert len(twins)
    assert steps.counts.all()
    assert steps.purity(model.basic) == 0


def test_the_identity_controls_what_it_knows() -> None:
    found = controls(IDENTITY, codes(300))
    assert {c.latent: c.controls for c in found} == dict(enumerate(MODEL.factors[:3]))
    for control in found:
        assert control.knows == control.controls
        assert control.knowledge == pytest.approx(1)
        assert control.control == control.purity == control.purity_by_kind == 1
        assert not control.is_read_out


def test_what_a_latent_knows_is_counted_in_nats() -> None:
    """Of a digit that is nearly always 0 a latent that tells it wholly knows little."""
    tokens = sample_digits(300)
    tokens[:, 0] = np.arange(300) < 6
    known = tokens.astype(float)
    known[:, 0] += 10 * known[:, 1]  # both digits
    found = latent_controls(IDENTITY, MODEL, known, MODEL.measure(tokens), grid=GRID)
    first = next(control for control in found if control.latent == 0)
    assert first.knows == MODEL.factors[1]
    assert [c.information for c in found] == sorted((c.information for c in found), reverse=True)


def test_a_latent_that_knows_and_does_nothing_is_a_read_out() -> None:
    lame = LinearDecoding(np.diag([1.0, 0.0, 1.0]))
    by_latent = {c.latent: c for c in controls(lame, codes(300))}
    assert by_latent[1].knows == MODEL.factors[1]
    assert by_latent[1].moves is by_latent[1].controls is None
    assert [by_latent[d].is_read_out for d in range(3)] == [False, True, False]


def test_a_latent_that_knows_one_factor_and_moves_another_is_a_read_out() -> None:
    swapped = LinearDecoding(np.eye(3)[[1, 0, 2]])
    by_latent = {c.latent: c for c in controls(swapped, codes(300))}
    assert by_latent[0].knows == by_latent[1].controls == MODEL.factors[0]
    assert [by_latent[d].is_read_out for d in range(3)] == [True, True, False]


def test_a_latent_that_moves_two_factors_controls_none() -> None:
    both = LinearDecoding(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    by_latent = {c.latent: c for c in controls(both, codes(300))}
    assert [by_latent[d].controls for d in range(3)] == [None, None, MODEL.factors[2]]


def test_a_concept_is_controlled_by_its_best_latent_or_by_none() -> None:
    found = controls(IDENTITY, codes(300))
    switch = controller_of("switch", found)
    assert switch is not None
    assert switch.latent == 2
    lame = LinearDecoding(np.diag([1.0, 1.0, 0.0]))
    assert controller_of("switch", controls(lame, codes(300))) is None
