import itertools
import math
import sys

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
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
from optuna_dnas.search_space._columns import make_column

from .toy import DISCRETE
from .toy import DISTRIBUTIONS
from .toy import FLAT
from .toy import REAL
from .toy import sample_flat
from .toy import seeds


# -- Values and tokens


@given(seeds)
def test_values_to_tokens_to_values(seed: int) -> None:
    architectures = sample_flat(5, seed)
    back = FLAT.tokens_to_params(FLAT.params_to_tokens(architectures))
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
    for architecture in sample_flat(20, seed):
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
    drawn = sample_flat(2_000)
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


@pytest.mark.filterwarnings("ignore:Choices for a categorical")
@pytest.mark.parametrize(
    ("choices", "different"),
    [
        ((True, 1, 0, False), (True, 0)),
        ((1, 1.0, "1"), (1, "1")),
        (([8], [8, 8], [8]), ([8], [8, 8])),
        (({0: 1}, {0: 5}, {0: 1.0}), ({0: 1}, {0: 5})),
    ],
    ids=repr,
)
def test_equal_choices_are_one(choices: tuple[object, ...], different: tuple[object, ...]) -> None:
    column = make_column(CategoricalDistribution(choices))  # type: ignore[arg-type]
    assert repr(column.to_values(column.enumerate())) == repr(list(different))
    tokens = np.array([column.to_token(choice) for choice in choices])
    assert set(tokens.tolist()) == set(range(len(different)))
    assert column.n_values == len(different)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "distribution",
    [
        FloatDistribution(-1e308, 1e308),
        FloatDistribution(-sys.float_info.max, sys.float_info.max),
        FloatDistribution(5e-324, sys.float_info.max, log=True),
        FloatDistribution(0.0, 1e308, step=1e308),
        FloatDistribution(1e10, 1e10 + 1e-5, log=True),  # of one logarithm
        FloatDistribution(-math.inf, math.inf),
        IntDistribution(-(2**62), 2**62),
    ],
    ids=repr,
)
def test_ranges_at_the_ends_of_double_precision(
    distribution: FloatDistribution | IntDistribution,
) -> None:
    column = make_column(distribution)
    tokens = column.snap(column.sample(100, np.random.default_rng(0)))
    values = column.to_values(tokens)
    assert all(contains(distribution, value) for value in values)
    again = np.array([column.to_token(value) for value in values])
    np.testing.assert_allclose(again, tokens, atol=1e-5)


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
    architecture = sample_flat(1)[0] | {name: value}
    with pytest.raises(OutOfDomainError, match=f"`{name}` cannot be {value!r}"):
        FLAT.params_to_architecture(architecture)


def test_an_architecture_is_what_the_space_knows_of_the_parameters() -> None:
    params = {"int": 3, "float": 0.25, "stranger": 9}
    assert FLAT.params_to_architecture(params) == {"int": 3, "float": 0.25}


def test_fixed_tokens_leave_out_what_the_space_does_not_contain() -> None:
    names = list(DISTRIBUTIONS)
    fixed = {"mixed": "a", "float": 7.0, "int": 4}
    foreign = {"bools": "zzz", "float_log": "a", "int_log": True, "stranger": 3}
    assert FLAT.fixed_tokens(fixed | foreign) == {
        names.index("mixed"): 2.0,
        names.index("int"): 1.0,
        names.index("float"): 1.0,
    }
    assert FLAT.fixed_tokens({"float": 8.0, "int": -4, "int_log": 41, "int_step": 2}) == {}


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
    assert FLAT.size == math.inf
    with pytest.raises(ValueError, match="cannot be enumerated"):
        FLAT.enumerate_tokens()


def test_suggest_asks_a_trial_for_all_parameters() -> None:
    params = sample_flat(1)[0]
    trial = FixedTrial(params)
    assert FLAT.suggest(trial) == params
    assert trial.distributions == DISTRIBUTIONS


def test_an_unknown_cost_is_none() -> None:
    assert FLAT.cost(sample_flat(1)[0]) is None
    assert FLAT.token_costs(FLAT.sample_tokens(3, np.random.default_rng(0))) is None
    assert FLAT.vocabulary is None


def test_parameters_describe_themselves() -> None:
    tokens = FLAT.sample_tokens(3, np.random.default_rng(0))
    assert FLAT.descriptors(tokens).shape == (3, 0)


def test_a_picture_shows_every_value() -> None:
    assert FLAT.draw({"x": 3, "longer": "a"}) == "x       3\nlonger  a"
