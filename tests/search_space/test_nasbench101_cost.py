from hypothesis import given
from hypothesis import settings
import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import NetworkShape

from .toy import CELLS
from .toy import CONV1
from .toy import CONV3
from .toy import draw_raw
from .toy import POOL
from .toy import relabel
from .toy import seeds
from .toy import to_spec
from .toy import vertices


# -- A reference as slow and plain as the paper


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
    for spec in CELLS[7].sample(rng, 3):
        written = relabel(spec, rng)
        cost = CELLS[7].cost(written)
        assert (cost.flops, cost.params) == reference_cost(written, NetworkShape())


@given(vertices, seeds)
def test_what_will_be_pruned_costs_nothing(n_vertices: int, seed: int) -> None:
    raw = draw_raw(n_vertices, 30, seed)
    specs = [to_spec(n_vertices, row) for row in raw]
    valid = [spec is not None for spec in specs]
    costs = [CELLS[n_vertices].cost(spec) for spec in specs if spec is not None]
    expected = np.array([[cost.flops, cost.params] for cost in costs]).reshape(-1, 2)
    np.testing.assert_array_equal(CELLS[n_vertices].token_costs(raw[valid]), expected)


def test_absent_vertices_cost_nothing() -> None:
    specs = CELLS[4].tokens_to_architectures(CELLS[4].enumerate_tokens())
    costs = [CELLS[4].cost(spec) for spec in specs]
    for n_vertices in (4, 5, 7):
        space = CELLS[n_vertices]
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
