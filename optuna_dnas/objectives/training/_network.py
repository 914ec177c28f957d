"""The published network of a cell, several replicas of it at a time.

Source: ``build_module`` and ``build_model_fn`` of google-research/nasbench (Ying et al., 2019).
The R replicas share no weights: replica r is group r of every convolution, and batch
normalisation works channel by channel anyway.

B: batch, R: replicas, C: channels of one replica, K: classes, V: vertices of the cell.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NetworkShape
from optuna_dnas.search_space._nasbench101_cost import vertex_channels


_KERNEL_SIZES = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}

# The standard deviation of a standard normal that is cut at two of its own.
_TRUNCATED_SD = 0.87962566


class CellNetwork(nn.Module):
    """Stem, stacks of modules with a max-pool between two stacks, average pool, dense layer.

    It is built on the meta device, which draws nothing; :func:`initialise` gives it numbers.

    Args:
        spec: The cell.
        shape: The network around it.
        n_replicas: R.
        batch_norm_momentum: How much a batch counts in the running mean and variance.

    Raises:
        ValueError: The stem has so few channels that a vertex would get none.
    """

    def __init__(
        self,
        spec: ModelSpec,
        shape: NetworkShape,
        *,
        n_replicas: int = 1,
        batch_norm_momentum: float = 0.1,
    ) -> None:
        super().__init__()
        _check_channels(spec, shape)
        self.n_replicas = n_replicas
        n_input = n_output = shape.stem_channels
        layers: list[nn.Module] = [ConvBnRelu(3, shape.image_channels, n_input, n_replicas)]
        for stack in range(shape.n_stacks):
            if stack > 0:
                layers.append(nn.MaxPool2d(2, stride=2, ceil_mode=True))
                n_output *= 2
            for _ in range(shape.n_modules):
                layers.append(CellModule(spec, n_input, n_output, n_replicas))
                n_input = n_output
        self.layers = nn.Sequential(*layers)
        self.dense = ReplicatedLinear(n_replicas, n_output, shape.n_classes)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = batch_norm_momentum

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, R * C, H, W) images, replica after replica -> (R, B, K) logits."""
        features = self.layers(images).mean(dim=(2, 3))  # (B, R * C)
        logits: torch.Tensor = self.dense(_split(features, self.n_replicas).transpose(0, 1))
        return logits


