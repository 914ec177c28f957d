"""The laws of a declared space, and what follows from a declaration."""

import copy
import itertools
import pickle
from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.distributions import IntDistribution
from optuna.trial import FixedTrial
import pytest

from optuna_dnas import DNASSampler
from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.exceptions import InvalidSpaceError
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import Architecture
from optuna_dnas.search_space import ArchitectureSpace
from optuna_dnas.search_space import check_space
from optuna_dnas.search_space import Choice
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import Integer
from optuna_dnas.search_space import Repeat


def parameters_of(architecture: Architecture) -> int:
    """Of an MLP of 8 inputs."""
    widths = [8, *(layer.width for layer in architecture.layers)]
    return 1 + sum(int(a * b) for a, b in itertools.pairwise(widths))


LAYERS = Repeat({"width": Choice(16, 32, 64), "skip": Choice(False, True)}, depth=(1, 3))
MLP = ArchitectureSpace(
    layers=LAYERS,
    head=Choice("mean", "cls"),
    stem={"kernel": Integer(3, 7, step=2), "norm": Choice("batch", "none")},
    edges=Repeat(Choice("conv", "pool"), depth=2),
    cost=lambda a: Cost(flops=2 * parameters_of(a), params=parameters_of(a)),
)
N_MLP = (6 + 6**2 + 6**3) * 2 * (3 * 2) * 2**2
SEEDS = st.integers(0, 100_000)
FAST = settings(derandomize=True, deadline=None, max_examples=40)


def tokens_of(seed: int, n: int = 20) -> IntArray:
    return MLP.sample_tokens(n, np.random.default_rng(seed))


# -- Parameters


def test_parameters_are_called_as_they_are_declared() -> None:
    assert list(MLP.distributions) == [
        "n_layers",
        *(f"layers_{k}_{field}" for k in range(3) for field in ("width", "skip")),
        "head",
        "stem_kernel",
        "stem_norm",
        "edges_0",
        "edges_1",
    ]
    assert MLP.distributions["n_layers"] == IntDistribution(1, 3)
    assert MLP.distributions["layers_2_width"] == CategoricalDistribution((16, 32, 64))
    assert MLP.distributions["stem_kernel"] == IntDistribution(3, 7, step=2)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_trial_is_asked_for_what_exists(depth: int) -> None:
    params: dict[str, Any] = {
        "n_layers": depth, "head": "cls", "stem_kernel": 5, "stem_norm": "none",
        "edges_0": "conv", "edges_1": "pool",
    }  # fmt: skip
    for k in range(depth):
        params |= {f"layers_{k}_width": 32, f"layers_{k}_skip": k == 1}
    trial = FixedTrial(params)
    architecture = MLP.suggest(trial)
    assert trial.params == params
    assert len(architecture.layers) == depth
    assert architecture.layers[0].width == 32
    assert [layer.skip for layer in architecture.layers] == [k == 1 for k in range(depth)]
    assert (architecture.head, architecture.stem.kernel) == ("cls", 5)
    assert architecture.edges == ("conv", "pool")
    assert MLP.covers(params)
    for name in params:
        assert not MLP.covers({key: value for key, value in params.items() if key != name})
        assert not MLP.covers(params | {name: "something else"})


def test_what_does_not_exist_may_be_there() -> None:
    params = MLP.tokens_to_params(tokens_of(0, 50))
    short = next(p for p in params if p["n_layers"] == 1)
    more = short | {"layers_2_width": 64, "layers_2_skip": True, "rate": 0.1}
    assert MLP.covers(more)
    assert MLP.params_to_architecture(more) == MLP.params_to_architecture(short)
    tokens, valid = MLP.trials_to_tokens([more, short], [{}, {}])
    assert valid.all()
    np.testing.assert_array_equal(tokens[0], tokens[1])


def test_parameters_out_of_the_domain_make_no_architecture() -> None:
    (params,) = MLP.tokens_to_params(tokens_of(0, 1))
    with pytest.raises(OutOfDomainError, match=r"`head` must be one of .*'mean'.* but got 'max'"):
        MLP.params_to_architecture(params | {"head": "max"})
    del params["head"]
    with pytest.raises(OutOfDomainError, match="`head` is missing"):
        MLP.params_to_architecture(params)


# -- Round trips


