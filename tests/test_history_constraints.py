"""Limits and constraints are read from trials."""

from collections.abc import Callable
from collections.abc import Mapping
import math
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState
import pytest

from optuna_dnas._history import History
from optuna_dnas._optuna_compat import publish_params
from optuna_dnas._optuna_compat import suggest
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import NASBench101Space
from tests.trials import CELLS
from tests.trials import FINISHED
from tests.trials import FLAT
from tests.trials import keys_of
from tests.trials import make_cell_trial
from tests.trials import make_flat_trial
from tests.trials import MAXIMIZE
from tests.trials import MINIMIZE
from tests.trials import sample_cells


_LIMITED = NASBench101Space(max_vertices=5, limits={"params": 3_000_000})


def test_violations_add_up_what_is_above_zero() -> None:
    trials = [
        make_flat_trial(0, {"n": 0, "x": 0.5}, constraints={"a": 2.0, "b": -5.0, "c": 1.0}),
        make_flat_trial(1, {"n": 1, "x": 0.5}, constraints={"a": -2.0, "b": 0.0}),
        make_flat_trial(2, {"n": 2, "x": 0.5}),
    ]
    history = History(FLAT, [MINIMIZE])
    history.update(trials)
    np.testing.assert_array_equal(history.observations.violations, [3.0, 0.0, 0.0])


def _cost(cell: Mapping[str, Any]) -> Cost:
    return CELLS.cost(CELLS.params_to_architecture(cell))


LIMIT_KEYS = ("max_flops", "max_params", "min_flops", "min_params")


def _trials(
    constraints_of: Callable[[Cost], Mapping[str, float]], n: int = 2, **kwargs: Any
) -> list[FrozenTrial]:
    return [
        make_cell_trial(k, cell, constraints=constraints_of(_cost(cell)), **kwargs)
        for k, cell in enumerate(sample_cells(n))
    ]


@pytest.mark.parametrize("key", LIMIT_KEYS)
def test_a_cost_limit_is_read_back_from_any_two_constrained_trials(key: str) -> None:
    """Of cells in whatever vertex order they are written, though the order changes the cost."""
    rng = np.random.default_rng(0)
    limits = CostLimits().replaced({key: 1_000_000})
    n_told = 0
    before = sample_cells(1)[0]
    for k in range(300):
        params = {
            n: d.choices[rng.integers(len(d.choices))] for n, d in CELLS.distributions.items()
        }
        if not CELLS.canonicalize(CELLS.params_to_tokens([params]))[1][0]:
            continue
        history = History(CELLS, [MINIMIZE])
        pair = [
            make_cell_trial(2 * k + m, cell, constraints=limits.excesses(_cost(cell)))
            for m, cell in enumerate((before, params))
        ]
        history.update(pair)
        if _cost(before)[key[4:]] != _cost(params)[key[4:]]:
            n_told += 1
            assert history.cost_limits == limits
            assert history.observations.constraints is None  # exact: nothing to predict
        before = params
    assert n_told > 100


@pytest.mark.parametrize("key", LIMIT_KEYS)
@pytest.mark.parametrize(
    "count",
    [
        lambda cost: cost / 1e6,  # in millions
        lambda cost: 1.1 * cost,  # of another network
        lambda cost: 0.0,  # constant
    ],
    ids=["millions", "another network", "constant"],
)
def test_who_counts_otherwise_tells_no_limit(key: str, count: Callable[[float], float]) -> None:
    """It is a constraint as any other, whatever its name."""
    sign = 1.0 if key.startswith("max") else -1.0

    def constrain(cost: Cost) -> dict[str, float]:
        return {key: sign * (count(cost[key[4:]]) - count(1e6))}

    history = History(CELLS, [MINIMIZE])
    for k in range(1, 9):
        history.update(_trials(constrain, 8)[:k])
        assert not history.cost_limits
    assert history.observations.constraints is not None
    assert history.observations.constraints.shape == (8, 1)


def test_a_limit_may_be_changed_but_not_by_every_trial() -> None:
    cells = sample_cells(12)

    def limit_after(bounds: list[float]) -> dict[str, float]:
        history = History(CELLS, [MINIMIZE])
        history.update(
            [
                make_cell_trial(
                    k, cell, constraints=CostLimits({"params": bound}).excesses(_cost(cell))
                )
                for k, (cell, bound) in enumerate(zip(cells, bounds, strict=False))
            ]
        )
        return history.cost_limits.by_key

    assert limit_after([1e6] * 4 + [2e6]) == {}
    assert limit_after([1e6] * 4 + [2e6] * 4) == {"max_params": 2e6}
    assert limit_after([1e6, 2e6] * 2 + [3e6] * 8) == {}


@pytest.mark.parametrize("state", FINISHED)
def test_a_limit_is_read_back_from_trials_without_a_value(state: TrialState) -> None:
    history = History(CELLS, [MINIMIZE])
    limits = CostLimits({"flops": 5, "params": (2, None)})
    history.update(_trials(limits.excesses, state=state))
    assert history.cost_limits == limits
    assert len(history.observations.tokens) == 2 * (state == TrialState.COMPLETE)


