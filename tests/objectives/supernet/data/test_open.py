"""Images by name."""

from pathlib import Path
import sys
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from optuna_dnas.objectives.supernet.data import DATASETS
from optuna_dnas.objectives.supernet.data import open_images
from optuna_dnas.objectives.supernet.data._idx import read_idx_folder

from .idx_files import write_idx_folder
from .toy import train_batches
from .toy import whole


def sizes(data: Any) -> list[int]:
    return [data.n_images(part) for part in ("train", "validation", "test")]


def test_digits() -> None:
    data = open_images("digits")
    assert (data.n_classes, data.image_channels, data.image_size) == (10, 1, 8)
    assert sizes(data) == [1200, 300, 297]
    assert sizes(open_images("digits", validation_fraction=0.4)) == [900, 600, 297]
    # They are small enough as they are.
    plain, training = whole(data, "train"), train_batches(data, [(0, range(1200))])[0]
    assert {i.numpy().tobytes() for i in plain.images} == {
        i.numpy().tobytes() for i in training.images
    }


def test_seed_decides_the_parts() -> None:
    assert open_images("digits").digest() == open_images("digits", seed=0).digest()
    assert open_images("digits").digest() != open_images("digits", seed=1).digest()


def test_idx(tmp_path: Path) -> None:
    folder = write_idx_folder(tmp_path, suffix=".gz")
    data = open_images("idx", folder)
    assert (data.n_classes, data.image_channels, data.image_size) == (3, 1, 10)
    assert sizes(data) == [54, 6, 12]
    plain = open_images("idx", str(folder), augment=False)
    wanted = [(0, range(54))]
    augmented, as_is = (train_batches(d, wanted)[0].images for d in (data, plain))
    # A shift of at most a pixel, and no mirror: what is a row stays one.
    assert not torch.equal(augmented, as_is)
    assert (augmented.amax(dim=(1, 2, 3)) > 0.5).all()
    assert data.digest() != plain.digest()


def test_other_sizes_keep_what_is_in_an_image(tmp_path: Path) -> None:
    folder = write_idx_folder(tmp_path)
    data = open_images("idx", folder, image_size=20)
    assert data.image_size == 20
    images, labels = whole(data, "test")
    rows = images.mean(dim=3)[:, 0].argmax(dim=1)
    assert (rows - (6 * labels + 0.5)).abs().max() <= 0.5
    same = open_images("idx", folder, image_size=10)
    assert same.digest() == open_images("idx", folder).digest()
    assert same.standardisation == open_images("idx", folder).standardisation


@pytest.mark.parametrize("size", [None, 8, 10, 20])
def test_bytes_prepared_as_is_said_are_the_images(tmp_path: Path, size: int | None) -> None:
    folder = write_idx_folder(tmp_path, size=9)
    data = open_images("idx", folder, image_size=size or 9)
    pixels = torch.from_numpy(read_idx_folder(folder)["test"][0].copy())[:, None].float()
    assert data.standardisation is not None
    low, high = data.standardisation.pixel_range
    assert 0 <= low < 10
    assert 240 < high < 256
    sizing = data.standardisation.sizing
    if size is None:
        assert sizing is None
    else:
        assert sizing is not None
        assert sizing.startswith("resized from 9 x 9 pixels, bilinearly")
        pixels = F.interpolate(pixels, size=(size, size), mode="bilinear", antialias=True)
    images = data.standardisation.apply(pixels)
    torch.testing.assert_close(images, whole(data, "test").images, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "mnist"}, f"`name` must be of .*{DATASETS[0]}.*, but got 'mnist'"),
        ({"name": "idx"}, "`path`: the dataset 'idx' needs the folder it is in, but got None"),
        ({"name": "digits", "path": "here"}, "`path`: .*'digits' takes none, but got here"),
        ({"name": "digits", "image_size": 0}, "`image_size` must be positive, but got 0"),
        ({"name": "digits", "image_size": 4}, "digits: images must be of at least 8 x 8"),
        ({"name": "digits", "validation_fraction": 1.5}, "`validation_fraction` .* got 1.5"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_images(**arguments)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"There is no folder {tmp_path / 'no'}"):
        open_images("idx", tmp_path / "no")


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "imagefolder"])
def test_missing_torchvision_is_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ImportError, match=r"pip install 'optuna-dnas\[vision\]'"):
        open_images(name, tmp_path)
