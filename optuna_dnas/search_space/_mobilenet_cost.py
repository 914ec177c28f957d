"""Exact cost of mobile networks, without building them.

Multiply-adds count convolutions and the dense layer. Every convolution is followed by batch
normalisation with two trainable parameters per channel.

L: searched layers, K: kernel sizes, E: expansion ratios.
"""

import numpy as np

from optuna_dnas._typing import IntArray
from optuna_dnas.search_space._cost import Cost
from optuna_dnas.search_space._mobilenet_shape import LayerShape
from optuna_dnas.search_space._mobilenet_shape import MobileNetShape
from optuna_dnas.search_space._mobilenet_spec import MBConv


def frame_cost(shape: MobileNetShape) -> Cost:
    """Of what all networks of a shape have: stem, first layer, head, classifier."""
    first, last = shape.first_layer, shape.layers[-1]
    stem = 9 * shape.image_channels * shape.stem_width
    head = last.out_channels * shape.head_width
    classifier = shape.head_width * shape.n_classes
    residual = layer_cost(first, MBConv(kernel=3, expansion=1))
    return Cost(
        flops=stem * first.in_size**2 + residual.flops + head * last.out_size**2 + classifier,
        params=(stem + 2 * shape.stem_width)
        + residual.params
        + (head + 2 * shape.head_width)
        + (classifier + shape.n_classes),
    )


def layer_cost(layer: LayerShape, choice: MBConv) -> Cost:
    """Of one inverted residual; with an expansion of 1 it has no convolution that expands."""
    inner = layer.in_channels * choice.expansion
    expand = layer.in_channels * inner if choice.expansion > 1 else 0
    filtering = inner * choice.kernel**2
    project = inner * layer.out_channels
    batch_norm = 2 * (inner * (1 + (choice.expansion > 1)) + layer.out_channels)
    return Cost(
        flops=expand * layer.in_size**2 + (filtering + project) * layer.out_size**2,
        params=expand + filtering + project + batch_norm,
    )


def cost_table(shape: MobileNetShape) -> IntArray:
    """(L, K + 1, E + 1, 2) multiply-adds and parameters; the last choices are a skipped layer."""
    n_kernels, n_expansions = len(shape.kernels), len(shape.expansions)
    table = np.zeros((len(shape.layers), n_kernels + 1, n_expansions + 1, 2), dtype=np.int64)
    for layer, costs in zip(shape.layers, table, strict=True):
        for k, kernel in enumerate(shape.kernels):
            for e, expansion in enumerate(shape.expansions):
                cost = layer_cost(layer, MBConv(kernel, expansion))
                costs[k, e] = cost.flops, cost.params
    return table
