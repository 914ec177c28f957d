from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
import pytest

from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space._activity import ActivityTree

from .toy import FLAT


def observe(
    distributions: dict[str, BaseDistribution],
    objective,  # all values -> names of those that are asked for
    n: int = 80,
    seed: int = 0,
) -> FlatSpace:
    """A space after trials of an objective that asks for some of the parameters."""
    space = FlatSpace(distributions)
    drawn = space.sample(np.random.default_rng(seed), n)
    trials = [{name: a[name] for name in objective(a)} for a in drawn]
    return space.conditioned_on(space.params_to_tokens(trials))


def check(space: FlatSpace, objective, n: int = 300, seed: int = 1) -> None:
    """Canonical samples and dicts hold exactly what the objective asks for."""
    drawn = FlatSpace(space.distributions).sample(np.random.default_rng(seed), n)
    for architecture in drawn:
        assert set(space.canonical(architecture)) == set(objective(architecture))
    for architecture in space.sample(np.random.default_rng(seed), n):
        filled = drawn[0] | architecture
        assert set(architecture) == set(objective(filled))


BINARY = CategoricalDistribution((0, 1))


@pytest.mark.parametrize("names", [("x", "y", "z"), ("z", "y", "x")])
def test_one_parameter_switches_another_on(names: tuple[str, ...]) -> None:
    ranges = {"x": BINARY, "y": FloatDistribution(0.0, 1.0), "z": FloatDistribution(0.0, 1.0)}

    def objective(a: dict[str, Any]) -> list[str]:
        return ["x", "z", *(["y"] if a["x"] else [])]

    check(observe({name: ranges[name] for name in names}, objective), objective)


def test_a_number_of_units() -> None:
    ranges: dict[str, BaseDistribution] = {
        f"unit_{i}": IntDistribution(8, 64, log=True) for i in range(4)
    }

    def objective(a: dict[str, Any]) -> list[str]:
        return ["n_layers", *(f"unit_{i}" for i in range(a["n_layers"]))]

    check(observe(ranges | {"n_layers": IntDistribution(1, 4)}, objective), objective)


@pytest.mark.parametrize("order", [1, -1])
def test_nested_conditions(order: int) -> None:
    """A switch that is itself switched tells all about the pattern, but decides only a part."""
    ranges: dict[str, BaseDistribution] = {
        "model": CategoricalDistribution(("forest", "linear", "boosting")),
        "booster": CategoricalDistribution(("tree", "dart")),
        "rate": FloatDistribution(0.0, 1.0),
    }

    def objective(a: dict[str, Any]) -> list[str]:
        if a["model"] != "boosting":
            return ["model"]
        return ["model", "booster", *(["rate"] if a["booster"] == "dart" else [])]

    space = observe(dict(list(ranges.items())[::order]), objective)
    check(space, objective)


def test_irrelevant_discrete_parameters_do_not_mislead() -> None:
    ranges: dict[str, BaseDistribution] = {
        "a_noise": IntDistribution(0, 31),
        "b_noise": BINARY,
        "switch": CategoricalDistribution("abc"),
        "y": FloatDistribution(0.0, 1.0),
    }

    def objective(a: dict[str, Any]) -> list[str]:
        return ["a_noise", "b_noise", "switch", *(["y"] if a["switch"] == "b" else [])]

    for seed in range(10):
        check(observe(ranges, objective, n=20, seed=seed), objective, n=50)


def test_a_trial_that_ended_early_does_not_mislead() -> None:
    space = FlatSpace({"x": BINARY, "y": FloatDistribution(0.0, 1.0)})
    trials = [{"x": 0}, {"x": 1, "y": 0.5}] * 20 + [{}]
    conditioned = space.conditioned_on(space.params_to_tokens(trials))
    assert conditioned.canonical({"x": 0, "y": 0.2}) == {"x": 0}
    assert conditioned.canonical({"x": 1, "y": 0.2}) == {"x": 1, "y": 0.2}


def test_without_conditions_nothing_is_learned() -> None:
    tokens = FLAT.sample_tokens(30, np.random.default_rng(0))
    conditioned = FLAT.conditioned_on(tokens)
    np.testing.assert_array_equal(conditioned.canonicalize(tokens)[0], tokens)


def test_what_no_token_explains_follows_the_majority() -> None:
    tokens = np.array([[0.0, 1.0]] * 3 + [[0.0, np.nan]] * 2)
    tree = ActivityTree.fit(tokens, np.array([True, True]))
    np.testing.assert_array_equal(tree.predict(np.array([[0.0, 0.5]])), [[True, True]])


def test_an_unseen_value_goes_with_the_nearest() -> None:
    tokens = np.array([[0.0, 0.5], [0.2, 0.5], [0.8, np.nan], [1.0, np.nan]])
    tree = ActivityTree.fit(tokens, np.array([True, False]))
    active = tree.predict(np.array([[0.3, 0.5], [0.7, 0.5]]))
    np.testing.assert_array_equal(active, [[True, True], [True, False]])


@pytest.fixture
def conditional() -> FlatSpace:
    ranges = {"x": BINARY, "y": IntDistribution(0, 2), "z": IntDistribution(5, 5)}
    return observe(ranges, lambda a: ["x", "y"] if a["x"] else ["x", "z"])


def test_canonicalize_drops_what_is_inactive_and_is_idempotent(conditional: FlatSpace) -> None:
    raw = FlatSpace(conditional.distributions).sample_tokens(50, np.random.default_rng(0))
    once, valid = conditional.canonicalize(raw)
    assert valid.all()
    np.testing.assert_array_equal(np.isnan(once[:, 1]), raw[:, 0] == 0)
    np.testing.assert_array_equal(np.isnan(once[:, 2]), raw[:, 0] == 1)
    np.testing.assert_array_equal(conditional.canonicalize(once)[0], once)


def test_inactive_parameters_do_not_count(conditional: FlatSpace) -> None:
    one, other = {"x": 0, "y": 1, "z": 5}, {"x": 0, "y": 2, "z": 5}
    assert conditional.canonical(one) == conditional.canonical(other) == {"x": 0, "z": 5}
    assert conditional.hash(one) == conditional.hash(other) == conditional.hash({"x": 0, "z": 5})
    active = [conditional.hash({"x": 1, "y": y}) for y in range(3)]
    assert len({conditional.hash(one), *active}) == 4
    assert FlatSpace(conditional.distributions).hash(one) != FlatSpace(
        conditional.distributions
    ).hash(other)


def test_enumeration_gives_each_conditional_point_once(conditional: FlatSpace) -> None:
    points = conditional.tokens_to_params(conditional.enumerate_tokens())
    expected = [{"x": 0, "z": 5}, *({"x": 1, "y": y} for y in range(3))]
    assert sorted(points, key=str) == sorted(expected, key=str)
    assert conditional.size >= len(points)
