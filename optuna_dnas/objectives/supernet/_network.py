"""Mobile networks: one of an architecture, and one that holds all of a space.

B: batch, C: channels, H and W: pixels, K: classes.
"""

from collections.abc import Iterable
import math
from typing import cast

import torch
from torch import nn

from optuna_dnas.search_space import LayerShape
from optuna_dnas.search_space import MBConv
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpec


_FIRST = MBConv(kernel=3, expansion=1)


class ConvolutionBlock(nn.Sequential):
    """Convolution, batch normalisation, ReLU6 unless it is linear."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        is_linear: bool = False,
    ) -> None:
        convolution = nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            stride=stride,
            padding=kernel // 2,
            groups=groups,
            bias=False,
        )
        activation = [] if is_linear else [nn.ReLU6(inplace=True)]
        super().__init__(convolution, nn.BatchNorm2d(out_channels), *activation)


class InvertedResidual(nn.Module):
    """MBConv (Sandler et al., *MobileNetV2*, 2018, figure 4b): expand, filter, project.

    With an expansion of 1 there is nothing to expand.
    """

    def __init__(self, layer: LayerShape, choice: MBConv) -> None:
        super().__init__()
        inner = layer.in_channels * choice.expansion
        blocks = []
        if choice.expansion > 1:
            blocks.append(ConvolutionBlock(layer.in_channels, inner))
        depthwise = ConvolutionBlock(
            inner, inner, kernel=choice.kernel, stride=layer.stride, groups=inner
        )
        projection = ConvolutionBlock(inner, layer.out_channels, is_linear=True)
        self.blocks = nn.Sequential(*blocks, depthwise, projection)
        self.is_residual = layer.is_residual

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """Its scale is that of the whole."""
        return cast(nn.BatchNorm2d, cast(nn.Sequential, self.blocks[-1])[-1])

    def forward(
        self,
        x: torch.Tensor,  # (B, C, H, W)
    ) -> torch.Tensor:  # (B, C', H', W')
        y: torch.Tensor = self.blocks(x)
        return x + y if self.is_residual else y


class Frame(nn.Module):
    """What all networks of a shape have: stem, first layer, head, classifier."""

    def __init__(self, shape: MobileNetShape, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.stem = ConvolutionBlock(
            shape.image_channels, shape.stem_width, kernel=3, stride=shape.stem_stride
        )
        self.first = InvertedResidual(shape.first_layer, _FIRST)
        self.head = ConvolutionBlock(shape.layers[-1].out_channels, shape.head_width)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(shape.head_width, shape.n_classes)

    def forward(
        self,
        images: torch.Tensor,  # (B, C, H, W)
        layers: Iterable[nn.Module],
    ) -> torch.Tensor:  # (B, K) logits
        x = self.first(self.stem(images))
        for layer in layers:
            x = layer(x)
        pooled = self.head(x).mean(dim=(2, 3))
        logits: torch.Tensor = self.classifier(self.dropout(pooled))
        return logits


class MobileNetwork(nn.Module):
    """The network of one architecture.

    Args:
        frame: Around the layers.
        layers: Those that are not skipped.
    """

    def __init__(self, frame: Frame, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.frame = frame
        self.layers = nn.ModuleList(layers)

    @classmethod
    def build(
        cls, shape: MobileNetShape, spec: MobileNetSpec, *, dropout: float = 0.0
    ) -> "MobileNetwork":
        """A network without weights, on the "meta" device; see :func:`initialise`.

        Raises:
            OutOfDomainError: The architecture is not of this shape.
        """
        shape.check(spec)
        pairs = zip(shape.layers, spec.layers, strict=True)
        with torch.device("meta"):
            layers = [InvertedResidual(layer, choice) for layer, choice in pairs if choice]
            return cls(Frame(shape, dropout=dropout), layers)

    def forward(
        self,
        images: torch.Tensor,  # (B, C, H, W)
    ) -> torch.Tensor:  # (B, K) logits
        logits: torch.Tensor = self.frame(images, self.layers)
        return logits


class Supernet(nn.Module):
    """All networks of a shape in one: a module for every choice of every layer.

    Architectures share the weights of the choices that they have in common: single-path one-shot
    (Guo et al., 2019).
    """

    def __init__(self, shape: MobileNetShape, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.frame = Frame(shape, dropout=dropout)
        self.choices = nn.ModuleList(
            nn.ModuleDict({str(c): InvertedResidual(layer, c) for c in shape.choices})
            for layer in shape.layers
        )

    @classmethod
    def build(cls, shape: MobileNetShape, *, dropout: float = 0.0) -> "Supernet":
        """A supernet without weights, on the "meta" device; see :func:`initialise`."""
        with torch.device("meta"):
            return cls(shape, dropout=dropout)

    def subnet(self, spec: MobileNetSpec) -> MobileNetwork:
        """The network of an architecture; the modules are the supernet's own.

        Raises:
            OutOfDomainError: The architecture is not of the supernet's shape.
        """
        return MobileNetwork(self.frame, self.path(spec))

    def path(self, spec: MobileNetSpec) -> list[nn.Module]:
        """The modules of an architecture's layers."""
        self.shape.check(spec)
        pairs = zip(self.choices, spec.layers, strict=True)
        return [modules[str(choice)] for modules, choice in pairs if choice]  # type: ignore[index]

    def forward(
        self,
        images: torch.Tensor,  # (B, C, H, W)
        spec: MobileNetSpec,
    ) -> torch.Tensor:  # (B, K) logits
        logits: torch.Tensor = self.frame(images, self.path(spec))
        return logits


@torch.no_grad()
def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Weights on the CPU as MobileNetV2 draws them, with residuals that begin as identities.

    Convolutions: He et al. by fan-out; the dense layer: N(0, 0.01^2), no bias. The last scale of
    a residual is 0 (Goyal et al., *Accurate, Large Minibatch SGD*, 2017, section 5.1): layers
    that other subnets skip disturb nothing until they have learned something.
    """
    network.to_empty(device="cpu").float()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()  # constants, no draws
        elif isinstance(module, nn.Conv2d):
            fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
            module.weight.normal_(0.0, math.sqrt(2.0 / fan_out), generator=generator)
        elif isinstance(module, nn.Linear):
            module.weight.normal_(0.0, 0.01, generator=generator)
            module.bias.zero_()
    for module in network.modules():
        if isinstance(module, InvertedResidual) and module.is_residual:
            module.last_norm.weight.zero_()


def split_by_decay(
    network: nn.Module,
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Parameters that decay, and those that do not: of normalisation, and biases."""
    parameters = list(network.parameters())
    return [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
