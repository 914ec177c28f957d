import itertools
import os
import re

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.trial import FixedTrial
import pytest
from scipy.stats import chisquare
import torch
from torch.utils.flop_counter import FlopCounterMode

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives._nasbench101_table import NASBench101Table
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import NetworkShape
from optuna_dnas.search_space import recognize


CONV3, CONV1, POOL = OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
ABSENT = 3
SPACES = {v: NASBench101Space(max_vertices=v) for v in range(2, 8)}
N_BY_VERTICES = {2: 1, 3: 6, 4: 84, 5: 2441, 6: 62010}
TABLE = os.environ.get("OPTUNA_DNAS_NASBENCH101")

vertices = st.integers(2, 7)
seeds = st.integers(0, 2**32 - 1)


def sample(n_vertices: int, n: int, seed: int) -> np.ndarray:
    return SPACES[n_vertices].sample_tokens(n, np.random.default_rng(seed))


def draw_raw(n_vertices: int, n: int, seed: int, *, n_ops: int = len(OPS)) -> np.ndarray:
    """(n, T) tokens that are neither canonical nor always valid, few edges and many."""
    rng = np.random.default_rng(seed)
    n_edges = n_vertices * (n_vertices - 1) // 2
    edges = rng.random((n, n_edges)) < rng.uniform(0.1, 0.9, (n, 1))
    ops = rng.integers(0, n_ops, (n, n_vertices - 2))
    return np.concatenate([edges, ops], axis=1).astype(np.int64)


def to_matrix(n_vertices: int, tokens: np.ndarray) -> np.ndarray:
    """One sequence -> (V, V), edges column by column."""
    matrix = np.zeros((n_vertices, n_vertices), dtype=int)
    pairs = [(i, j) for j in range(1, n_vertices) for i in range(j)]
    for (i, j), token in zip(pairs, tokens[: len(pairs)], strict=True):
        matrix[i, j] = token
    return matrix