class CellModule(nn.Module):
    """One module: the cell.

    Args:
        spec: The cell.
        n_input: Channels of its input.
        n_output: Channels of its output.
        n_replicas: R.
    """

    def __init__(self, spec: ModelSpec, n_input: int, n_output: int, n_replicas: int) -> None:
        super().__init__()
        matrix = spec.matrix.astype(np.int64)
        channels = vertex_channels(matrix[None], n_input, n_output)[0].tolist()
        self.n_replicas = n_replicas
        self.output = len(matrix) - 1
        self.channels = channels
        # Edges from interior vertices; those from the input are projections.
        self.sources = [[w for w in range(1, v) if matrix[w, v]] for v in range(len(matrix))]
        self.projections = nn.ModuleDict(
            {
                str(v): ConvBnRelu(1, n_input, channels[v], n_replicas)
                for v in range(1, len(matrix))
                if matrix[0, v]
            }
        )
        self.ops = nn.ModuleDict(
            {
                str(v): _build_op(spec.ops[v], channels[v], n_replicas)
                for v in range(1, self.output)
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, R * n_input, H, W) -> (B, R * n_output, H, W)."""
        values: dict[int, torch.Tensor] = {}
        for v in range(1, self.output):
            inputs = [self._truncate(values[w], self.channels[v]) for w in self.sources[v]]
            values[v] = self.ops[str(v)](_sum(inputs + self._project(x, v)))
        ends = [values[w] for w in self.sources[self.output]]
        joined = [self._concatenate(ends)] if ends else []
        return _sum(joined + self._project(x, self.output))

    def _project(self, x: torch.Tensor, v: int) -> list[torch.Tensor]:
        return [self.projections[str(v)](x)] if str(v) in self.projections else []

    def _truncate(self, x: torch.Tensor, n_channels: int) -> torch.Tensor:
        """(B, R * C, H, W) -> (B, R * n_channels, H, W), the first ones of every replica."""
        if x.shape[1] == self.n_replicas * n_channels:
            return x
        return _split(x, self.n_replicas)[:, :, :n_channels].flatten(1, 2)

    def _concatenate(self, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        """Replica by replica: (B, R * C_i, H, W) -> (B, R * sum C_i, H, W)."""
        if len(tensors) == 1:
            return tensors[0]
        parts = [_split(x, self.n_replicas) for x in tensors]
        return torch.cat(parts, dim=2).flatten(1, 2)


class ConvBnRelu(nn.Sequential):
    """R convolutions side by side, batch normalisation, ReLU.

    Args:
        kernel_size: 1 or 3, padded so that the image keeps its size.
        n_input: Channels of one replica's input.
        n_output: Channels of one replica's output.
        n_replicas: R.
    """

    def __init__(self, kernel_size: int, n_input: int, n_output: int, n_replicas: int) -> None:
        convolution = nn.Conv2d(
            n_replicas * n_input,
            n_replicas * n_output,
            kernel_size,
            padding=kernel_size // 2,
            groups=n_replicas,
            bias=False,
            device="meta",
            dtype=torch.float32,
        )
        batch_norm = nn.BatchNorm2d(n_replicas * n_output, device="meta", dtype=torch.float32)
        super().__init__(convolution, batch_norm, nn.ReLU(inplace=True))


class ReplicatedLinear(nn.Module):
    """R linear layers side by side.

    Args:
        n_replicas: R.
        n_input: Inputs of each.
        n_output: Outputs of each.
    """

    def __init__(self, n_replicas: int, n_input: int, n_output: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.empty(n_replicas, n_input, n_output, device="meta", dtype=torch.float32)
        )
        self.bias = nn.Parameter(
            torch.empty(n_replicas, 1, n_output, device="meta", dtype=torch.float32)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(R, B, n_input) -> (R, B, n_output)."""
        return torch.baddbmm(self.bias, x, self.weight)


def initialise(
    network: CellNetwork,
    generators: Sequence[torch.Generator],  # R, on the CPU
) -> CellNetwork:
    """``network`` on the CPU with the published distributions, a generator for each replica.

    Convolutions: truncated normal with variance 1 / fan-in. Dense: Glorot's uniform, no bias.
    """
    network.to_empty(device="cpu")
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()  # constants, no draws
        elif isinstance(layer, nn.Conv2d):
            sd = layer.weight[0].numel() ** -0.5 / _TRUNCATED_SD
            replicas = layer.weight.detach().chunk(network.n_replicas)
            for weight, generator in zip(replicas, generators, strict=True):
                nn.init.trunc_normal_(weight, 0.0, sd, -2 * sd, 2 * sd, generator=generator)
        elif isinstance(layer, ReplicatedLinear):
            bound = (6 / sum(layer.weight.shape[1:])) ** 0.5
            nn.init.zeros_(layer.bias)
            for weight, generator in zip(layer.weight.detach(), generators, strict=True):
                nn.init.uniform_(weight, -bound, bound, generator=generator)
    return network


def _build_op(op: str, n_channels: int, n_replicas: int) -> nn.Module:
    if op not in _KERNEL_SIZES:
        return nn.MaxPool2d(3, stride=1, padding=1)
    return ConvBnRelu(_KERNEL_SIZES[op], n_channels, n_channels, n_replicas)


def _split(x: torch.Tensor, n_replicas: int) -> torch.Tensor:
    """(B, R * C, ...) -> (B, R, C, ...)."""
    return x.view(len(x), n_replicas, -1, *x.shape[2:])


def _sum(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total


def _check_channels(spec: ModelSpec, shape: NetworkShape) -> None:
    n_ends = int(spec.matrix[1:-1, -1].sum())
    if shape.stem_channels < n_ends:
        raise ValueError(
            f"`stem_channels` must be at least {n_ends} for {spec}, whose output joins as many "
            f"vertices, but got {shape.stem_channels}."
        )
