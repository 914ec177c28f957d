"""Limits of cost: what is allowed, what is told of it, and what is refused."""

from collections.abc import Callable
import math
import re

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import COST_NAMES
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import LIMIT_KEYS
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import NetworkShape
from optuna_dnas.search_space import read_limits
from optuna_dnas.search_space import recognize

from .toy import CELLS


bounds = st.fixed_dictionaries(
    {}, optional={key: st.integers(1, 50) for key in LIMIT_KEYS}
).filter(lambda b: all(b.get(f"min_{n}", 0) < b.get(f"max_{n}", math.inf) for n in COST_NAMES))
costs = st.builds(Cost, st.integers(1, 60), st.integers(1, 60))
FAST = settings(derandomize=True, deadline=None, max_examples=200)


@given(bounds, costs)
@FAST
def test_allowed_is_what_has_no_excess(bounds: dict[str, float], cost: Cost) -> None:
    limits = CostLimits.by_name(**bounds)
    row = np.array([[cost.flops, cost.params]], dtype=float)
    excesses = limits.excesses(cost)
    is_allowed = max(excesses.values(), default=0) <= 0
    assert excesses.keys() == bounds.keys() == limits.by_key.keys()
    assert limits.is_bounded == bool(bounds)
    assert limits.allow(row).tolist() == [is_allowed]
    assert (limits.headroom(row)[0] >= 0) == is_allowed


@given(bounds, costs)
@FAST
def test_excesses_tell_the_limits(bounds: dict[str, float], cost: Cost) -> None:
    limits = CostLimits.by_name(**bounds)
    assert read_limits(cost, limits.excesses(cost)) == bounds
    assert CostLimits().replaced(read_limits(cost, limits.excesses(cost))) == limits


def test_headroom_is_a_share_of_the_tightest_maximum() -> None:
    limits = CostLimits.by_name(max_flops=100, max_params=10, min_flops=50)
    rows = np.array([[80.0, 5.0], [80.0, 9.0], [110.0, 5.0], [40.0, 5.0], [100.0, 10.0]])
    np.testing.assert_allclose(limits.headroom(rows), [0.2, 0.1, -0.1, -0.2, 0.0])
    assert limits.has_maximum.tolist() == [True, True]
    assert CostLimits.by_name(min_flops=5, max_params=9).has_maximum.tolist() == [False, True]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e300])
def test_a_constraint_that_tells_no_limit_is_passed_over(value: float) -> None:
    told = read_limits(Cost(5, 7), {"max_flops": value, "latency": 1.0, "min_params": -3.0})
    assert told == {"min_params": 4.0}


@pytest.mark.parametrize("max_vertices", [2, 3, 4, 5])
def test_a_limit_may_be_as_tight_as_the_cheapest_and_the_dearest_cell(max_vertices: int) -> None:
    space = NASBench101Space(max_vertices=max_vertices, network=NetworkShape(stem_channels=12))
    everything = space.token_costs(space.enumerate_tokens())

    def limited(**bounds: float) -> NASBench101Space:
        return NASBench101Space(
            max_vertices=max_vertices, network=space.network, limits=CostLimits.by_name(**bounds)
        )

    for k, name in enumerate(COST_NAMES):
        low, high = int(everything[:, k].min()), int(everything[:, k].max())
        limited(**{f"max_{name}": low})
        limited(**{f"min_{name}": high})
        with pytest.raises(ValueError, match=rf"`max_{name}` must be at least {low:,}, .*cheap"):
            limited(**{f"max_{name}": low - 1})
        with pytest.raises(ValueError, match=rf"`min_{name}` must be at most {high:,}, .*dear"):
            limited(**{f"min_{name}": high + 1})


def test_the_extremes_of_the_published_cells() -> None:
    low = re.escape("`max_params` must be at least 227,274")
    with pytest.raises(ValueError, match=low):
        NASBench101Space(limits=CostLimits.by_name(max_params=227_273))
    high = re.escape("`min_params` must be at most 49,979,274")
    with pytest.raises(ValueError, match=high):
        NASBench101Space(limits=CostLimits.by_name(min_params=5e7))


def test_limits_leave_the_space_as_it_is() -> None:
    limits = CostLimits.by_name(max_params=1_000_000)
    limited = NASBench101Space(max_vertices=5, limits=limits)
    assert (limited.limits, CELLS[5].limits) == (limits, CostLimits())
    assert limited.distributions == CELLS[5].distributions
    assert limited.size == CELLS[5].size
    np.testing.assert_array_equal(limited.enumerate_tokens(), CELLS[5].enumerate_tokens())
    recognized = recognize(limited.distributions)
    assert isinstance(recognized, NASBench101Space)
    assert (recognized.max_vertices, recognized.limits.is_bounded) == (5, False)
    assert "max_params" not in repr(CELLS[5])
    assert "1000000" in repr(limited)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CostLimits.by_name(max_flops=0), "`max_flops` must be positive, but got 0."),
        (lambda: CostLimits.by_name(max_params=math.nan), "`max_params` must be positive, but"),
        (lambda: CostLimits.by_name(min_flops=-1), "`min_flops` must not be negative, but got -1"),
        (
            lambda: CostLimits.by_name(min_params=7, max_params=7),
            "`min_params` must be less than `max_params`, but got 7 and 7.",
        ),
        (lambda: CostLimits.by_name(min_params=math.inf), "`min_params` must be less than"),
    ],
)
def test_bad_limits_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize("space", [NASBench101Space(max_vertices=5), MobileNetSpace()])
def test_limits_of_a_space_that_is_there_are_checked_as_those_of_a_new_one(
    space: NASBench101Space | MobileNetSpace,
) -> None:
    low, high = space.cost_range
    limits = CostLimits.by_name(max_flops=(low.flops + high.flops) / 2)
    limited = space.within(limits)
    assert limited.limits == limits
    assert limited.distributions == space.distributions
    assert not space.limits.is_bounded
    with pytest.raises(ValueError, match=f"`max_flops` must be at least {low.flops:,}"):
        space.within(CostLimits.by_name(max_flops=low.flops - 1))
