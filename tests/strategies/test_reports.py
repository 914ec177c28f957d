"""What a pruned trial is worth beside others."""

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from optuna_dnas._typing import FloatArray
from optuna_dnas.strategies import Observations
from optuna_dnas.strategies import Reports
from optuna_dnas.strategies._reports import comparable_values


NAN, INF = np.nan, np.inf
N_STEPS = 4


def study(
    curves: FloatArray, values: FloatArray, stops: list[int | None]
) -> tuple[FloatArray, Reports]:
    """Values and reports of trials with (N, S) curves, which stop after a step if not `None`."""
    at_steps, values = curves.copy(), values.copy()
    for n, stop in enumerate(stops):
        if stop is not None:
            at_steps[n, stop + 1 :] = NAN
            values[n] = curves[n, stop]
    is_pruned = np.array([stop is not None for stop in stops])
    return values, Reports(at_steps, np.where(is_pruned, values, curves[:, -1]), is_pruned)


def falling(losses: FloatArray) -> FloatArray:
    """(N,) -> (N, S) curves that end at the losses."""
    return losses[:, None] + 1.0 / np.arange(1, N_STEPS + 1) - 1.0 / N_STEPS


def test_without_pruned_trials_values_stay() -> None:
    values, reports = study(falling(np.arange(5.0)), np.arange(5.0), [None] * 5)
    assert comparable_values(values, reports).tolist() == values.tolist()
    observations = Observations(np.zeros((5, 1)), values[:, None], np.zeros(5))
    assert observations.with_comparable_values() is observations


def test_a_report_of_a_falling_loss_is_an_upper_bound_of_the_value() -> None:
    losses = np.arange(6.0)
    values, reports = study(falling(losses), losses, [None] * 4 + [0, 1])
    assert comparable_values(values, reports).tolist() == values.tolist()


CURVES = {
    "one fold": lambda losses: losses[:, None] * np.array([0.1, 1.2, 1.3, 1.4]),
    "a sum": lambda losses: np.cumsum(np.tile(losses[:, None], N_STEPS), axis=1) - 9.0,
    "another unit": lambda losses: falling(losses) / 100.0,
    "a rising loss": lambda losses: losses[:, None] * np.array([0.1, 0.4, 0.7, 1.0]),
    "a constant": lambda losses: np.zeros((len(losses), N_STEPS)),
}


@pytest.mark.parametrize("kind", CURVES)
def test_a_report_that_is_no_value_ranks_behind_the_values(kind: str) -> None:
    losses = np.arange(8.0)
    values, reports = study(CURVES[kind](losses), losses, [None] * 5 + [1, 0, 1])
    comparable = comparable_values(values, reports)
    assert comparable[:5].tolist() == values[:5].tolist()
    assert comparable[5:].min() > values[:5].max()
    assert np.isfinite(comparable).all()
    if kind != "a constant":
        assert comparable[5] < comparable[7]  # both at step 1


def test_few_complete_trials_show_nothing() -> None:
    losses = np.array([3.0, 4.0, 1.0])
    values, reports = study(falling(losses), losses, [None, None, 3])
    assert comparable_values(values, reports)[2] > 4.0


def test_successive_halving_orders_by_how_far_a_trial_came() -> None:
    """Each step halves those that are left: the order is that of the losses."""
    losses = np.arange(8.0)
    curves = losses[:, None] * 0.01 * np.arange(1, N_STEPS + 1)  # rises
    values, reports = study(curves, losses, [None, 2, 1, 1, 0, 0, 0, 0])
    assert np.argsort(comparable_values(values, reports)).tolist() == list(range(8))


def test_when_none_is_complete_reports_still_order() -> None:
    losses = np.array([2.0, 0.0, 1.0])
    values, reports = study(falling(losses), losses, [1, 1, 1])
    assert np.argsort(comparable_values(values, reports)).tolist() == [1, 2, 0]


def test_failures_stay_infinite_and_extreme_values_stay_finite() -> None:
    big = np.finfo(float).max
    values, reports = study(
        np.array([[0.0, 1.0]] * 5), np.array([-big, big, INF, -INF, 0.0]), [None] * 4 + [0]
    )
    comparable = comparable_values(values, reports)
    assert comparable[:4].tolist() == values[:4].tolist()
    assert np.isfinite(comparable[4])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), min_size=1, max_size=12))
@settings(derandomize=True, deadline=None)
def test_the_better_of_two_at_the_same_step_is_never_behind(
    trials: list[tuple[int, int]],
) -> None:
    losses = np.array([float(loss) for loss, _ in trials])
    stops = [None if stop == N_STEPS else stop for _, stop in trials]
    values, reports = study(CURVES["another unit"](losses), losses, stops)
    comparable = comparable_values(values, reports)
    for a, b in np.ndindex(len(trials), len(trials)):
        if stops[a] == stops[b] and losses[a] <= losses[b]:
            assert comparable[a] <= comparable[b]