@FAST
@given(SEEDS)
def test_parameters_tokens_and_architectures_are_ways_to_write_the_same(seed: int) -> None:
    tokens = tokens_of(seed)
    params = MLP.tokens_to_params(tokens)
    np.testing.assert_array_equal(MLP.params_to_tokens(params), tokens)
    for of_row, architecture in zip(params, MLP.tokens_to_architectures(tokens), strict=True):
        assert MLP.architecture_to_params(architecture) == of_row
        assert MLP.params_to_architecture(of_row) == architecture == MLP.canonical(architecture)
    np.testing.assert_array_equal(MLP.trials_to_tokens(params, [{}] * len(params))[0], tokens)


@FAST
@given(SEEDS)
def test_the_canonical_form_is_idempotent_and_says_what_is_valid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_choices = [token.n_choices for token in MLP.vocabulary.tokens]
    tokens = rng.integers(0, n_choices, (50, len(n_choices)))
    canonical, valid = MLP.canonicalize(tokens)
    again, still = MLP.canonicalize(canonical)
    np.testing.assert_array_equal(again, canonical)
    np.testing.assert_array_equal(still, valid)
    assert 0 < valid.sum() < 50
    MLP.vocabulary.check(canonical)
    for params in MLP.tokens_to_params(canonical[valid]):
        assert MLP.covers(params)


def test_equal_architectures_have_equal_hashes() -> None:
    architectures = MLP.sample(np.random.default_rng(0), 300)
    hashes = [MLP.hash(a) for a in architectures]
    assert len(set(hashes)) == len(set(architectures)) > 100


# -- The whole space


def test_all_architectures_are_enumerated_once() -> None:
    tokens = MLP.enumerate_tokens()
    assert len(tokens) == len(np.unique(tokens, axis=0)) == MLP.size == N_MLP
    canonical, valid = MLP.canonicalize(tokens)
    assert valid.all()
    np.testing.assert_array_equal(canonical, tokens)
    large = ArchitectureSpace(layers=Repeat(Choice(*range(10)), depth=20))
    with pytest.raises(ValueError, match="too many to enumerate"):
        large.enumerate_tokens()


def test_depths_and_choices_are_drawn_uniformly() -> None:
    tokens = tokens_of(0, 6_000)
    for t, leaf in enumerate(MLP.leaves):
        existing = tokens[:, t][tokens[:, t] < len(leaf.value.values)]
        counts = np.bincount(existing, minlength=len(leaf.value.values))
        expected = len(existing) / len(counts)
        assert ((counts - expected) ** 2 / expected).sum() < 20
    assert len(np.unique(tokens, axis=0)) > 1_000


# -- The controller's view


def test_a_block_is_a_step_and_blocks_share_their_slots() -> None:
    steps = [token.step for token in MLP.vocabulary.tokens]
    assert steps == [0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 6]
    slots = {token.name: token.slot for token in MLP.vocabulary.tokens}
    assert slots["layers_0_width"] == slots["layers_1_width"] == slots["layers_2_width"]
    assert slots["layers_0_width"] != slots["layers_0_skip"]
    assert slots["edges_0"] == slots["edges_1"]
    n_choices = {token.name: token.n_choices for token in MLP.vocabulary.tokens}
    assert n_choices["layers_0_width"] == 3  # always there
    assert n_choices["layers_1_width"] == 4


def test_descriptors_count_what_is_there() -> None:
    tokens = tokens_of(0, 200)
    described = MLP.descriptors(tokens)
    architectures = MLP.tokens_to_architectures(tokens)
    expected = [
        [
            len(a.layers) - 1,
            *(sum(layer.width == width for layer in a.layers) for width in (16, 32, 64)),
            np.mean([(16, 32, 64).index(layer.width) for layer in a.layers]),
            *(sum(layer.skip == skip for layer in a.layers) for skip in (False, True)),
            (3, 5, 7).index(a.stem.kernel),
            *(a.edges.count(op) for op in ("conv", "pool")),
        ]
        for a in architectures
    ]
    np.testing.assert_allclose(described, expected)


def test_numbers_count_by_their_order_not_by_the_one_they_are_written_in() -> None:
    written, ordered = (
        ArchitectureSpace(
            layers=Repeat({"width": Choice(*widths)}, depth=(1, 2)), stem=Choice(*widths)
        )
        for widths in ((64, 16, 32), (16, 32, 64))
    )
    params = ordered.tokens_to_params(ordered.enumerate_tokens())
    of_written, of_ordered = (
        space.descriptors(space.params_to_tokens(params))[:, -2:] for space in (written, ordered)
    )
    np.testing.assert_array_equal(of_written, of_ordered)


