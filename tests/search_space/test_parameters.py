"""What trials show of the parameters that an objective asks for."""

from collections.abc import Callable
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial
import pytest

from optuna_dnas.search_space import AskedParameters


UNIT = FloatDistribution(0.0, 1.0)
OPTIMIZERS = CategoricalDistribution(("adam", "sgd", "lion"))
ADAM, SGD = FloatDistribution(1e-5, 1e-3, log=True), FloatDistribution(1e-2, 1.0, log=True)


def asked(
    distributions_of: Callable[[int, dict[str, Any]], dict[str, BaseDistribution]],
    n: int,
    *,
    seed: int = 0,
) -> AskedParameters:
    """After trials with an optimizer, a number, and what else an objective asks for."""
    known = AskedParameters()
    rng = np.random.default_rng(seed)
    for k in range(n):
        params = {"optimizer": OPTIMIZERS.choices[rng.integers(3)], "x": rng.random()}
        distributions = {"optimizer": OPTIMIZERS, "x": UNIT, **distributions_of(k, params)}
        for name in distributions.keys() - params.keys():
            d = distributions[name]
            assert isinstance(d, FloatDistribution)
            params[name] = rng.uniform(d.low, d.high)
        known.add(
            create_trial(value=0.0, params=params, distributions=distributions), is_complete=True
        )
    return known


@pytest.mark.parametrize("n", [12, 30, 200])
def test_ranges_that_go_with_a_value_are_branches(n: int) -> None:
    def of_branch(_: int, params: dict[str, Any]) -> dict[str, BaseDistribution]:
        return {"lr": SGD if params["optimizer"] == "sgd" else ADAM}

    known = asked(of_branch, n)
    assert {known.distributions["lr"], *known.other_ranges["lr"]} == {ADAM, SGD}
    assert not known.foretells_range("lr")


def test_ranges_that_go_with_a_threshold_are_branches() -> None:
    known = asked(lambda _, params: {"lr": SGD if params["x"] > 0.6 else ADAM}, 60)
    assert {known.distributions["lr"], *known.other_ranges["lr"]} == {ADAM, SGD}


@pytest.mark.parametrize("n_old", [1, 10, 50, 90])
def test_a_range_that_has_changed_is_the_newest(n_old: int) -> None:
    known = asked(lambda k, _: {"lr": ADAM if k < n_old else SGD}, 100)
    assert known.distributions["lr"] == SGD
    assert known.other_ranges == {}
    assert known.foretells_range("lr")


def test_workers_that_change_one_after_the_other_make_no_branches() -> None:
    n_mistaken = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        is_new = [k >= 40 and (k >= 46 or rng.random() < 0.5) for k in range(100)]
        known = asked(lambda k, _, new=is_new: {"lr": SGD if new[k] else ADAM}, 100, seed=seed)
        assert known.distributions["lr"] == SGD
        n_mistaken += bool(known.other_ranges)
    assert n_mistaken <= 2


def test_computed_ranges_are_no_branches() -> None:
    known = asked(lambda _, params: {"y": FloatDistribution(0.0, 1.0 + params["x"])}, 60)
    assert known.other_ranges == {}


def test_what_one_trial_alone_had_is_not_known() -> None:
    known = asked(lambda k, _: {f"only_in_{k}": UNIT}, 40)
    assert known.distributions.keys() == {"optimizer", "x"}


def test_what_is_not_asked_for_any_more_is_forgotten_in_time() -> None:
    def dropped(k: int, _: dict[str, Any]) -> dict[str, BaseDistribution]:
        return {"y": UNIT} if k < 10 else {}

    assert "y" in asked(dropped, 15).distributions
    assert "y" not in asked(dropped, 25).distributions


def test_what_comes_and_goes_is_kept() -> None:
    def conditional(k: int, params: dict[str, Any]) -> dict[str, BaseDistribution]:
        return {"momentum": UNIT} if params["optimizer"] == "sgd" and k < 30 else {}

    assert "momentum" in asked(conditional, 100).distributions


def test_what_a_failed_trial_did_not_come_to_is_not_dropped() -> None:
    known = AskedParameters()
    for _ in range(2):
        known.add(create_trial(value=0.0, params={}, distributions={}), is_complete=True)
    params, distributions = {"x": 0.5, "y": 0.5}, {"x": UNIT, "y": UNIT}
    known.add(
        create_trial(value=0.0, params=params, distributions=distributions), is_complete=True
    )
    failed = create_trial(value=0.0, params={"x": 0.5}, distributions={"x": UNIT})
    for _ in range(5):
        known.add(failed, is_complete=False)
    assert known.distributions.keys() == {"x", "y"}
