"""How pixels become what a network sees.

N: images, C: channels, H and W: pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields
import math
from typing import Any

import torch


@dataclass(frozen=True, kw_only=True)
class Standardisation:
    """A network sees (pixel - ``mean``) / ``deviation``, in each channel.

    Args:
        mean: (C,) of the pixels as they were given, whatever their scale.
        deviation: (C,) likewise, positive.
        pixel_range: The lowest and the highest pixel of the training images; it tells the scale.
        sizing: In words, how images were brought to their size before; `None`: they had it.

    Raises:
        ValueError: A value is not what it should be; the message names it.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    pixel_range: tuple[float, float]
    sizing: str | None = None

    def __post_init__(self) -> None:
        for name in ("mean", "deviation", "pixel_range"):
            values = getattr(self, name)
            if not all(map(math.isfinite, values)):
                raise ValueError(f"`{name}` must be finite, but got {values}.")
        if not self.mean or len(self.mean) != len(self.deviation):
            raise ValueError(
                f"`mean` and `deviation` must have a value for each channel, but got {self.mean} "
                f"and {self.deviation}."
            )
        if min(self.deviation) <= 0:
            raise ValueError(f"`deviation` must be positive, but got {self.deviation}.")
        if len(self.pixel_range) != 2 or self.pixel_range[0] > self.pixel_range[1]:
            raise ValueError(
                f"`pixel_range` must be the lowest and the highest, but got {self.pixel_range}."
            )

    @classmethod
    def of(cls, pixels: torch.Tensor) -> "Standardisation":
        """To mean 0 and deviation 1 over (N, C, H, W); a constant channel becomes 0."""
        mean = pixels.mean(dim=(0, 2, 3))
        deviation = pixels.std(dim=(0, 2, 3), correction=0)
        deviation = torch.where(deviation > 0, deviation, torch.ones_like(deviation))
        return cls(
            mean=tuple(mean.tolist()),
            deviation=tuple(deviation.tolist()),
            pixel_range=(pixels.min().item(), pixels.max().item()),
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Standardisation":
        """The inverse of `dataclasses.asdict`, also after JSON.

        Raises:
            ValueError: A value is missing, unknown or impossible.
        """
        names = {field.name for field in fields(cls)}
        if values.keys() != names:
            raise ValueError(f"A standardisation has {sorted(names)}, but got {sorted(values)}.")
        lists = {key: tuple(v) for key, v in values.items() if isinstance(v, list)}
        return cls(**{**values, **lists})

    def apply(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) or (C, H, W), on any device -> the same in float32, standardised."""
        mean, deviation = (
            torch.tensor(values, dtype=torch.float32, device=pixels.device).view(-1, 1, 1)
            for values in (self.mean, self.deviation)
        )
        return (pixels.to(torch.float32) - mean) / deviation


def check_standardisation(standardisation: Standardisation | None, n_channels: int) -> None:
    """Raise `ValueError` unless it is unknown, or of so many channels."""
    if standardisation is not None and len(standardisation.mean) != n_channels:
        raise ValueError(
            f"`standardisation` must be of {n_channels} channels, those of the images, but got "
            f"{len(standardisation.mean)}."
        )
