"""What failed, as one more requirement beside the constraints."""

import numpy as np
import pytest

from optuna_dnas.strategies import Observations


INF, NAN = np.inf, np.nan


def observe(values: list[list[float]], constraints: list[list[float]] | None) -> Observations:
    n = len(values)
    known = None if constraints is None else np.array(constraints)
    return Observations(np.arange(float(n))[:, None], np.array(values), np.zeros(n), known)


@pytest.mark.parametrize("constraints", [None, [[1.0, NAN], [-1.0, 0.0]]])
def test_without_failures_there_is_nothing_to_predict_of_them(
    constraints: list[list[float]] | None,
) -> None:
    observations = observe([[1.0], [-INF]], constraints)
    assert not observations.failed.any()
    if constraints is None:
        assert observations.requirements is None
    else:
        expected = [[NAN, 1.0, NAN], [NAN, -1.0, 0.0]]
        np.testing.assert_array_equal(observations.requirements, expected)


def test_a_failure_has_no_value_of_any_objective() -> None:
    observations = observe([[1.0, 2.0], [INF, 3.0], [INF, INF]], None)
    assert observations.failed.tolist() == [False, False, True]
    np.testing.assert_array_equal(observations.requirements, [[-1.0], [-1.0], [1.0]])


def test_what_was_given_up_for_a_constraint_neither_failed_nor_succeeded() -> None:
    observations = observe([[INF], [INF], [INF], [1.0]], [[2.0], [-1.0], [NAN], [NAN]])
    assert observations.failed.tolist() == [False, True, True, False]
    expected = [[NAN, 2.0], [1.0, -1.0], [1.0, NAN], [-1.0, NAN]]
    np.testing.assert_array_equal(observations.requirements, expected)


def test_columns_stay_where_they_are_when_something_fails() -> None:
    """A fit from before knows constraints by their columns."""
    before = observe([[1.0], [2.0]], [[-1.0], [3.0]])
    after = observe([[1.0], [2.0], [INF]], [[-1.0], [3.0], [NAN]])
    np.testing.assert_array_equal(after.requirements[:2, 1:], before.requirements[:, 1:])
