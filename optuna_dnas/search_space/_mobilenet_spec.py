"""One architecture of MBConv layers."""

from dataclasses import dataclass
import re


SKIP = "skip"
"""The text of a layer that is skipped."""

_LAYER = re.compile(r"k(\d+)e(\d+)")


@dataclass(frozen=True)
class MBConv:
    """A mobile inverted bottleneck.

    Args:
        kernel: Of its depthwise convolution.
        expansion: Its inner channels as a multiple of its input's.
    """

    kernel: int
    expansion: int

    def __str__(self) -> str:
        """For example ``k5e3``."""
        return f"k{self.kernel}e{self.expansion}"


@dataclass(frozen=True)
class MobileNetSpec:
    """The searched layers of a mobile network, in order.

    Args:
        layers: `None` is a layer that is skipped.
    """

    layers: tuple[MBConv | None, ...]

    @classmethod
    def parse(cls, text: str) -> "MobileNetSpec":
        """The inverse of ``str(spec)``.

        Raises:
            ValueError: It is not the text of a spec.
        """
        return cls(tuple(_parse_layer(word, text) for word in text.split()))

    def __str__(self) -> str:
        """For example ``k3e6 k5e3 skip``."""
        return " ".join(SKIP if layer is None else str(layer) for layer in self.layers)


def _parse_layer(word: str, text: str) -> MBConv | None:
    if word == SKIP:
        return None
    match = _LAYER.fullmatch(word)
    if match is None:
        raise ValueError(f"Not the text of a mobile network: {text!r}.")
    return MBConv(kernel=int(match[1]), expansion=int(match[2]))