def to_spec(n_vertices: int, tokens: np.ndarray) -> ModelSpec | None:
    """What the tokens say, by `ModelSpec` alone; `None` if that is no cell."""
    ops = [OPS[o] for o in tokens[n_vertices * (n_vertices - 1) // 2 :]]
    try:
        return ModelSpec(to_matrix(n_vertices, tokens), ["input", *ops, "output"])
    except OutOfDomainError:
        return None


def relabel(spec: ModelSpec, rng: np.random.Generator) -> ModelSpec:
    """The same cell with its vertices in another order."""
    order, waiting = [0], list(range(1, len(spec.ops) - 1))
    while waiting:
        ready = [v for v in waiting if not spec.matrix[waiting, v].any()]
        order.append(int(rng.choice(ready)))
        waiting.remove(order[-1])
    order.append(len(spec.ops) - 1)
    return ModelSpec(spec.matrix[np.ix_(order, order)], [spec.ops[v] for v in order])


# -- Parameters, tokens, architectures


@given(vertices, seeds)
def test_params_to_tokens_to_params(n_vertices: int, seed: int) -> None:
    space = SPACES[n_vertices]
    params = space.tokens_to_params(draw_raw(n_vertices, 3, seed))
    assert space.tokens_to_params(space.params_to_tokens(params)) == params
    specs = space.sample(np.random.default_rng(seed), 3)
    canonical = [space.architecture_to_params(spec) for spec in specs]
    tokens, valid = space.canonicalize(space.params_to_tokens(canonical))
    assert valid.all()
    assert space.tokens_to_params(tokens) == canonical


@given(vertices, seeds)
def test_tokens_to_architecture_to_tokens(n_vertices: int, seed: int) -> None:
    space, tokens = SPACES[n_vertices], sample(n_vertices, 5, seed)
    specs = space.tokens_to_architectures(tokens)
    np.testing.assert_array_equal(space.architectures_to_tokens(specs), tokens)


@given(vertices, seeds)
def test_architecture_to_params_to_architecture(n_vertices: int, seed: int) -> None:
    space = SPACES[n_vertices]
    rng = np.random.default_rng(seed)
    for spec in space.sample(rng, 3):
        params = space.architecture_to_params(relabel(spec, rng))
        assert params.keys() == space.distributions.keys()
        assert all(type(value) in (int, str) for value in params.values())
        assert space.params_to_architecture(params) == space.canonical(spec) == spec


def test_parameters_are_named_by_edges_and_vertices() -> None:
    spec = ModelSpec([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", POOL, "output"])
    assert SPACES[3].architecture_to_params(spec) == {
        "edge_0_1": 1,
        "edge_0_2": 1,
        "edge_1_2": 1,
        "op_1": POOL,
    }


def test_a_cell_may_be_too_large_for_the_space() -> None:
    spec = SPACES[5].tokens_to_architectures(SPACES[5].enumerate_tokens()[-1:])[0]
    assert len(spec.ops) == 5
    with pytest.raises(OutOfDomainError, match="at most 4 vertices, but got 5"):
        SPACES[4].architectures_to_tokens([spec])


@pytest.mark.parametrize("max_vertices", [1, 8, 0])
def test_bad_sizes_are_refused(max_vertices: int) -> None:
    with pytest.raises(ValueError, match=f"`max_vertices`.*{max_vertices}"):
        NASBench101Space(max_vertices=max_vertices)


def test_the_vocabulary_is_that_of_the_tokens() -> None:
    for n_vertices, space in SPACES.items():
        space.vocabulary.check(sample(n_vertices, 50, seed=0))
        names = [token.name for token in space.vocabulary.tokens]
        assert names == list(space.distributions)
    assert len(SPACES[7].vocabulary) == 26
    assert SPACES[7].vocabulary.n_steps == 6


# -- Canonical form


@given(vertices, seeds)
def test_canonicalize_is_idempotent(n_vertices: int, seed: int) -> None:
    space = SPACES[n_vertices]
    once, valid = space.canonicalize(draw_raw(n_vertices, 20, seed, n_ops=4))
    twice, still_valid = space.canonicalize(once)
    np.testing.assert_array_equal(twice, once)
    np.testing.assert_array_equal(still_valid, valid)


@given(vertices, seeds)
def test_canonical_tokens_ignore_the_vertex_order(n_vertices: int, seed: int) -> None:
    space, tokens = SPACES[n_vertices], sample(n_vertices, 5, seed)
    rng = np.random.default_rng(seed)
    relabeled = [relabel(spec, rng) for spec in space.tokens_to_architectures(tokens)]
    again, valid = space.canonicalize(space.architectures_to_tokens(relabeled))
    assert valid.all()
    np.testing.assert_array_equal(again, tokens)


@given(vertices, seeds)
def test_canonicalize_agrees_with_model_spec(n_vertices: int, seed: int) -> None:
    raw = draw_raw(n_vertices, 20, seed)
    canonical, valid = SPACES[n_vertices].canonicalize(raw)
    specs = [to_spec(n_vertices, row) for row in raw]
    assert valid.tolist() == [spec is not None for spec in specs]
    for row, spec in zip(canonical, specs, strict=True):
        if spec is not None:
            (other,) = SPACES[n_vertices].tokens_to_architectures(row[None])
            assert other.hash() == spec.hash()


def test_absent_is_valid_for_unconnected_vertices_only() -> None:
    connected = np.array([[1, 0, 1, ABSENT]])  # input -> 1 -> output
    unconnected = np.array([[0, 1, 0, ABSENT], [1, 1, 0, ABSENT], [0, 1, 1, ABSENT]])
    assert not SPACES[3].canonicalize(connected)[1].any()
    tokens, valid = SPACES[3].canonicalize(unconnected)
    assert valid.all()
    assert tokens.tolist() == [[0, 1, 0, ABSENT]] * 3


def test_a_cell_has_one_form_in_spaces_of_all_sizes() -> None:
    specs = SPACES[4].tokens_to_architectures(SPACES[4].enumerate_tokens())
    for n_vertices in (5, 7):
        space = SPACES[n_vertices]
        assert [space.canonical(spec) for spec in specs] == specs


def test_canonical_tokens_are_equal_if_and_only_if_hashes_are() -> None:
    """Every writing on 4 vertices: 64 graphs with 9 labelings."""
    writings = itertools.product(*[range(2)] * 6, *[range(3)] * 2)
    raw = np.array(list(writings))
    canonical, valid = SPACES[4].canonicalize(raw)
    assert valid.sum() > 91
    pairs = {
        (tuple(row), to_spec(4, writing).hash())
        for row, writing in zip(canonical[valid].tolist(), raw[valid], strict=True)
    }
    assert len(pairs) == len({row for row, _ in pairs}) == len({digest for _, digest in pairs})
    assert len(pairs) == 91


def test_distinct_canonical_tokens_have_distinct_hashes() -> None:
    specs = SPACES[5].tokens_to_architectures(SPACES[5].enumerate_tokens())
    assert len({spec.hash() for spec in specs}) == len(specs) == 1 + 6 + 84 + 2441


def check_counts(n_vertices: int) -> None:
    space = SPACES[n_vertices]
    tokens = space.enumerate_tokens()
    sizes = [len(spec.ops) for spec in space.tokens_to_architectures(tokens)]
    by_size = {v: sizes.count(v) for v in range(2, n_vertices + 1)}
    assert by_size == {v: N_BY_VERTICES[v] for v in range(2, n_vertices + 1)}
    assert len(np.unique(tokens, axis=0)) == len(tokens) == space.size
    canonical, valid = space.canonicalize(tokens)
    assert valid.all()
    np.testing.assert_array_equal(canonical, tokens)


@pytest.mark.parametrize("n_vertices", [2, 3, 4, 5])
def test_published_counts(n_vertices: int) -> None:
    check_counts(n_vertices)


@pytest.mark.slow
def test_published_counts_of_six_vertices() -> None:
    check_counts(6)


def test_the_whole_space_has_its_published_size_and_is_not_enumerated() -> None:
    assert SPACES[7].size == 423_624
    with pytest.raises(ValueError, match="too large"):
        SPACES[7].enumerate_tokens()


# -- Samples


@given(vertices, seeds)
def test_samples_are_canonical_and_valid(n_vertices: int, seed: int) -> None:
    tokens = sample(n_vertices, 20, seed)
    canonical, valid = SPACES[n_vertices].canonicalize(tokens)
    assert valid.all()
    np.testing.assert_array_equal(canonical, tokens)


def test_samples_are_uniform_over_the_unique_cells() -> None:
    rows = [tuple(row) for row in SPACES[4].enumerate_tokens().tolist()]
    drawn = [tuple(row) for row in sample(4, 91 * 200, seed=0).tolist()]
    counts = [drawn.count(row) for row in rows]
    assert sum(counts) == len(drawn)
    assert chisquare(counts).pvalue > 0.001


def test_sizes_of_samples_are_those_of_the_unique_cells() -> None:
    n_vertices = 2 + (sample(7, 30_000, seed=0)[:, -5:] != ABSENT).sum(axis=1)
    counts = [np.count_nonzero(n_vertices <= 5), *np.bincount(n_vertices, minlength=8)[6:]]
    shares = np.array([1 + 6 + 84 + 2441, 62010, 359082]) / 423_624
    assert chisquare(counts, shares * len(n_vertices)).pvalue > 0.001


def test_samples_depend_on_the_generator_alone() -> None:
    np.testing.assert_array_equal(sample(7, 30, seed=3), sample(7, 30, seed=3))
    assert not np.array_equal(sample(7, 30, seed=3), sample(7, 30, seed=4))
    specs = SPACES[7].sample(np.random.default_rng(3), 30)
    assert specs == SPACES[7].tokens_to_architectures(sample(7, 30, seed=3))
    assert SPACES[7].sample_tokens(0, np.random.default_rng(0)).shape == (0, 26)


# -- Cost: a reference as slow and plain as the paper


def reference_channels(matrix: np.ndarray, n_input: int, n_output: int) -> list[int]:
    """``compute_vertex_channels`` of the published network, in words.

    Vertices before the output share its channels, the first ones get one of the remainder each;
    any other vertex has the maximum of where its edges go.
    """
    n = len(matrix)
    channels = [n_input, *[0] * (n - 2), n_output]
    ends = [v for v in range(1, n - 1) if matrix[v, n - 1]]
    for place, v in enumerate(ends):
        channels[v] = n_output // len(ends) + (1 if place < n_output % len(ends) else 0)
    for v in reversed(range(1, n - 1)):
        if v not in ends:
            channels[v] = max(channels[w] for w in range(v + 1, n - 1) if matrix[v, w])
    return channels


def reference_cost(spec: ModelSpec, shape: NetworkShape) -> tuple[int, int]:
    """Multiply-adds and parameters, layer by layer."""
    convolutions = [(3, shape.image_channels, shape.stem_channels, shape.image_size)]
    n_input, n_output, size = shape.stem_channels, shape.stem_channels, shape.image_size
    last = len(spec.ops) - 1
    for stack in range(shape.n_stacks):
        if stack:
            n_output, size = 2 * n_output, -(-size // 2)
        for _ in range(shape.n_modules):
            channels = reference_channels(spec.matrix, n_input, n_output)
            for v in range(1, last + 1):
                if spec.matrix[0, v]:
                    convolutions.append((1, n_input, channels[v], size))
                if v < last and spec.ops[v] != POOL:
                    kernel = 3 if spec.ops[v] == CONV3 else 1
                    convolutions.append((kernel, channels[v], channels[v], size))
            n_input = n_output
    flops, params = n_output * shape.n_classes, n_output * shape.n_classes + shape.n_classes
    for kernel, n_in, n_out, size in convolutions:
        weights = kernel * kernel * n_in * n_out
        flops += weights * size * size
        params += weights + 2 * n_out  # and the batch normalisation
    return flops, params


SHAPES = [
    NetworkShape(),
    NetworkShape(stem_channels=10, image_size=33, n_stacks=4, n_modules=1, n_classes=7),
    NetworkShape(stem_channels=7, image_channels=1, n_stacks=1, n_modules=5),
]


@pytest.mark.parametrize("shape", SHAPES)
@given(seed=seeds)
@settings(max_examples=20)
def test_cost_is_that_of_the_list_of_layers(shape: NetworkShape, seed: int) -> None:
    space = NASBench101Space(network=shape)
    tokens = space.sample_tokens(5, np.random.default_rng(seed))
    specs = space.tokens_to_architectures(tokens)
    expected = [reference_cost(spec, shape) for spec in specs]
    assert space.token_costs(tokens).tolist() == [list(cost) for cost in expected]
    for spec, (flops, params) in zip(specs, expected, strict=True):
        cost = space.cost(spec)
        assert (cost.flops, cost.params) == (flops, params)
        assert type(cost.flops) is type(cost.params) is int


@given(seeds)
def test_cost_is_that_of_the_cell_as_written(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for spec in SPACES[7].sample(rng, 3):
        written = relabel(spec, rng)
        cost = SPACES[7].cost(written)
        assert (cost.flops, cost.params) == reference_cost(written, NetworkShape())


@given(vertices, seeds)
def test_what_will_be_pruned_costs_nothing(n_vertices: int, seed: int) -> None:
    raw = draw_raw(n_vertices, 30, seed)
    specs = [to_spec(n_vertices, row) for row in raw]
    valid = [spec is not None for spec in specs]
    costs = [SPACES[n_vertices].cost(spec) for spec in specs if spec is not None]
    expected = np.array([[cost.flops, cost.params] for cost in costs]).reshape(-1, 2)
    np.testing.assert_array_equal(SPACES[n_vertices].token_costs(raw[valid]), expected)


def test_absent_vertices_cost_nothing() -> None:
    specs = SPACES[4].tokens_to_architectures(SPACES[4].enumerate_tokens())
    costs = [SPACES[4].cost(spec) for spec in specs]
    for n_vertices in (4, 5, 7):
        space = SPACES[n_vertices]
        by_token = space.token_costs(space.architectures_to_tokens(specs))
        assert by_token.tolist() == [[cost.flops, cost.params] for cost in costs]


@pytest.mark.parametrize("name", list(vars(NetworkShape())))
def test_bad_network_shapes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be positive, but got 0"):
        NetworkShape(**{name: 0})


class ConvBnRelu(torch.nn.Sequential):
    def __init__(self, kernel: int, n_in: int, n_out: int) -> None:
        super().__init__(
            torch.nn.Conv2d(n_in, n_out, kernel, padding="same", bias=False),
            torch.nn.BatchNorm2d(n_out),
            torch.nn.ReLU(),
        )


class Cell(torch.nn.Module):
    """``build_module`` of the published network."""

    def __init__(self, spec: ModelSpec, n_in: int, n_out: int) -> None:
        super().__init__()
        self.matrix, last = spec.matrix, len(spec.ops) - 1
        self.channels = reference_channels(spec.matrix, n_in, n_out)
        self.projections = torch.nn.ModuleDict(
            {
                str(v): ConvBnRelu(1, n_in, self.channels[v])
                for v in range(1, last + 1)
                if self.matrix[0, v]
            }
        )
        self.ops = torch.nn.ModuleList(
            torch.nn.MaxPool2d(3, stride=1, padding=1)
            if spec.ops[v] == POOL
            else ConvBnRelu(3 if spec.ops[v] == CONV3 else 1, self.channels[v], self.channels[v])
            for v in range(1, last)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        last = len(self.matrix) - 1
        values = [x]
        for v in range(1, last):
            inputs = [values[w][:, : self.channels[v]] for w in range(1, v) if self.matrix[w, v]]
            if self.matrix[0, v]:
                inputs.append(self.projections[str(v)](x))
            values.append(self.ops[v - 1](torch.stack(inputs).sum(dim=0)))
        ends = [values[v] for v in range(1, last) if self.matrix[v, last]]
        outputs = [torch.cat(ends, dim=1)] if ends else []
        if self.matrix[0, last]:
            outputs.append(self.projections[str(last)](x))
        return torch.stack(outputs).sum(dim=0)


def build_network(spec: ModelSpec, shape: NetworkShape) -> torch.nn.Module:
    n_in = n_out = shape.stem_channels
    layers: list[torch.nn.Module] = [ConvBnRelu(3, shape.image_channels, n_in)]
    for stack in range(shape.n_stacks):
        if stack:
            layers.append(torch.nn.MaxPool2d(2, stride=2, ceil_mode=True))
            n_out *= 2
        for _ in range(shape.n_modules):
            layers.append(Cell(spec, n_in, n_out))
            n_in = n_out
    pool = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    return torch.nn.Sequential(*layers, *pool, torch.nn.Linear(n_in, shape.n_classes))


@pytest.mark.parametrize("shape", SHAPES[:2])
@pytest.mark.parametrize(
    "text",
    [
        "|01/00",
        f"{CONV3}|010/001/000",
        f"{POOL}|011/001/000",  # input -> output beside a vertex
        f"{CONV3},{CONV1},{POOL}|01110/00001/00001/00001/00000",  # 128 channels over 3 vertices
        f"{CONV3},{CONV1},{POOL},{CONV3},{CONV3}"
        "|0111100/0000001/0000001/0000001/0000010/0000001/0000000",
        f"{CONV1},{CONV3},{CONV3},{POOL},{CONV1}"
        "|0100001/0011000/0000110/0000001/0000001/0000001/0000000",  # truncated channels
    ],
)
def test_cost_is_that_of_the_built_network(text: str, shape: NetworkShape) -> None:
    spec = ModelSpec.parse(text)
    with torch.device("meta"):
        network = build_network(spec, shape)
        image = torch.empty(1, shape.image_channels, shape.image_size, shape.image_size)
    counter = FlopCounterMode(display=False)
    with counter:
        assert network(image).shape == (1, shape.n_classes)
    cost = NASBench101Space(network=shape).cost(spec)
    assert 2 * cost.flops == counter.get_total_flops()
    assert cost.params == sum(p.numel() for p in network.parameters())


# -- Recognition, pictures, trials


@pytest.mark.parametrize("n_vertices", list(SPACES))
def test_a_space_is_recognised_by_its_parameters(n_vertices: int) -> None:
    distributions = SPACES[n_vertices].distributions
    found = recognize(dict(reversed(distributions.items())))
    assert isinstance(found, NASBench101Space)
    assert found.max_vertices == n_vertices
    for name in distributions:
        assert recognize({n: d for n, d in distributions.items() if n != name}) is None
    assert recognize(distributions | {"width": CategoricalDistribution((1, 2))}) is None
    first = next(iter(distributions))
    assert recognize(distributions | {first: CategoricalDistribution((0, 1, 2))}) is None


@given(vertices, seeds)
def test_a_picture_shows_every_op_and_every_edge(n_vertices: int, seed: int) -> None:
    (spec,) = SPACES[n_vertices].sample(np.random.default_rng(seed), 1)
    lines = SPACES[n_vertices].draw(spec).splitlines()
    last = len(spec.ops) - 1
    matrix = np.zeros_like(spec.matrix)
    ops = []
    for v, line in enumerate(lines):
        found = re.fullmatch(r"(\d)  (\S+) *(?:-> (.+))?", line)
        assert found is not None
        assert int(found[1]) == v
        ops.append(found[2])
        for name in (found[3] or "").split(", "):
            if name:
                matrix[v, last if name == "output" else int(name)] = 1
    assert ModelSpec(matrix, ops) == spec


def test_suggest_asks_a_trial_for_all_parameters() -> None:
    params = {"edge_0_1": 1, "edge_0_2": 0, "edge_1_2": 1, "op_1": CONV1}
    trial = FixedTrial(params)
    assert str(SPACES[3].suggest(trial)) == f"{CONV1}|010/001/000"
    assert trial.params == params
    with pytest.raises(OutOfDomainError, match="not connected"):
        SPACES[3].suggest(FixedTrial(params | {"edge_1_2": 0}))


def test_fixed_tokens_leave_out_what_the_space_does_not_contain() -> None:
    space = SPACES[4]
    fixed = space.fixed_tokens(
        {"edge_0_1": 1, "edge_0_2": 2, "op_1": POOL, "op_2": "conv7x7", "edge_0_9": 1, "x": 3.0}
    )
    names = list(space.distributions)
    assert fixed == {names.index("edge_0_1"): 1, names.index("op_1"): OPS.index(POOL)}


# -- The published table


@pytest.mark.slow
@pytest.mark.skipif(TABLE is None, reason="needs OPTUNA_DNAS_NASBENCH101, the path of the table")
def test_all_cells_of_the_table() -> None:
    assert TABLE is not None
    cells = NASBench101Table.open(TABLE)._cells
    tokens = table_tokens(cells)
    canonical, valid = SPACES[7].canonicalize(tokens)
    assert valid.all()
    assert len(np.unique(canonical, axis=0)) == len(cells) == SPACES[7].size
    n_different = 0
    for start in range(0, len(cells), 10_000):
        rows = slice(start, start + 10_000)
        params = SPACES[7].token_costs(tokens[rows])[:, 1]
        n_different += int((params != cells["trainable_parameters"][rows]).sum())
    assert n_different == 0
    for index in np.random.default_rng(0).integers(0, len(cells), 200):
        (spec,) = SPACES[7].tokens_to_architectures(canonical[index : index + 1])
        assert bytes.fromhex(spec.hash()) == cells["hash"][index].tobytes()


def table_tokens(cells: np.ndarray) -> np.ndarray:
    """Cells of the store -> (N, 26) tokens as written, the output moved to the last slot."""
    n_vertices = cells["n_vertices"].astype(int)
    adjacency = np.zeros((len(cells), 7, 7), dtype=np.int64)
    rows = np.arange(len(cells))
    for j in range(1, 7):
        slot = np.where(j == n_vertices - 1, 6, j)
        for i in range(j):
            adjacency[rows, i, slot] |= cells["adjacency"] >> (i + j * (j - 1) // 2) & 1
    edges = [adjacency[:, i, j] for j in range(1, 7) for i in range(j)]
    ops = np.minimum(cells["ops"].astype(np.int64), ABSENT)
    return np.concatenate([np.stack(edges, axis=1), ops], axis=1)
