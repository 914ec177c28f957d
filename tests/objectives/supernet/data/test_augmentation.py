"""Every augmented image is a function of its seed, epoch and index."""

import itertools

import numpy as np
import pytest
from scipy import stats
import torch

from optuna_dnas.objectives.supernet.data import Augmentation
from optuna_dnas.objectives.supernet.data._augmentation import image_seeds

from .toy import noise


def shifted(image: np.ndarray, down: int, right: int, is_flipped: bool) -> np.ndarray:
    """Edges repeat; (C, H, W)."""
    padded = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode="edge")
    _, height, width = image.shape
    moved = padded[:, 2 + down : 2 + down + height, 2 + right : 2 + right + width]
    return moved[:, :, ::-1] if is_flipped else moved


def all_changes(image: np.ndarray) -> dict[bytes, tuple[int, int, bool]]:
    """By the pixels that they make."""
    changes = itertools.product(range(-2, 3), range(-2, 3), (False, True))
    return {shifted(image, *change).tobytes(): change for change in changes}


def test_images_are_shifted_and_mirrored_and_nothing_else() -> None:
    image = noise(1, 0)[0]
    n = 2000
    images = torch.from_numpy(image).expand(n, -1, -1, -1)
    augmented = Augmentation(max_shift=2, flip=True).apply(
        images, seed=0, epoch=0, indices=range(n)
    )
    known = all_changes(image[0])
    changes = [known[a.tobytes()] for a in augmented.numpy()]
    counts = np.unique(changes, axis=0, return_counts=True)[1]
    # All 5 x 5 x 2 of them, equally often.
    assert len(counts) == 50
    assert stats.chisquare(counts).pvalue > 0.001


def test_nothing_to_change_changes_nothing() -> None:
    images = torch.from_numpy(noise(9, 0)[0])
    same = Augmentation().apply(images, seed=3, epoch=2, indices=range(9))
    assert torch.equal(same, images)


def test_without_flip_no_image_is_mirrored() -> None:
    images = torch.from_numpy(noise(60, 0)[0])
    augmented = Augmentation(max_shift=1).apply(images, seed=3, epoch=2, indices=range(60))
    pairs = zip(images.numpy(), augmented.numpy(), strict=True)
    assert not any(all_changes(image)[new.tobytes()][2] for image, new in pairs)


def test_seeds_of_images_all_differ() -> None:
    words = [image_seeds(seed, epoch, np.arange(1000)) for seed in range(5) for epoch in range(20)]
    assert len(np.unique(np.concatenate(words))) == 100_000


def test_bits_of_seeds_are_fair() -> None:
    words = image_seeds(0, 0, np.arange(20_000))
    shares = (words[:, None] >> np.arange(64, dtype=np.uint64)) % np.uint64(2)
    # 4.5 standard errors.
    assert np.abs(shares.mean(axis=0) - 0.5).max() < 0.016


def test_negative_shift_is_refused() -> None:
    with pytest.raises(ValueError, match="`max_shift` must not be negative, but got -1"):
        Augmentation(max_shift=-1)
