"""Files of MNIST and Fashion-MNIST."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from optuna_dnas.objectives.supernet.data._idx import read_idx
from optuna_dnas.objectives.supernet.data._idx import read_idx_folder

from .idx_files import write_idx
from .idx_files import write_idx_folder


IMAGES = "train-images-idx3-ubyte"
LABELS = "train-labels-idx1-ubyte"


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    array = np.random.default_rng(0).integers(0, 256, (5, 3, 4))
    read = read_idx(write_idx(tmp_path / name, array), n_axes=3)
    assert read.dtype == np.uint8
    assert np.array_equal(read, array)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_folder_is_read_as_it_is_or_compressed(tmp_path: Path, suffix: str) -> None:
    parts = read_idx_folder(write_idx_folder(tmp_path, suffix=suffix))
    assert parts["train"][0].shape == (60, 10, 10)
    assert parts["test"][0].shape == (12, 10, 10)
    assert np.array_equal(parts["train"][1], np.arange(60) % 3)
    assert np.array_equal(parts["train"][0][:, ::3].mean(axis=2).argmax(axis=1), np.arange(60) % 3)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def keep_six_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:6])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def make_labels(path: Path) -> None:
    write_idx(path, np.arange(60))


def make_floats(path: Path) -> None:
    write_idx(path, np.zeros((60, 10, 10)), kind=13)


def lose_images(path: Path) -> None:
    write_idx(path, np.zeros((59, 10, 10)))


def have_no_images(path: Path) -> None:
    write_idx(path, np.zeros((0, 10, 10)))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, f"{IMAGES} is truncated: .* 60 x 10 x 10 values, but 5999 follow"),
        (lengthen, f"{IMAGES} is too long: .* 60 x 10 x 10 values, but 6001 follow"),
        (keep_six_bytes, f"{IMAGES} is truncated: it ends within its header"),
        (empty, f"{IMAGES} is not an IDX file .* begins with nothing"),
        (make_labels, f"{IMAGES} .* with 3 axes: .* 00 00 08 03, but begins with 00 00 08 01"),
        (make_floats, f"{IMAGES} is not .* unsigned bytes .* begins with 00 00 0d 03"),
        (lose_images, f"{IMAGES} has 59 images, but .*{LABELS} has 60 labels"),
        (have_no_images, f"{IMAGES} is empty: .* 0 x 10 x 10"),
        (Path.unlink, f"There is neither {IMAGES} nor {IMAGES}.gz in "),
    ],
)
def test_bad_file_is_named(tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(write_idx_folder(tmp_path) / IMAGES)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_idx_folder(tmp_path)


@pytest.mark.parametrize("damage", [cut, empty, make_floats])
def test_bad_compressed_file_is_named(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = write_idx_folder(tmp_path, suffix=".gz") / f"{IMAGES}.gz"
    damage(path)
    with pytest.raises(ValueError, match=str(path)):
        read_idx_folder(tmp_path)


def test_uncompressed_file_with_the_name_of_a_compressed_one(tmp_path: Path) -> None:
    path = write_idx_folder(tmp_path, suffix=".gz") / f"{IMAGES}.gz"
    path.write_bytes(b"\0\0\x08\x03")
    with pytest.raises(ValueError, match=f"{path} cannot be decompressed: "):
        read_idx_folder(tmp_path)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"There is no folder {tmp_path / 'nowhere'}"):
        read_idx_folder(tmp_path / "nowhere")
