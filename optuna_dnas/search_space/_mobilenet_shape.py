"""The network around the layers that are searched: MobileNetV2's skeleton.

Stem convolution 3 x 3, one fixed inverted residual (kernel 3, expansion 1), the stages of searched
layers, a head convolution 1 x 1, global average pool, dense layer (Sandler et al., *MobileNetV2*,
2018). The defaults are the 21 layers of ProxylessNAS (Cai et al., 2019), in which the paper
searches.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields
from functools import cached_property
from typing import Any

from optuna_dnas._checks import check_positive
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space._mobilenet_spec import MBConv
from optuna_dnas.search_space._mobilenet_spec import MobileNetSpec


_CHANNEL_DIVISOR = 8
# Not tuned: far more than is trained (ProxylessNAS has 21 layers of at most 1,920 channels), and
# little enough to be counted and built.
_MAX_LAYERS, _MAX_CHANNELS = 256, 2**20
_NOT_COUNTS = ("stages", "kernels", "expansions", "width")


@dataclass(frozen=True)
class Stage:
    """Layers of one output shape: the first one makes it, the others may be skipped.

    Args:
        channels: Of the output of every layer.
        n_layers: The most layers.
        stride: Of the first layer, 1 or 2.
    """

    channels: int
    n_layers: int
    stride: int

    def __post_init__(self) -> None:
        check_positive(self, "channels", "n_layers")
        if self.stride not in (1, 2):
            raise ValueError(f"`stride` must be 1 or 2, but got {self.stride}.")


@dataclass(frozen=True)
class LayerShape:
    """Where a searched layer stands.

    Args:
        stage: Counted from 0; -1: before the first.
        in_channels: Of its input.
        out_channels: Of its output.
        stride: 1 or 2.
        in_size: Height and width of its input, pixels.
    """

    stage: int
    in_channels: int
    out_channels: int
    stride: int
    in_size: int

    @property
    def out_size(self) -> int:
        """Height and width of its output, pixels."""
        return halved(self.in_size) if self.stride == 2 else self.in_size

    @property
    def is_residual(self) -> bool:
        """Whether its input is added to its output."""
        return self.stride == 1 and self.in_channels == self.out_channels


@dataclass(frozen=True, kw_only=True)
class MobileNetShape:
    """All that the networks of a space have in common.

    Args:
        stages: The searched layers.
        kernels: Kernel sizes to choose from, odd.
        expansions: Expansion ratios to choose from.
        stem_channels: Of the stem.
        stem_stride: Of the stem, 1 or 2.
        first_channels: Of the fixed inverted residual after it.
        head_channels: Of the head.
        width: Multiplies all channels, which are rounded to multiples of 8; the head does not
            become narrower.
        image_size: Height and width of the input, pixels.
        image_channels: 3 for colour.
        n_classes: Outputs of the dense layer.
    """

    stages: tuple[Stage, ...] = (
        Stage(24, 4, 2),
        Stage(40, 4, 2),
        Stage(80, 4, 2),
        Stage(96, 4, 1),
        Stage(192, 4, 2),
        Stage(320, 1, 1),
    )
    kernels: tuple[int, ...] = (3, 5, 7)
    expansions: tuple[int, ...] = (3, 6)
    stem_channels: int = 32
    stem_stride: int = 2
    first_channels: int = 16
    head_channels: int = 1280
    width: float = 1.0
    image_size: int = 224
    image_channels: int = 3
    n_classes: int = 1000

    def __post_init__(self) -> None:
        check_positive(self, "stem_channels", "first_channels", "head_channels", "width")
        check_positive(self, "image_size", "image_channels", "n_classes")
        if not self.stages:
            raise ValueError("`stages` must not be empty.")
        for name in ("kernels", "expansions"):
            choices = getattr(self, name)
            if not choices or len(set(choices)) < len(choices) or min(choices) < 1:
                raise ValueError(
                    f"`{name}` must be different positive integers, but got {choices}."
                )
        for kernel in self.kernels:
            if kernel % 2 == 0:
                raise ValueError(f"`kernels` must be odd, but got {kernel}.")
            if kernel > 2 * self.image_size - 1:
                raise ValueError(
                    f"`kernels` must be at most {2 * self.image_size - 1}, which sees all of an "
                    f"image of {self.image_size} pixels from each of them, but got {kernel}."
                )
        if self.stem_stride not in (1, 2):
            raise ValueError(f"`stem_stride` must be 1 or 2, but got {self.stem_stride}.")
        self._check_size()

    @classmethod
    def small(
        cls, *, image_size: int, image_channels: int = 1, n_classes: int = 10
    ) -> "MobileNetShape":
        """Up to six layers of few channels, for images of 8 to 64 pixels.

        Images of 16 pixels and more are halved by the stem, and again by the first stage.
        """
        stride = 1 if image_size < 16 else 2
        return cls(
            stages=(Stage(16, 3, stride), Stage(32, 3, 2)),
            stem_channels=8,
            stem_stride=stride,
            first_channels=8,
            head_channels=64,
            image_size=image_size,
            image_channels=image_channels,
            n_classes=n_classes,
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "MobileNetShape":
        """The inverse of `dataclasses.asdict`, also after JSON.

        Raises:
            ValueError: A value is missing, unknown or impossible.
        """
        names = {field.name for field in fields(cls)}
        if values.keys() != names:
            raise ValueError(f"A shape has the values {sorted(names)}, but got {sorted(values)}.")
        try:
            lists = {name: tuple(values[name]) for name in ("kernels", "expansions")}
            stages = tuple(Stage(**stage) for stage in values["stages"])
            shape = cls(**{**values, **lists, "stages": stages})
        except TypeError as error:
            raise ValueError(f"Not the values of a shape: {dict(values)}.") from error
        shape._check_types()
        return shape

    @cached_property
    def choices(self) -> tuple[MBConv, ...]:
        """What a layer can be, if it is not skipped."""
        return tuple(MBConv(k, e) for k in self.kernels for e in self.expansions)

    @property
    def stem_width(self) -> int:
        """Channels of the stem as built."""
        return self._scaled(self.stem_channels)

    @property
    def first_width(self) -> int:
        """Channels of the fixed inverted residual as built."""
        return self._scaled(self.first_channels)

    @property
    def head_width(self) -> int:
        """Channels of the head as built."""
        return round_channels(self.head_channels * max(1.0, self.width))

    @property
    def first_layer(self) -> LayerShape:
        """Where the fixed inverted residual stands."""
        size = halved(self.image_size) if self.stem_stride == 2 else self.image_size
        return LayerShape(-1, self.stem_width, self.first_width, 1, size)

    @cached_property
    def layers(self) -> tuple[LayerShape, ...]:
        """The searched layers, in order."""
        layers = []
        channels, size = self.first_width, self.first_layer.out_size
        for k, stage in enumerate(self.stages):
            for n in range(stage.n_layers):
                out_channels, stride = self._scaled(stage.channels), stage.stride if n == 0 else 1
                layer = LayerShape(k, channels, out_channels, stride, size)
                channels, size = out_channels, layer.out_size
                layers.append(layer)
        return tuple(layers)

    @cached_property
    def may_skip(self) -> tuple[bool, ...]:
        """Which searched layers may be skipped: all but the first of a stage."""
        return tuple(n > 0 for stage in self.stages for n in range(stage.n_layers))

    def check(self, spec: MobileNetSpec) -> None:
        """Raise `OutOfDomainError` if the architecture is not of this shape."""
        if len(spec.layers) != len(self.layers):
            raise OutOfDomainError(
                f"`spec` must have {len(self.layers)} layers, but got {len(spec.layers)}: {spec}."
            )
        for k, (choice, may_skip) in enumerate(zip(spec.layers, self.may_skip, strict=True)):
            if choice is None and not may_skip:
                raise OutOfDomainError(
                    f"`spec` must not skip layer {k}, the first of its stage: {spec}."
                )
            if choice is not None and choice not in self.choices:
                raise OutOfDomainError(
                    f"`spec` must have layers of {', '.join(map(str, self.choices))}, but got "
                    f"{choice}: {spec}."
                )

    def _check_size(self) -> None:
        """Raise `ValueError` if the networks are too large to be counted or built."""
        n_layers = sum(stage.n_layers for stage in self.stages)
        if n_layers > _MAX_LAYERS:
            raise ValueError(
                f"`stages` must have at most {_MAX_LAYERS:,} layers in all, but got {n_layers:,}."
            )
        channels = max(self.stem_channels, self.first_channels, *(s.channels for s in self.stages))
        widest = max(channels * self.width * max(self.expansions), self.head_channels)
        if not max(widest, self.head_channels * self.width) <= _MAX_CHANNELS:
            raise ValueError(
                f"`width` must make at most {_MAX_CHANNELS:,} channels, expanded ones included, "
                f"but got {self.width:g} of {channels:,} and {self.head_channels:,} channels and "
                f"`expansions` of {self.expansions}."
            )

    def _check_types(self) -> None:
        """Raise `ValueError` if a number that counts is none, as a file may have it."""
        of_stages = [value for stage in self.stages for value in vars(stage).values()]
        single = [value for name, value in vars(self).items() if name not in _NOT_COUNTS]
        for value in (*of_stages, *self.kernels, *self.expansions, *single):
            if type(value) is not int:
                raise ValueError(f"A shape counts in integers, but got {value!r}.")

    def _scaled(self, channels: int) -> int:
        return round_channels(channels * self.width)


def round_channels(channels: float) -> int:
    """The nearest multiple of 8, at least 8, and not more than 10 % below (MobileNetV2)."""
    nearest = int(channels / _CHANNEL_DIVISOR + 0.5) * _CHANNEL_DIVISOR
    rounded = max(_CHANNEL_DIVISOR, nearest)
    return rounded + _CHANNEL_DIVISOR if rounded < 0.9 * channels else rounded


def halved(size: int) -> int:
    """Pixels after a convolution of stride 2 that pads half of its kernel."""
    return (size + 1) // 2