def test_descriptors_of_a_space_of_plain_categories_are_none() -> None:
    space = ArchitectureSpace(op=Choice("conv", "pool"))
    assert space.descriptors(space.enumerate_tokens()).shape == (2, 0)


# -- Costs


def test_costs_are_those_of_the_function_called_once_an_architecture() -> None:
    calls: list[Architecture] = []

    def cost(architecture: Architecture) -> Cost:
        calls.append(architecture)
        return Cost(flops=1, params=parameters_of(architecture))

    space = ArchitectureSpace(layers=LAYERS, cost=cost)
    tokens = space.enumerate_tokens()
    costs = space.token_costs(tokens)
    assert costs is not None
    expected = [[1, parameters_of(a)] for a in space.tokens_to_architectures(tokens)]
    np.testing.assert_array_equal(costs, expected)
    assert len(calls) == len(tokens)
    np.testing.assert_array_equal(space.token_costs(tokens), costs)
    assert len(calls) == len(tokens)
    assert space.knows_costs


def test_what_is_no_architecture_has_no_finite_cost() -> None:
    rng = np.random.default_rng(0)
    n_choices = [token.n_choices for token in MLP.vocabulary.tokens]
    tokens = rng.integers(0, n_choices, (200, len(n_choices)))
    canonical, valid = MLP.canonicalize(tokens)
    costs = MLP.token_costs(tokens)
    assert costs is not None
    np.testing.assert_array_equal(np.isfinite(costs).all(axis=1), valid)
    np.testing.assert_array_equal(costs, MLP.token_costs(canonical))


def test_without_a_cost_none_is_known() -> None:
    space = ArchitectureSpace(layers=LAYERS)
    assert space.token_costs(space.enumerate_tokens()) is None
    assert space.cost(space.sample(np.random.default_rng(0), 1)[0]) is None
    limits = CostLimits({"params": 100})
    with pytest.raises(ValueError, match="`limits` need a `cost`"):
        ArchitectureSpace(layers=LAYERS, limits=limits)
    with pytest.raises(ValueError, match="`limits` need a `cost`"):
        space.within(limits)


# -- Equivalences


class Unordered(ArchitectureSpace):
    """The order of two edges does not matter."""

    def __init__(self) -> None:
        super().__init__(edges=Repeat(Choice("a", "b", "c"), depth=2))

    def canonicalize(self, tokens: TokenArray) -> tuple[IntArray, BoolArray]:
        canonical, valid = super().canonicalize(tokens)
        return np.sort(canonical, axis=1), valid


def test_an_equivalence_is_one_method() -> None:
    space = Unordered()
    assert len(space.enumerate_tokens()) == 6
    ab, ba = (Architecture(edges=edges) for edges in (("a", "b"), ("b", "a")))
    assert space.hash(ab) == space.hash(ba)
    assert space.canonical(ba) == ab
    assert space.is_movable.all()
    assert not MLP.is_movable.any()


# -- Declarations


