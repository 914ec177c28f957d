"""Exact cost of the published NASBench-101 network, without building it.

Stem conv3x3 with C channels; S stacks of M modules, each the cell; between stacks a 2 x 2 max-pool
halves the image and the next stack doubles the channels; global average pool, dense layer (Ying et
al., *NAS-Bench-101*, 2019, section 2.2). Every convolution is followed by batch normalisation with
two trainable parameters per channel. Multiply-adds count convolutions and the dense layer.

N: cells, V: vertex slots; cells may hold absent vertices (`_cells.py`).
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from optuna_dnas._checks import check_positive
from optuna_dnas._typing import IntArray
from optuna_dnas.search_space._cells import OPS
from optuna_dnas.search_space._cost import Cost
from optuna_dnas.search_space._nasbench101_unique import to_adjacency
from optuna_dnas.search_space._nasbench101_unique import whole_graphs


@dataclass(frozen=True, kw_only=True)
class NetworkShape:
    """The network around the cell; the defaults are the published one.

    Args:
        stem_channels: C.
        n_stacks: S.
        n_modules: M, per stack.
        image_size: Height and width of the input, pixels.
        image_channels: 3 for colour.
        n_classes: Outputs of the dense layer.
    """

    stem_channels: int = 128
    n_stacks: int = 3
    n_modules: int = 3
    image_size: int = 32
    image_channels: int = 3
    n_classes: int = 10

    def __post_init__(self) -> None:
        check_positive(self, *vars(self))


class NetworkCost(NamedTuple):
    """Cost of N networks."""

    flops: IntArray  # (N,) multiply-adds of one image
    params: IntArray  # (N,) trainable parameters


def network_cost(adjacency: IntArray, ops: IntArray, shape: NetworkShape) -> NetworkCost:
    """(N, V, V) pruned cells and (N, V - 2) ops -> their cost in a network of this shape."""
    channels, size = shape.stem_channels, shape.image_size
    stem_weights = 9 * shape.image_channels * channels
    flops = np.full(len(adjacency), stem_weights * size**2, dtype=np.int64)
    params = np.full(len(adjacency), stem_weights + 2 * channels, dtype=np.int64)
    module_input = channels
    for stack in range(shape.n_stacks):
        if stack > 0:
            size, channels = (size + 1) // 2, 2 * channels
        for _ in range(shape.n_modules):
            weights, batch_norm = _module_weights(adjacency, ops, module_input, channels)
            flops += weights * size**2
            params += weights + batch_norm
            module_input = channels
    flops += channels * shape.n_classes
    params += (channels + 1) * shape.n_classes
    return NetworkCost(flops, params)


@cache
def cost_range(max_vertices: int, network: NetworkShape) -> tuple[Cost, Cost]:
    """The least and the most of each cost, not always of one and the same cell."""
    lowest: list[list[int]] = []
    highest: list[list[int]] = []
    for v in range(2, max_vertices + 1):
        graphs = to_adjacency(whole_graphs(v), v)
        # The channels depend on the edges alone: pooling is cheapest, and conv3x3 dearest.
        for op, of_all, extreme in (("maxpool3x3", lowest, np.min), (OPS[0], highest, np.max)):
            ops = np.full((len(graphs), v - 2), OPS.index(op))
            of_all.append([int(extreme(c)) for c in network_cost(graphs, ops, network)])
    least, most = np.min(lowest, axis=0).tolist(), np.max(highest, axis=0).tolist()
    return (
        Cost(**dict(zip(NetworkCost._fields, least, strict=True))),
        Cost(**dict(zip(NetworkCost._fields, most, strict=True))),
    )


def vertex_channels(adjacency: IntArray, n_input: int, n_output: int) -> IntArray:
    """(N, V, V) -> (N, V) channels of every vertex of a module.

    The vertices that end in the output share its channels, the first ones taking what is left
    over; every other vertex has as many as the widest of its successors.
    """
    n, n_slots, _ = adjacency.shape
    channels = np.zeros((n, n_slots), dtype=np.int64)
    channels[:, 0], channels[:, -1] = n_input, n_output
    ends = adjacency[:, 1:-1, -1]  # (N, V - 2) interior vertices that end in the output
    n_ends = np.maximum(ends.sum(axis=1), 1)
    is_left_over = np.cumsum(ends, axis=1) <= (n_output % n_ends)[:, None]
    channels[:, 1:-1] = ends * ((n_output // n_ends)[:, None] + is_left_over)
    for v in range(n_slots - 3, 0, -1):
        widest = (adjacency[:, v, 1:-1] * channels[:, 1:-1]).max(axis=1)
        channels[:, v] = np.where(ends[:, v - 1] > 0, channels[:, v], widest)
    return channels


def _module_weights(
    adjacency: IntArray, ops: IntArray, n_input: int, n_output: int
) -> tuple[IntArray, IntArray]:
    """Convolution weights (N,) and batch-normalisation parameters (N,) of one module."""
    channels = vertex_channels(adjacency, n_input, n_output)
    interior = channels[:, 1:-1]  # (N, V - 2)
    kernel_area = np.array([9, 1, 0, 0])[ops]  # conv3x3, conv1x1, maxpool3x3, absent
    convolutions = kernel_area * interior**2
    # The input enters a vertex by a 1 x 1 projection to the vertex's channels.
    from_input = adjacency[:, 0, 1:]  # (N, V - 1), the output included
    projections = from_input * n_input * channels[:, 1:]
    batch_norm = 2 * ((kernel_area > 0) * interior).sum(axis=1)
    batch_norm = batch_norm + 2 * (from_input * channels[:, 1:]).sum(axis=1)
    return convolutions.sum(axis=1) + projections.sum(axis=1), batch_norm
