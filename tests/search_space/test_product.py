"""Architectures together with other parameters: each part keeps its laws, and nothing mixes."""

from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
import pytest

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import ProductSpace
from optuna_dnas.search_space import SearchSpace


CELLS = NASBench101Space(max_vertices=4)
OTHERS = FlatSpace(
    {
        "rate": FloatDistribution(1e-5, 1.0, log=True),
        "epochs": IntDistribution(2, 10, step=2),
        "optimizer": CategoricalDistribution(("sgd", "adam")),
    }
)
SPACE = ProductSpace(CELLS, OTHERS)
N = CELLS.params_to_tokens([]).shape[1]


def tokens_of(seed: int, n: int = 20) -> np.ndarray:
    return SPACE.sample_tokens(n, np.random.default_rng(seed))


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_parameters_and_tokens_are_two_ways_to_write_a_setting(seed: int) -> None:
    tokens = tokens_of(seed)
    params = SPACE.tokens_to_params(tokens)
    again, valid = SPACE.canonicalize(SPACE.params_to_tokens(params))
    assert valid.all()
    np.testing.assert_allclose(again, tokens, atol=1e-12)
    for setting in map(SPACE.params_to_architecture, params):
        same = SPACE.params_to_architecture(SPACE.architecture_to_params(setting))
        assert same.architecture == setting.architecture == SPACE.canonical(same).architecture
        assert same.others == pytest.approx(setting.others)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_the_canonical_form_is_that_of_both_parts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 2, (30, N))
    others = OTHERS.sample_tokens(30, rng)
    canonical, valid = SPACE.canonicalize(np.column_stack([cells, others]))
    of_cells, are_cells = CELLS.canonicalize(cells)
    np.testing.assert_array_equal(valid, are_cells)
    np.testing.assert_array_equal(canonical[:, :N], of_cells)
    np.testing.assert_array_equal(canonical[:, N:], OTHERS.canonicalize(others)[0])
    again, _ = SPACE.canonicalize(canonical[valid])
    np.testing.assert_array_equal(again, canonical[valid])


def test_the_hash_tells_cells_and_other_parameters_apart() -> None:
    settings_ = SPACE.sample(np.random.default_rng(0), 40)
    first = settings_[0]
    for other in settings_[1:]:
        for changed in (first._replace(others=other.others), other._replace(others=first.others)):
            assert (SPACE.hash(changed) == SPACE.hash(first)) == (
                SPACE.canonical(changed) == SPACE.canonical(first)
            )


def test_what_an_architecture_costs_the_others_do_not_change() -> None:
    tokens = tokens_of(0)
    np.testing.assert_array_equal(
        SPACE.token_costs(tokens), CELLS.token_costs(tokens[:, :N].astype(int))
    )
    np.testing.assert_array_equal(
        SPACE.descriptors(tokens), CELLS.descriptors(tokens[:, :N].astype(int))
    )
    setting = SPACE.sample(np.random.default_rng(0), 1)[0]
    assert SPACE.cost(setting) == CELLS.cost(setting.architecture)
    assert SPACE.cost_range == CELLS.cost_range
    assert SPACE.knows_costs
    limits = CostLimits({"params": 10**7})
    assert ProductSpace(CELLS.within(limits), OTHERS).limits == limits
    assert SPACE.within(limits).limits == limits
    assert SPACE.within(limits).distributions == SPACE.distributions


def test_cells_are_uniform_and_independent_of_the_others() -> None:
    tokens = SPACE.sample_tokens(4_000, np.random.default_rng(0))
    n_cells = len(CELLS.enumerate_tokens())
    _, counts = np.unique(tokens[:, :N], axis=0, return_counts=True)
    assert len(counts) == n_cells
    expected = 4_000 / n_cells
    assert ((counts - expected) ** 2 / expected).sum() < 1.5 * n_cells
    assert abs(np.corrcoef(tokens[:, 0], tokens[:, N])[0, 1]) < 0.06