ANYTHING: Any = "conv"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ArchitectureSpace(), "at least one part"),
        (lambda: ArchitectureSpace(op=ANYTHING), "`op` must be a Choice"),
        (lambda: ArchitectureSpace(op={}), "`op` must not be empty"),
        (lambda: ArchitectureSpace(op={"a b": Choice(1)}), "names like variables, but got 'a b'"),
        (lambda: ArchitectureSpace(op={"a": ANYTHING}), r"`op\['a'\]` must be a Choice"),
        (lambda: ArchitectureSpace(a_b=Choice(1), a={"b": Choice(1)}), "called 'a_b'"),
        (lambda: Choice(), "at least one option"),
        (lambda: Choice("a", "b", "a"), "the option 'a' twice"),
        (lambda: Choice(1, True), "the option True twice"),
        (lambda: Choice([1]), r"plain value, but got \[1\]"),
        (lambda: Choice(*range(65)), "but got 65"),
        (lambda: Integer(3, 2), "must have 1 to 64 values, but has 0"),
        (lambda: Integer(1, 9, step=0), "but has 0"),
        (lambda: Integer(1, 1000), "suggest it beside the architecture"),
        (lambda: Repeat(Choice(1), depth=(3, 2)), r"`depth` must be .* but got \(3, 2\)"),
        (lambda: Repeat(Choice(1), depth=0), "`depth` must be .* but got 0"),
        (lambda: Repeat(ANYTHING, depth=2), "`block` must be a Choice"),
    ],
)
def test_bad_declarations_say_what_is_wrong(make: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_an_architecture_is_a_value() -> None:
    first, second = MLP.sample(np.random.default_rng(0), 2)
    assert first != second
    assert first == copy.deepcopy(first) == pickle.loads(pickle.dumps(first))
    assert hash(first) == hash(copy.copy(first))
    assert eval(repr(first), {"Architecture": Architecture}) == first
    assert dict(first)["head"] == first["head"] == first.head
    with pytest.raises(AttributeError, match="There is no 'width', only layers, head"):
        first.width  # noqa: B018
    with pytest.raises(AttributeError, match="cannot be changed"):
        first.head = "cls"


def test_every_block_and_part_is_drawn() -> None:
    (params,) = MLP.tokens_to_params(tokens_of(3, 1))
    drawing = MLP.draw(MLP.params_to_architecture(params))
    lines = drawing.splitlines()
    assert len(lines) == params["n_layers"] + 2 + 2
    assert (
        lines[0] == f"layers[0]: width {params['layers_0_width']}, skip {params['layers_0_skip']}"
    )
    assert f"head: {params['head']}" in lines


def test_fixed_parameters_are_tokens() -> None:
    fixed = MLP.fixed_tokens({"n_layers": 2, "head": "cls", "stem_kernel": 4, "rate": 1})
    assert fixed == {0: 1, 7: 1}


@pytest.mark.parametrize("depth", [0, 2])
def test_depths_begin_where_they_are_declared_to(depth: int) -> None:
    space = ArchitectureSpace(layers=Repeat(Choice("a", "b"), depth=(depth, 4)))
    architectures = space.tokens_to_architectures(space.enumerate_tokens())
    assert {len(a.layers) for a in architectures} == set(range(depth, 5))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: len(space.suggest(trial).layers), n_trials=30)
    for trial in study.trials:
        assert len(trial.params) == 1 + trial.params["n_layers"]


def _memory(architecture: Architecture) -> Cost:
    return Cost(memory_mb=0.25 * len(architecture.layers), joules=3)


def test_a_space_has_the_costs_of_its_function() -> None:
    space = ArchitectureSpace(layers=LAYERS, cost=_memory, limits={"memory_mb": (0.5, 0.75)})
    assert space.cost_names == ("memory_mb", "joules")
    check_space(space)
    tokens = space.enumerate_tokens()
    costs = space.token_costs(tokens)
    assert costs is not None
    depths = [len(a.layers) for a in space.tokens_to_architectures(tokens)]
    np.testing.assert_array_equal(costs, [[0.25 * depth, 3] for depth in depths])
    allowed = space.limits.allow(costs, space.cost_names)
    assert allowed.tolist() == [2 <= depth <= 3 for depth in depths]
    with pytest.raises(ValueError, match=r"must be of \('memory_mb', 'joules'\), but got 'flops'"):
        space.within({"flops": 1})


def test_a_space_whose_function_names_other_costs_later_says_so() -> None:
    space = ArchitectureSpace(
        layers=LAYERS, cost=lambda a: Cost(**{"deep" if len(a.layers) > 1 else "flat": 1})
    )
    message = r"`ArchitectureSpace.cost` must name \('\w+',\) of all architectures"
    with pytest.raises(InvalidSpaceError, match=message):
        space.token_costs(space.enumerate_tokens())


def test_a_search_keeps_to_limits_of_any_cost() -> None:
    space = ArchitectureSpace(layers=LAYERS, cost=_memory, limits={"memory_mb": 0.5})
    study = optuna.create_study(sampler=DNASSampler(space=space, seed=0))
    study.optimize(lambda trial: -float(len(space.suggest(trial).layers)), n_trials=15)
    assert study.best_value == -2


def test_a_front_may_begin_with_what_costs_nothing() -> None:
    space = ArchitectureSpace(layers=LAYERS, cost=lambda a: Cost(extra=len(a.layers) - 1))
    study = optuna.create_study(
        directions=["minimize", "maximize"], sampler=DNASSampler(space=space, seed=0)
    )

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        architecture = space.suggest(trial)
        return len(architecture.layers) - 1.0, sum(layer.width for layer in architecture.layers)

    study.optimize(objective, n_trials=25)
    assert {tuple(t.values) for t in study.best_trials} == {(0, 64), (1, 128), (2, 192)}
