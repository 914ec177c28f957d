import itertools
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
from optuna.trial import FixedTrial
import pytest
from scipy.stats import chisquare
from scipy.stats import kstest

from optuna_dnas._optuna_compat import contains
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space._activity import ActivityTree
from optuna_dnas.search_space._columns import make_column


DISCRETE: dict[str, tuple[BaseDistribution, list[Any]]] = {
    "mixed": (
        CategoricalDistribution((None, True, "a", 1.5, 3)),
        [None, True, "a", 1.5, 3],
    ),
    "bools": (CategoricalDistribution((False, True)), [False, True]),
    "one_category": (CategoricalDistribution(("only",)), ["only"]),
    "int": (IntDistribution(-3, 4), list(range(-3, 5))),
    "int_step": (IntDistribution(1, 13, step=3), [1, 4, 7, 10, 13]),
    "int_log": (IntDistribution(1, 40, log=True), list(range(1, 41))),
    "one_int": (IntDistribution(5, 5), [5]),
    "one_int_log": (IntDistribution(5, 5, log=True), [5]),
    "float_step": (FloatDistribution(-0.5, 1.0, step=0.25), [-0.5 + 0.25 * k for k in range(7)]),
    "one_float": (FloatDistribution(0.3, 0.3), [0.3]),
    "one_float_step": (FloatDistribution(0.3, 0.3, step=0.1), [0.3]),
}
REAL: dict[str, BaseDistribution] = {
    "float": FloatDistribution(-2.0, 7.0),
    "float_log": FloatDistribution(1e-5, 1e2, log=True),
}
DISTRIBUTIONS = {name: d for name, (d, _) in DISCRETE.items()} | REAL
SPACE = FlatSpace(DISTRIBUTIONS)
seeds = st.integers(0, 2**32 - 1)


def sample(n: int, seed: int = 0) -> list[dict[str, Any]]:
    return SPACE.sample(np.random.default_rng(seed), n)


# -- Values and tokens


