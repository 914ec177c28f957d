"""Constraints that are predicted: where 0 lies among predictions, and what that postpones."""

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from optuna_dnas._typing import FloatArray
from optuna_dnas.controller import Features
from optuna_dnas.controller import FittedController
from optuna_dnas.controller import FrozenController
from optuna_dnas.controller import GaussianProcessConfig
from optuna_dnas.controller import IdentityLatent
from optuna_dnas.controller import Labelled
from optuna_dnas.strategies._constraints import feasible_until
from optuna_dnas.strategies._constraints import log_costs
from optuna_dnas.strategies._constraints import sampled_violations

from .toy import FLAT


FEATURES = Features(IdentityLatent(FLAT))
FAST = settings(derandomize=True, deadline=None, max_examples=200)
values = st.lists(
    st.one_of(st.integers(-9, 9).map(float), st.sampled_from([-np.inf, np.inf])),
    min_size=1,
    max_size=12,
)


@given(values, st.integers(0, 99))
@FAST
def test_the_threshold_parts_what_a_perfect_ranking_orders(
    observed: list[float], seed: int
) -> None:
    """Whatever the unit of the predictions is."""
    constraint = np.array(observed)
    unit = np.sort(np.random.default_rng(seed).normal(size=len(observed)))
    reference = unit[np.argsort(np.argsort(constraint, kind="stable"), kind="stable")]
    threshold = feasible_until(constraint, reference)
    if (constraint > 0).all():
        assert threshold is None
        return
    assert threshold is not None
    if (constraint <= 0).all():
        assert threshold == np.inf
    np.testing.assert_array_equal(reference <= threshold, constraint <= 0)


def test_the_threshold_is_interpolated() -> None:
    observed = np.array([-3.0, -1.0, 3.0, 5.0])
    assert feasible_until(observed, np.array([0.0, 1.0, 2.0, 3.0])) == pytest.approx(1.25)
    assert feasible_until(observed, np.array([3.0, 2.0, 1.0, 0.0])) == pytest.approx(1.25)
    assert feasible_until(np.array([0.0, 1.0]), np.array([5.0, 6.0])) == 5.0


def _fit(tokens: FloatArray, constraints: FloatArray) -> FittedController:
    controller = FrozenController(FEATURES, GaussianProcessConfig())
    labelled = Labelled(tokens, tokens[:, :1], None, constraints)
    return controller.fit(labelled, rng=np.random.default_rng(0))


def test_what_was_given_up_for_a_constraint_does_not_look_bad_otherwise() -> None:
    """The fit is that without it; what failed, or has a value, counts."""
    tokens = FLAT.sample_tokens(30, np.random.default_rng(1))
    values = tokens[:, :1].copy()
    constraints = np.full((30, 1), -1.0)
    values[20:] = np.inf
    constraints[20:] = 1.0
    labelled = Labelled(tokens, values, None, constraints)
    np.testing.assert_array_equal(labelled.is_measured, np.arange(30) < 20)
    controller = FrozenController(FEATURES, GaussianProcessConfig())
    measured = Labelled(tokens[:20], values[:20], None)
    features = FEATURES(tokens)
    expected, fitted = (
        controller.fit(data, rng=np.random.default_rng(0)) for data in (measured, labelled)
    )
    for model in (fitted, fitted.condition(labelled)):
        np.testing.assert_allclose(
            model.objectives.mean(features), expected.objectives.mean(features), atol=1e-6
        )

    assert Labelled(tokens, values, None, -constraints).is_measured[20:].all()
    assert Labelled(tokens, values, None).is_measured.all()
    assert Labelled(tokens[20:], values[20:], None, constraints[20:]).is_measured.all()


def _violations(constraints: FloatArray, n: int = 40, noise: float = 0.0) -> FloatArray:
    """Of the points that were observed, whose first coordinates ascend."""
    tokens = FLAT.sample_tokens(n, np.random.default_rng(0))
    tokens = tokens[np.argsort(tokens[:, 0])]
    requirements = _without_failures(constraints)
    fitted = _fit(tokens, requirements)
    features = FEATURES(tokens)
    return sampled_violations(
        fitted, features, features, requirements, noise, np.random.default_rng(0)
    )


def _without_failures(constraints: FloatArray) -> FloatArray:
    """(N, C) -> (N, 1 + C) as `Observations.requirements` has them."""
    return np.column_stack([np.full(len(constraints), np.nan), constraints])


def test_without_an_infeasible_one_nothing_is_postponed() -> None:
    assert not _violations(np.linspace(-2.0, 0.0, 40)[:, None]).any()
    tokens = FLAT.sample_tokens(5, np.random.default_rng(0))
    features = FEATURES(tokens)
    unconstrained = FrozenController(FEATURES, GaussianProcessConfig()).fit(
        Labelled(tokens, tokens[:, :1], None), rng=np.random.default_rng(0)
    )
    rng = np.random.default_rng(0)
    assert not sampled_violations(unconstrained, features, features, None, 1.0, rng).any()
    assert rng.random() == np.random.default_rng(0).random()  # no draw for nothing


def test_what_breaks_a_constraint_is_postponed_by_how_far() -> None:
    violations = _violations(np.linspace(-1.0, 1.0, 40)[:, None])
    assert not violations[:18].any()
    assert (violations[22:] > 0).all()
    assert np.corrcoef(violations[22:], np.arange(18))[0, 1] > 0.95


