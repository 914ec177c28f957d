from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
import pytest

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space._activity import Activity

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


@pytest.mark.parametrize("n_values", [32, 33, 64, 1000])
def test_a_depth_of_many_values_decides(n_values: int) -> None:
    units = [k * n_values // 8 for k in range(8)]
    ranges: dict[str, BaseDistribution] = {f"u{k}": FloatDistribution(0.0, 1.0) for k in units}
    ranges["n"] = IntDistribution(1, n_values)

    def objective(a: dict[str, Any]) -> list[str]:
        return ["n", *(f"u{k}" for k in units if k < a["n"])]

    assert agreement(observe(ranges, objective, n=200), objective) > 0.95


@pytest.mark.parametrize("sign", [1, -1])
def test_a_real_number_decides_by_a_threshold(sign: int) -> None:
    ranges: dict[str, BaseDistribution] = {
        name: FloatDistribution(0.0, 1.0) for name in ("noise", "dropout", "x", "more")
    }

    def objective(a: dict[str, Any]) -> list[str]:
        return ["noise", "dropout", "x", *(["more"] if sign * a["dropout"] > sign * 0.5 else [])]

    assert agreement(observe(ranges, objective, n=100), objective) > 0.95


def test_one_of_many_categories_decides() -> None:
    ranges: dict[str, BaseDistribution] = {
        "kind": CategoricalDistribution([f"kind{k}" for k in range(40)]),
        "noise": FloatDistribution(0.0, 1.0),
        "y": FloatDistribution(0.0, 1.0),
    }
    switched_on = {f"kind{k}" for k in range(0, 40, 3)}

    def objective(a: dict[str, Any]) -> list[str]:
        return ["kind", "noise", *(["y"] if a["kind"] in switched_on else [])]

    assert agreement(observe(ranges, objective, n=300), objective) > 0.95


def agreement(space: FlatSpace, objective) -> float:
    """The share of architectures that hold exactly what the objective asks for."""
    drawn = FlatSpace(space.distributions).sample(np.random.default_rng(1), 500)
    return float(np.mean([set(space.canonical(a)) == set(objective(a)) for a in drawn]))


def test_what_was_not_known_yet_is_not_inactive() -> None:
    """A parameter that the objective has had for a few trials only, without and with condition."""
    ranges: dict[str, BaseDistribution] = {
        "old": FloatDistribution(0.0, 1.0),
        "switch": BINARY,
        "new": FloatDistribution(0.0, 1.0),
        "sometimes": FloatDistribution(0.0, 1.0),
    }
    space = FlatSpace(ranges)
    drawn = space.sample(np.random.default_rng(0), 320)
    trials = [{name: a[name] for name in ("old", "switch")} for a in drawn[:300]]
    for a in drawn[300:]:
        trials.append({name: v for name, v in a.items() if name != "sometimes" or a["switch"]})
    conditioned = space.conditioned_on(space.params_to_tokens(trials))
    on, off = drawn[0] | {"switch": 1}, drawn[0] | {"switch": 0}
    assert set(conditioned.canonical(on)) == {"old", "switch", "new", "sometimes"}
    assert set(conditioned.canonical(off)) == {"old", "switch", "new"}


def test_what_is_not_asked_for_any_more_is_inactive() -> None:
    space = FlatSpace({name: FloatDistribution(0.0, 1.0) for name in "abc"})
    drawn = space.sample(np.random.default_rng(0), 60)
    trials = [*drawn[:55], *({"a": a["a"], "b": a["b"]} for a in drawn[55:])]
    conditioned = space.conditioned_on(space.params_to_tokens(trials))
    assert set(conditioned.canonical(drawn[0])) == {"a", "b"}


def test_what_nothing_explains_follows_the_majority() -> None:
    tokens = np.array([[0.0, 1.0], [0.0, np.nan], [0.0, 1.0], [0.0, np.nan], [0.0, 1.0]])
    activity = Activity.fit(tokens, np.array([True, True]), np.arange(2))
    np.testing.assert_array_equal(activity.predict(np.array([[0.0, 0.5]])), [[True, True]])


def test_an_unseen_value_goes_with_the_nearest() -> None:
    tokens = np.array([[0.0, 0.5], [0.8, np.nan], [0.2, 0.5], [1.0, np.nan]] * 3)
    activity = Activity.fit(tokens, np.array([False, False]), np.arange(2))
    active = activity.predict(np.array([[0.3, 0.5], [0.7, 0.5]]))
    np.testing.assert_array_equal(active, [[True, True], [True, False]])


# -- A range for each branch


RANGES = {"sgd": FloatDistribution(1e-2, 1.0, log=True), "adam": FloatDistribution(1e-5, 1e-1)}


@pytest.fixture
def branched() -> FlatSpace:
    """Learned from trials; both ranges hold numbers from 0.01 to 0.1."""
    optimizer = CategoricalDistribution(tuple(RANGES))
    space = FlatSpace(
        {"optimizer": optimizer, "lr": RANGES["adam"]}, other_ranges={"lr": [RANGES["sgd"]]}
    )
    tokens, _ = space.trials_to_tokens(
        [{"optimizer": name, "lr": 0.05} for name in RANGES] * 10,
        [{"optimizer": optimizer, "lr": d} for d in RANGES.values()] * 10,
    )
    return space.conditioned_on(tokens)


def test_each_range_has_a_token_of_its_own(branched: FlatSpace) -> None:
    assert branched.column_names == ["optimizer", "lr in 1e-05 to 0.1", "lr in 0.01 to 1"]
    for name, t in (("adam", 1), ("sgd", 2)):
        tokens = branched.params_to_tokens([{"optimizer": name, "lr": 0.05}])
        assert np.flatnonzero(~np.isnan(tokens[0])).tolist() == [0, t]
        params = branched.tokens_to_params(branched.canonicalize(tokens)[0])[0]
        assert params == {"optimizer": name, "lr": pytest.approx(0.05)}


def test_a_sample_is_of_the_range_of_its_branch(branched: FlatSpace) -> None:
    drawn = branched.sample(np.random.default_rng(0), 200)
    assert {a["optimizer"] for a in drawn} == set(RANGES)
    for a in drawn:
        assert RANGES[a["optimizer"]]._contains(a["lr"])


def test_a_fixed_value_is_that_of_all_ranges_that_contain_it(branched: FlatSpace) -> None:
    assert branched.fixed_tokens({"lr": 0.05}).keys() == {1, 2}
    assert branched.fixed_tokens({"lr": 0.5}).keys() == {2}
    assert branched.fixed_tokens({"lr": 5.0}) == {}
    with pytest.raises(OutOfDomainError, match=r"`lr` cannot be 5.0: .* or "):
        branched.params_to_architecture({"lr": 5.0})


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