@given(seeds)
def test_values_to_tokens_to_values(seed: int) -> None:
    architectures = sample(5, seed)
    back = SPACE.tokens_to_params(SPACE.params_to_tokens(architectures))
    for one, other in zip(architectures, back, strict=True):
        for name in DISCRETE:
            assert one[name] == other[name]
        for name in REAL:
            assert other[name] == pytest.approx(one[name], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", list(DISCRETE))
def test_every_value_comes_back_exactly(name: str) -> None:
    distribution, values = DISCRETE[name]
    column = make_column(distribution)
    tokens = np.array([column.to_token(value) for value in values])
    assert column.to_values(tokens) == values
    assert list(map(type, column.to_values(tokens))) == list(map(type, values))
    assert len(set(tokens.tolist())) == len(values)
    assert column.n_values == len(values)


@pytest.mark.parametrize(
    "distribution", [FloatDistribution(0.0, 1.0, step=0.1), FloatDistribution(0.1, 2.2, step=0.7)]
)
def test_steps_that_are_no_binary_fractions(distribution: FloatDistribution) -> None:
    column = make_column(distribution)
    values = column.to_values(column.enumerate())
    assert all(contains(distribution, value) for value in values)
    step = distribution.step
    assert step is not None
    expected = [distribution.low + k * step for k in range(len(values))]
    assert values == pytest.approx(expected)
    assert values[-1] == pytest.approx(distribution.high)
    assert column.to_values(np.array([column.to_token(v) for v in values])) == values


@given(seeds)
def test_samples_are_contained_and_plain(seed: int) -> None:
    for architecture in sample(20, seed):
        assert architecture.keys() == DISTRIBUTIONS.keys()
        for name, value in architecture.items():
            distribution = DISTRIBUTIONS[name]
            assert contains(distribution, value)
            if isinstance(distribution, IntDistribution):
                assert type(value) is int
            elif isinstance(distribution, FloatDistribution):
                assert type(value) is float
            else:
                assert any(value is choice for choice in distribution.choices)


@pytest.mark.parametrize("name", list(DISTRIBUTIONS))
@given(tokens=st.lists(st.floats(-3.0, 9.0), min_size=1, max_size=20))
def test_snapping_is_idempotent_and_gives_values(name: str, tokens: list[float]) -> None:
    column = make_column(DISTRIBUTIONS[name])
    once = column.snap(np.array(tokens))
    np.testing.assert_allclose(column.snap(once), once, rtol=0, atol=1e-12)
    values = column.to_values(once)
    assert all(contains(DISTRIBUTIONS[name], value) for value in values)
    again = [column.to_token(value) for value in values]
    np.testing.assert_allclose(again, once, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["int", "int_step", "float_step"])
@given(token=st.floats(-0.2, 1.2))
def test_snapping_goes_to_the_nearest_token(name: str, token: float) -> None:
    column = make_column(DISTRIBUTIONS[name])
    snapped = column.snap(np.array([token]))[0]
    assert abs(snapped - token) <= np.abs(column.enumerate() - token).min() + 1e-12


@pytest.mark.parametrize("name", list(DISTRIBUTIONS))
def test_what_is_inactive_stays_inactive(name: str) -> None:
    column = make_column(DISTRIBUTIONS[name])
    snapped = column.snap(np.array([np.nan, 0.0]))
    np.testing.assert_array_equal(np.isnan(snapped), [True, False])


@pytest.mark.parametrize("name", list(DISCRETE))
def test_enumeration_gives_each_value_once(name: str) -> None:
    distribution, values = DISCRETE[name]
    column = make_column(distribution)
    assert column.to_values(column.enumerate()) == values
    space = FlatSpace({"x": distribution})
    assert [params["x"] for params in space.tokens_to_params(space.enumerate_tokens())] == values
    assert space.size == len(values)


@pytest.mark.parametrize("name", ["mixed", "bools", "int", "int_step", "float_step"])
def test_samples_are_uniform_over_discrete_values(name: str) -> None:
    distribution, values = DISCRETE[name]
    drawn = FlatSpace({"x": distribution}).sample(np.random.default_rng(0), 200 * len(values))
    counts = [sum(params["x"] is v or params["x"] == v for params in drawn) for v in values]
    assert sum(counts) == len(drawn)
    assert chisquare(counts).pvalue > 0.001


def test_samples_of_real_numbers_are_uniform_on_their_scale() -> None:
    drawn = sample(2_000)
    linear = [(a["float"] + 2.0) / 9.0 for a in drawn]
    logarithmic = [(math.log10(a["float_log"]) + 5.0) / 7.0 for a in drawn]
    for position in (linear, logarithmic):
        assert kstest(position, "uniform").pvalue > 0.001
    small = np.mean([a["int_log"] <= 6 for a in drawn])  # log 6.5 / log 40 = 0.507
    assert small == pytest.approx(math.log(6.5) / math.log(40), abs=0.04)


@pytest.mark.parametrize("high", [2**53 + 1, 2**60 - 1, 2**63 - 1])
def test_integers_beyond_double_precision_stay_in_their_range(high: int) -> None:
    distribution = IntDistribution(1, high)
    column = make_column(distribution)
    low_value, high_value = column.to_values(np.array([0.0, 1.0]))
    assert low_value == 1
    assert high - 1024 <= high_value <= high
    drawn = FlatSpace({"x": distribution}).sample(np.random.default_rng(0), 100)
    assert all(1 <= params["x"] <= high for params in drawn)
    assert len({params["x"] for params in drawn}) == 100


# -- Values that are not of the distribution


@pytest.mark.parametrize("name", ["float", "float_log", "int", "int_log", "int_step"])
def test_numbers_out_of_range_keep_their_side(name: str) -> None:
    distribution = DISTRIBUTIONS[name]
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    column = make_column(distribution)
    below, above = column.to_token(-1e9), column.to_token(1e9)
    assert -1.0 < below < 0.0
    assert 1.0 < above < 2.0
    assert column.to_values(column.snap(np.array([below, above]))) == pytest.approx(
        [distribution.low, distribution.high]
    )


@pytest.mark.parametrize("name", ["float", "float_log", "int", "int_log", "mixed"])
@pytest.mark.parametrize("value", ["zzz", False, (1, 2)])
def test_foreign_values_have_no_token(name: str, value: object) -> None:
    assert math.isnan(make_column(DISTRIBUTIONS[name]).to_token(value))


def test_integers_are_numbers_of_a_real_range() -> None:
    assert make_column(REAL["float"]).to_token(7) == 1.0


@pytest.mark.parametrize(
    ("name", "value"),
    [("int", 5), ("int_step", 2), ("float", 7.5), ("mixed", "b"), ("int_log", "a"), ("int", None)],
)
def test_out_of_domain_values_are_named(name: str, value: object) -> None:
    architecture = sample(1)[0] | {name: value}
    with pytest.raises(OutOfDomainError, match=f"`{name}` cannot be {value!r}"):
        SPACE.params_to_architecture(architecture)


def test_an_architecture_is_what_the_space_knows_of_the_parameters() -> None:
    params = {"int": 3, "float": 0.25, "stranger": 9}
    assert SPACE.params_to_architecture(params) == {"int": 3, "float": 0.25}


def test_fixed_tokens_leave_out_what_the_space_does_not_contain() -> None:
    names = list(DISTRIBUTIONS)
    fixed = {"mixed": "a", "float": 7.0, "int": 4}
    foreign = {"bools": "zzz", "float_log": "a", "int_log": True, "stranger": 3}
    assert SPACE.fixed_tokens(fixed | foreign) == {
        names.index("mixed"): 2.0,
        names.index("int"): 1.0,
        names.index("float"): 1.0,
    }
    assert SPACE.fixed_tokens({"float": 8.0, "int": -4, "int_log": 41, "int_step": 2}) == {}


def test_bad_spaces_are_refused() -> None:
    with pytest.raises(ValueError, match="`distributions` must not be empty"):
        FlatSpace({})


# -- The whole space


def test_size_and_enumeration() -> None:
    y, z = CategoricalDistribution("abc"), IntDistribution(7, 7)
    space = FlatSpace({"x": IntDistribution(0, 3), "y": y, "z": z})
    assert space.size == 12
    points = space.tokens_to_params(space.enumerate_tokens())
    expected = itertools.product(range(4), "abc", [7])
    assert [tuple(p.values()) for p in points] == list(expected)
    assert SPACE.size == math.inf
    with pytest.raises(ValueError, match="cannot be enumerated"):
        SPACE.enumerate_tokens()


def test_suggest_asks_a_trial_for_all_parameters() -> None:
    params = sample(1)[0]
    trial = FixedTrial(params)
    assert SPACE.suggest(trial) == params
    assert trial.distributions == DISTRIBUTIONS


def test_an_unknown_cost_is_none() -> None:
    assert SPACE.cost(sample(1)[0]) is None
    assert SPACE.token_costs(SPACE.sample_tokens(3, np.random.default_rng(0))) is None
    assert SPACE.vocabulary is None


def test_a_picture_shows_every_value() -> None:
    assert SPACE.draw({"x": 3, "longer": "a"}) == "x       3\nlonger  a"


# -- Conditions


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
    tokens = SPACE.sample_tokens(30, np.random.default_rng(0))
    conditioned = SPACE.conditioned_on(tokens)
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