def test_all_settings_of_finite_parts_are_enumerated() -> None:
    others = FlatSpace({"epochs": IntDistribution(1, 3)})
    space = ProductSpace(CELLS, others)
    tokens = space.enumerate_tokens()
    assert len(np.unique(tokens, axis=0)) == len(tokens) == space.size
    assert space.size == 3 * len(CELLS.enumerate_tokens())
    assert np.isinf(SPACE.size)
    with pytest.raises(ValueError, match="cannot be enumerated"):
        SPACE.enumerate_tokens()


def test_fixed_parameters_keep_their_places() -> None:
    fixed = SPACE.fixed_tokens({"op_1": "maxpool3x3", "epochs": 4, "unknown": 1, "rate": 7.0})
    names = list(CELLS.distributions)
    assert (
        fixed[names.index("op_1")]
        == CELLS.fixed_tokens({"op_1": "maxpool3x3"})[names.index("op_1")]
    )
    (at_epochs,) = fixed.keys() - {names.index("op_1")}
    assert at_epochs == N + list(OTHERS.distributions).index("epochs")
    assert SPACE.is_movable.tolist() == [True] * N + [False] * 3


def test_a_trial_needs_the_architecture_and_any_of_the_others() -> None:
    (params,) = SPACE.tokens_to_params(tokens_of(0, 1))
    assert SPACE.covers(params)
    assert SPACE.covers({name: params[name] for name in CELLS.distributions})
    assert not SPACE.covers({name: params[name] for name in OTHERS.distributions})
    tokens, valid = SPACE.trials_to_tokens(
        [{name: params[name] for name in CELLS.distributions}], [{}]
    )
    assert valid.all()
    assert np.isnan(tokens[0, N:]).all()


@pytest.mark.parametrize("decides", ["optimizer", "op_1"])
def test_which_of_the_others_there_are_is_learned(decides: str) -> None:
    """It may hang on another one of them, or on the architecture."""
    others: dict[str, BaseDistribution] = {
        **OTHERS.distributions,
        "momentum": FloatDistribution(0.0, 1.0),
    }
    space = ProductSpace(CELLS, FlatSpace(others))
    rng = np.random.default_rng(0)
    trials: list[dict[str, Any]] = space.tokens_to_params(space.sample_tokens(60, rng))
    wanted = trials[0][decides]
    for params in trials:
        if params[decides] != wanted:
            del params["momentum"]
    tokens, _ = space.trials_to_tokens(trials, [{}] * 60)
    learned = space.conditioned_on(tokens)
    for params in learned.tokens_to_params(learned.sample_tokens(100, rng)):
        assert ("momentum" in params) == (params[decides] == wanted)
        assert params.keys() >= CELLS.distributions.keys()


def test_a_name_belongs_to_one_part() -> None:
    with pytest.raises(ValueError, match="op_1"):
        ProductSpace(CELLS, FlatSpace({"op_1": FloatDistribution(0, 1)}))


def test_parameters_out_of_range_make_no_setting() -> None:
    (params,) = SPACE.tokens_to_params(tokens_of(0, 1))
    with pytest.raises(OutOfDomainError, match="rate"):
        SPACE.params_to_architecture(params | {"rate": 7.0})
    without_edges = dict.fromkeys((n for n in CELLS.distributions if n.startswith("edge")), 0)
    with pytest.raises(OutOfDomainError):
        SPACE.params_to_architecture(params | without_edges)


def test_a_setting_is_drawn_as_its_architecture_and_the_others_below() -> None:
    setting = SPACE.sample(np.random.default_rng(0), 1)[0]
    keys = [box.key for box in SPACE.picture(setting).boxes if box.key is not None]
    of_cell = [box.key for box in CELLS.picture(setting.architecture).boxes]
    assert keys == [*of_cell, *setting.others]
    drawing = SPACE.draw(setting)
    assert drawing.startswith(CELLS.draw(setting.architecture))
    assert all(name in drawing for name in OTHERS.distributions)


def test_parts() -> None:
    parts: tuple[SearchSpace[Any], ...] = SPACE.parts
    assert parts == (CELLS, OTHERS)
    assert CELLS.parts == (CELLS,)