def test_constraints_add_up_in_units_of_their_own() -> None:
    one = np.linspace(-1.0, 1.0, 40)[:, None]
    np.testing.assert_allclose(
        _violations(np.concatenate([one, 1e6 * one], axis=1)), 2 * _violations(one), rtol=1e-6
    )


def test_as_long_as_all_are_infeasible_less_is_better() -> None:
    violations = _violations(np.linspace(1.0, 2.0, 40)[:, None])
    assert (violations > 0).all()
    assert np.corrcoef(violations, np.arange(40))[0, 1] > 0.95


def test_unknown_values_are_left_out() -> None:
    """A constraint that few trials have, and one that no trial has."""
    constraints = np.full((40, 2), np.nan)
    constraints[::3, 0] = np.linspace(-1.0, 1.0, 14)
    violations = _violations(constraints)
    assert np.isfinite(violations).all()
    assert not violations[:15].any()
    assert (violations[25:] > 0).all()
    assert not _violations(np.full((40, 1), np.nan)).any()


def test_one_known_value_is_enough_to_begin_with() -> None:
    constraints = np.full((40, 1), np.nan)
    constraints[7] = 1.0
    assert np.isfinite(_violations(constraints, noise=1.0)).all()


def test_new_values_are_taken_in_between_fits() -> None:
    tokens = FLAT.sample_tokens(40, np.random.default_rng(0))
    tokens = tokens[np.argsort(tokens[:, 0])]
    constraint = _without_failures(np.linspace(-1.0, 1.0, 40)[:, None])
    late = _fit(tokens[::4], constraint[::4]).condition(
        Labelled(tokens, tokens[:, :1], None, np.append(constraint, constraint[:, 1:], axis=1))
    )
    features = FEATURES(tokens)
    violations = sampled_violations(
        late, features, features, constraint, 0.0, np.random.default_rng(0)
    )
    assert not violations[:18].any()
    assert (violations[22:] > 0).all()


def test_failures_that_nothing_explains_forbid_nothing() -> None:
    """Nor do they forbid to repeat one; but where all of a kind fail, all are postponed."""
    rng = np.random.default_rng(0)
    tokens = FLAT.sample_tokens(60, rng)
    by_chance = np.where(rng.random(60) < 0.3, 1.0, -1.0)
    by_kind = np.where(tokens[:, 0] > 0.6, 1.0, -1.0)
    features = FEATURES(tokens)
    n_postponed = []
    for failure in (by_chance, by_kind):
        fitted = _fit(tokens, failure[:, None])
        failed = np.flatnonzero(failure > 0)
        violations = sampled_violations(
            fitted, features, features, failure[:, None], 0.0, np.random.default_rng(0), failed
        )
        n_postponed.append((violations[failed] > 0).mean())
        assert (violations[failure < 0] > 0).mean() < 0.1
    assert n_postponed[0] < 0.1
    assert n_postponed[1] > 0.9


def test_many_constraints_need_few_predictors() -> None:
    """Those violated most often have their own, the others share one."""
    tokens = FLAT.sample_tokens(40, np.random.default_rng(0))
    constraints = _without_failures(tokens[:, [0]] - np.linspace(0.2, 2.0, 60))
    few, many = _fit(tokens, constraints[:, :4]).constraints, _fit(tokens, constraints).constraints
    assert few is not None
    assert many is not None
    assert [part.columns.tolist() for part in few.parts] == [[1], [2], [3]]
    assert len(many.parts) == 4
    assert [part.columns.tolist() for part in many.parts[:3]] == [[1], [2], [3]]
    assert sorted(many.parts[3].columns) == list(range(4, 61))


def test_failures_never_share_a_predictor() -> None:
    tokens = FLAT.sample_tokens(40, np.random.default_rng(0))
    failures = np.where(np.arange(40) < 2, 1.0, -1.0)
    constraints = np.column_stack([failures, tokens[:, [0]] - np.linspace(0.0, 0.5, 20)])
    fitted = _fit(tokens, constraints).constraints
    assert fitted is not None
    assert fitted.parts[0].columns.tolist() == [0]


def test_none_of_many_constraints_is_forgotten() -> None:
    """Whatever their units: what breaks only the last one, which is broken least, is postponed."""
    x = np.linspace(-1.0, 1.0, 40)
    violated = [x] * 8  # by the upper half
    constraints = np.stack([*violated, 1e-6 * (-x - 0.5), np.full(40, -1e6)], axis=1)
    violations = _violations(constraints)
    assert (violations[:8] > 0).all()  # by the last one
    assert not violations[12:18].any()
    assert (violations[22:] > 0).all()


def test_of_constraints_that_share_a_predictor_any_may_be_unknown() -> None:
    constraints = np.full((40, 9), np.nan)
    for column in range(8):
        constraints[column::8, column] = np.linspace(-1.0, 1.0, 5)
    violations = _violations(constraints)
    assert np.isfinite(violations).all()
    assert not violations[:10].any()
    assert (violations[30:] > 0).all()


def test_what_costs_nothing_has_a_logarithm() -> None:
    """Below those of all other amounts, of whichever array; nothing else is changed."""
    first, second = log_costs(np.array([0.0, 4.0]), np.array([1.0, 0.0, 8.0]))
    np.testing.assert_array_equal(first, np.log([0.5, 4.0]))
    np.testing.assert_array_equal(second, np.log([1.0, 0.5, 8.0]))
    np.testing.assert_array_equal(log_costs(np.zeros(2))[0], [0.0, 0.0])
