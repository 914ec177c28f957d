"""Random changes of images: each is a function of seed, epoch and index alone.

B: images of a batch, C: channels, H and W: pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray
import torch


_ONE, _HALF = np.uint64(1), np.uint64(32)


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """For small images that are held in memory.

    Args:
        max_shift: By how many pixels an image is moved at most, up or down and sideways. What
            comes in from beyond an edge repeats it.
        flip: Whether half of the images are mirrored, left to right.
    """

    max_shift: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        if self.max_shift < 0:
            raise ValueError(f"`max_shift` must not be negative, but got {self.max_shift}.")

    def apply(
        self,
        images: torch.Tensor,  # (B, C, H, W)
        *,
        seed: int,
        epoch: int,
        indices: Sequence[int],  # (B,)
    ) -> torch.Tensor:  # (B, C, H, W)
        """The images, each shifted and perhaps mirrored in its own way."""
        n, n_channels, height, width = images.shape
        words = image_seeds(seed, epoch, indices)  # (B,)
        # Disjoint parts of a word: its upper half, all but one bit of the lower one, that bit.
        down = self._offsets(words >> _HALF)
        right = self._offsets(words % (_ONE << _HALF) >> _ONE)
        is_flipped = (words % (_ONE + _ONE) == 1) & self.flip
        rows = np.clip(down[:, None] + np.arange(height), 0, height - 1)  # (B, H)
        columns = np.clip(right[:, None] + np.arange(width), 0, width - 1)  # (B, W)
        columns = np.where(is_flipped[:, None], columns[:, ::-1], columns)
        which = torch.arange(n, device=images.device)[:, None, None, None]
        channels = torch.arange(n_channels, device=images.device)[:, None, None]
        on_device = [torch.from_numpy(a).to(images.device) for a in (rows, columns)]
        return images[which, channels, on_device[0][:, None, :, None], on_device[1][:, None, None]]

    def _offsets(self, words: NDArray[np.uint64]) -> NDArray[np.int64]:
        n_offsets = np.uint64(2 * self.max_shift + 1)
        return (words % n_offsets).astype(np.int64) - self.max_shift


def image_seeds(seed: int, epoch: int, indices: npt.ArrayLike) -> NDArray[np.uint64]:
    """(B,) random words, one for each image."""
    words = np.asarray(indices, dtype=np.uint64)
    for value in (epoch, seed):
        words = _mixed(words ^ _mixed(np.full_like(words, value)))
    return words


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea and Flood, 2014): a bijection that leaves no bit predictable."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = words ^ (words >> np.uint64(31))
    return mixed
