"""Limits of cost: what is allowed, what is told of it, and what is refused."""

from collections.abc import Callable
import copy
import json
import math
import pickle
import re
from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import NetworkShape
from optuna_dnas.search_space import read_limits
from optuna_dnas.search_space import recognize

from .toy import CELLS


NAMES = ("flops", "params")
KEYS = tuple(f"{side}_{name}" for side in ("max", "min") for name in NAMES)

bounds = st.fixed_dictionaries({}, optional={key: st.integers(1, 50) for key in KEYS}).filter(
    lambda b: all(b.get(f"min_{n}", 0) < b.get(f"max_{n}", math.inf) for n in NAMES)
)
costs = st.builds(Cost, flops=st.integers(1, 60), params=st.integers(1, 60))
FAST = settings(derandomize=True, deadline=None, max_examples=200)


@given(bounds, costs)
@FAST
def test_allowed_is_what_has_no_excess(bounds: dict[str, float], cost: Cost) -> None:
    limits = CostLimits().replaced(bounds)
    row = np.array([[cost.flops, cost.params]], dtype=float)
    excesses = limits.excesses(cost)
    is_allowed = max(excesses.values(), default=0) <= 0
    assert excesses.keys() == bounds.keys() == limits.by_key.keys()
    assert bool(limits) == bool(bounds)
    assert limits.allow(row, NAMES).tolist() == [is_allowed]
    assert (limits.headroom(row, NAMES)[0] >= 0) == is_allowed


@given(bounds, costs)
@FAST
def test_excesses_tell_the_limits(bounds: dict[str, float], cost: Cost) -> None:
    limits = CostLimits().replaced(bounds)
    assert read_limits(cost, limits.excesses(cost)) == bounds
    assert CostLimits().replaced(read_limits(cost, limits.excesses(cost))) == limits


def test_headroom_is_a_share_of_the_tightest_maximum() -> None:
    limits = CostLimits({"flops": (50, 100), "params": 10})
    rows = np.array([[80.0, 5.0], [80.0, 9.0], [110.0, 5.0], [40.0, 5.0], [100.0, 10.0]])
    np.testing.assert_allclose(limits.headroom(rows, NAMES), [0.2, 0.1, -0.1, -0.2, 0.0])
    assert limits.has_maximum(NAMES).tolist() == [True, True]
    assert CostLimits({"flops": (5, None), "params": 9}).has_maximum(NAMES).tolist() == [
        False,
        True,
    ]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e300])
def test_a_constraint_that_tells_no_limit_is_passed_over(value: float) -> None:
    told = read_limits(
        Cost(flops=5, params=7), {"max_flops": value, "latency": 1.0, "min_params": -3.0}
    )
    assert told == {"min_params": 4.0}


@pytest.mark.parametrize("max_vertices", [2, 3, 4, 5])
def test_a_limit_may_be_as_tight_as_the_cheapest_and_the_dearest_cell(max_vertices: int) -> None:
    space = NASBench101Space(max_vertices=max_vertices, network=NetworkShape(stem_channels=12))
    everything = space.token_costs(space.enumerate_tokens())

    def limited(**bounds: float) -> NASBench101Space:
        return NASBench101Space(
            max_vertices=max_vertices, network=space.network, limits=CostLimits().replaced(bounds)
        )

    for k, name in enumerate(space.cost_names):
        low, high = int(everything[:, k].min()), int(everything[:, k].max())
        limited(**{f"max_{name}": low})
        limited(**{f"min_{name}": high})
        with pytest.raises(
            ValueError, match=rf"`limits\['{name}'\]` must be at least {low:,}, .*cheap"
        ):
            limited(**{f"max_{name}": low - 1})
        with pytest.raises(
            ValueError, match=rf"least of `limits\['{name}'\]` must be at most {high:,}, .*dear"
        ):
            limited(**{f"min_{name}": high + 1})


def test_the_extremes_of_the_published_cells() -> None:
    low = re.escape("`limits['params']` must be at least 227,274")
    with pytest.raises(ValueError, match=low):
        NASBench101Space(limits={"params": 227_273})
    high = re.escape("The least of `limits['params']` must be at most 49,979,274")
    with pytest.raises(ValueError, match=high):
        NASBench101Space(limits={"params": (5e7, None)})