def test_declared_limits_go_before_those_that_trials_tell() -> None:
    declared = CostLimits({"params": 2_000_000})
    history = History(NASBench101Space(max_vertices=5, limits=declared), [MINIMIZE])
    assert history.cost_limits == declared
    trials = [
        *_trials(CostLimits({"params": 1e6, "flops": (7.0, None)}).excesses),
        *_trials(CostLimits({"params": (3e6, None)}).excesses, 4)[2:],
    ]
    for n in (2, 4):
        history.update(trials[:n])
        # The last one would leave nothing.
        assert history.cost_limits == declared.replaced({"min_flops": 7.0})


@pytest.mark.parametrize("constraints", [{}, {"latency": 1.0}])
def test_other_constraints_are_no_cost_limits(constraints: dict[str, float]) -> None:
    history = History(CELLS, [MINIMIZE])
    history.update([make_cell_trial(0, sample_cells(1)[0], constraints=constraints)])
    assert not history.cost_limits


def test_a_flat_space_knows_no_cost_limit() -> None:
    history = History(FLAT, [MINIMIZE])
    trial = make_flat_trial(0, {"n": 0, "x": 0.5}, constraints={"max_params": 1.0})
    trial.params = {"n": 99, "x": 0.5}  # of an earlier, wider range
    history.update([trial])
    assert not history.cost_limits
    assert history.observations.violations == [1.0]


def test_constraints_have_a_column_each_in_the_order_of_their_appearance() -> None:
    trials = [
        make_flat_trial(0, {"n": 0, "x": 0.5}),
        make_flat_trial(1, {"n": 1, "x": 0.5}, constraints={"b": 1.0, "max_flops": -2.0}),
        make_flat_trial(2, {"n": 2, "x": 0.5}, constraints={"a": 3.0}),
        make_flat_trial(3, {"n": 3, "x": 0.5}, constraints={"a": -math.inf, "b": -1.0}),
    ]
    nan = math.nan
    expected = [[nan, nan, nan], [1, -2, nan], [nan, nan, 3], [-1, nan, -math.inf]]
    at_once, one_by_one = History(FLAT, [MINIMIZE]), History(FLAT, [MINIMIZE])
    at_once.update(trials)
    for k in range(4):
        one_by_one.update(trials[: k + 1])
    for history in (at_once, one_by_one):
        np.testing.assert_array_equal(history.observations.constraints, expected)
        taken = history.observations.take(np.array([3, 1])).constraints
        np.testing.assert_array_equal(taken, [expected[3], expected[1]])
    unconstrained = History(FLAT, [MINIMIZE])
    unconstrained.update(trials[:1])
    assert unconstrained.observations.constraints is None


def test_nan_is_infeasible_and_unknown() -> None:
    history = History(FLAT, [MINIMIZE])
    trials = [
        make_flat_trial(0, {"n": 0, "x": 0.5}, constraints={"a": 0.0, "b": 1.0}),
        make_flat_trial(1, {"n": 1, "x": 0.5}, constraints={"a": -1.0, "b": math.inf}),
    ]
    trials[0].system_attrs["constraints:a"] = math.nan  # Optuna itself refuses to set one
    history.update(trials)
    np.testing.assert_array_equal(history.observations.violations, [math.inf, math.inf])
    np.testing.assert_array_equal(
        history.observations.constraints, [[math.nan, 1.0], [-1.0, math.inf]]
    )


@pytest.mark.parametrize("state", [TrialState.PRUNED, TrialState.FAIL])
@pytest.mark.parametrize(
    ("constraints", "is_observed", "failed"),
    [
        ({"latency": 1.0}, True, False),
        ({"latency": -1.0}, True, True),
        ({"max_params": -1.0}, True, True),
        ({"max_params": 1.0}, False, False),
        ({"max_params": 1.0, "latency": 1.0}, False, False),
    ],
)
def test_why_a_cell_was_given_up(
    state: TrialState, constraints: dict[str, float], is_observed: bool, failed: bool
) -> None:
    """A limit of cost is no news, a broken constraint no failure."""
    history = History(_LIMITED, [MAXIMIZE])
    trial = make_cell_trial(0, sample_cells(1)[0], state=state, constraints=constraints)
    history.update([trial])
    assert history.taken([trial], but=-1) == keys_of(CELLS, trial.params)
    assert history.observations.values.tolist() == ([[math.inf]] if is_observed else [])
    assert history.observations.failed.tolist() == ([failed] if is_observed else [])


def test_limits_are_read_of_trials_that_gave_up_early() -> None:
    study = optuna.create_study()
    name, distribution = next(iter(CELLS.distributions.items()))
    limits = CostLimits({"params": 5})
    for cell in sample_cells(2):
        trial = study.ask()
        publish_params(study, study.trials[-1], cell)
        suggest(trial, name, distribution)
        trial.set_constraint(
            "max_params", limits.excesses(_cost(cell | trial.params))["max_params"]
        )
        study.tell(trial, state=TrialState.PRUNED)
    history = History(CELLS, [MAXIMIZE])
    history.update(study.trials)
    assert history.cost_limits == limits
    assert len(history.observations.tokens) == 0