def test_limits_leave_the_space_as_it_is() -> None:
    limits = CostLimits({"params": 1_000_000})
    limited = NASBench101Space(max_vertices=5, limits=limits)
    assert (limited.limits, CELLS[5].limits) == (limits, CostLimits())
    assert limited.distributions == CELLS[5].distributions
    assert limited.size == CELLS[5].size
    np.testing.assert_array_equal(limited.enumerate_tokens(), CELLS[5].enumerate_tokens())
    recognized = recognize(limited.distributions)
    assert isinstance(recognized, NASBench101Space)
    assert (recognized.max_vertices, recognized.limits) == (5, CostLimits())
    assert "limits" not in repr(CELLS[5])
    assert "1000000" in repr(limited)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CostLimits({"flops": 0}), "`limits['flops']` must be positive, but got 0."),
        (lambda: CostLimits({"params": math.nan}), "`limits['params']` must be positive, but"),
        (
            lambda: CostLimits({"flops": (-1, None)}),
            "The least of `limits['flops']` must not be negative, but got -1",
        ),
        (
            lambda: CostLimits({"params": (7, 7)}),
            "The least of `limits['params']` must be less than the most, but got 7 and 7.",
        ),
        (lambda: CostLimits({"flops": None}), "`limits['flops']` must be a number, or a pair"),
        (lambda: CostLimits({"flops": "12"}), "`limits['flops']` must be a number, or a pair"),
        (lambda: CostLimits({"flops": (1, 2, 3)}), "and the most, but got (1, 2, 3)."),
        (
            lambda: NASBench101Space(limits={"memory": 5}),
            "`limits` must be of ('flops', 'params'), but got 'memory'.",
        ),
        (
            lambda: CostLimits({"params": (math.inf, None)}),
            "The least of `limits['params']` must be less than",
        ),
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
    limits = CostLimits({"flops": (low.flops + high.flops) / 2})
    limited = space.within(limits)
    assert limited.limits == limits
    assert limited.distributions == space.distributions
    assert not space.limits
    with pytest.raises(ValueError, match=rf"`limits\['flops'\]` must be at least {low.flops:,}"):
        space.within({"flops": low.flops - 1})


def test_limits_are_a_mapping_of_what_is_limited() -> None:
    limits = CostLimits({"b": 5, "a": (1, 2.5), "c": (None, None), "d": (0, math.inf)})
    assert limits == {"a": (1, 2.5), "b": (None, 5)}
    assert CostLimits(limits) == limits
    assert hash(CostLimits(limits)) == hash(limits)
    assert limits.by_key == {"max_b": 5, "max_a": 2.5, "min_a": 1}
    assert CostLimits().replaced(limits.by_key) == limits
    assert limits.of(["b", "e"]) == {"b": (None, 5)}
    assert type(CostLimits({"a": np.int64(3)})["a"][1]) is int
    assert pickle.loads(pickle.dumps(limits)) == limits


def test_limits_are_of_costs_in_the_order_of_their_names() -> None:
    limits = CostLimits({"b": 5, "a": (1, None)})
    rows = np.array([[1.0, 5.0, 9.0], [1.0, 6.0, 9.0], [0.5, 5.0, 9.0]])
    assert limits.allow(rows, ("a", "b", "c")).tolist() == [True, False, False]
    assert limits.allow(rows[:, ::-1], ("c", "b", "a")).tolist() == [True, False, False]
    assert limits.has_maximum(("a", "b", "c")).tolist() == [False, True, False]


def test_a_cost_is_a_mapping_with_attributes() -> None:
    cost = Cost(flops=7, memory_mb=1.5)
    assert (cost.flops, cost["memory_mb"]) == (7, 1.5)
    assert dict(cost) == {"flops": 7, "memory_mb": 1.5}
    assert repr(cost) == "Cost(flops=7, memory_mb=1.5)"
    assert cost == Cost(memory_mb=1.5, flops=7)
    assert hash(cost) == hash(Cost(memory_mb=1.5, flops=7))
    assert cost != Cost(flops=7, memory_mb=1.25)
    assert copy.deepcopy(cost) == pickle.loads(pickle.dumps(cost)) == cost
    with pytest.raises(AttributeError, match="params"):
        cost.params  # noqa: B018
    with pytest.raises(AttributeError):
        cost.flops = 8


def test_amounts_of_arrays_become_plain_numbers() -> None:
    cost = Cost(flops=np.int64(7), params=np.float32(0.5))
    assert [type(amount) for amount in cost.values()] == [int, float]
    assert json.loads(json.dumps(dict(cost))) == {"flops": 7, "params": 0.5}


@pytest.mark.parametrize("value", [-1, math.inf, math.nan, "7", None])
def test_what_is_no_amount_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=re.escape("`memory` of a `Cost` must be a finite num")):
        Cost(flops=1, memory=value)


def test_a_cost_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one amount"):
        Cost()
