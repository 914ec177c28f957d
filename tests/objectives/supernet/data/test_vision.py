"""Images that torchvision reads."""

from collections.abc import Callable
import hashlib
from pathlib import Path
import pickle
from typing import Any

import numpy as np
import pytest
import torch

from optuna_dnas.objectives.supernet.data import open_images

from .toy import CPU
from .toy import train_batches
from .toy import whole


torchvision = pytest.importorskip(
    "torchvision", reason="the extra [vision] is not installed", exc_type=ImportError
)
PIL_Image = pytest.importorskip("PIL.Image", reason="comes with torchvision")

COLOURS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos of three colours, of different sizes."""
    rng = np.random.default_rng(0)
    for folder, n in (("train", 20), ("val", 4)):
        for name, colour in COLOURS.items():
            (tmp_path / folder / name).mkdir(parents=True)
            for k in range(n):
                height, width = rng.integers(20, 60, 2)
                photo = PIL_Image.new("RGB", (int(width), int(height)), colour)
                photo.save(tmp_path / folder / name / f"{k:02}.jpeg")
    return tmp_path


def open_photos(folder: Path, **options: Any) -> Any:
    return open_images("imagefolder", folder, **({"image_size": 16, "n_workers": 0} | options))


def test_folder_of_images(photos: Path) -> None:
    data = open_photos(photos, validation_fraction=0.2)
    assert (data.n_classes, data.image_channels, data.image_size) == (3, 3, 16)
    assert [data.n_images(part) for part in ("train", "validation", "test")] == [48, 12, 12]
    # Stratified, and the classes are the folders in the order of the alphabet.
    assert whole(data, "validation").labels.bincount().tolist() == [4, 4, 4]
    images, labels = whole(data, "test")
    assert images.mean(dim=(2, 3)).argmax(dim=1).tolist() == (2 - labels).tolist()


def test_default_size_is_that_of_imagenet(photos: Path) -> None:
    data = open_photos(photos, image_size=None)
    assert data.image_size == 224
    assert next(data.batches("test", batch_size=2, device=CPU)).images.shape == (2, 3, 224, 224)


def test_plain_images_are_resized_and_cut_from_the_centre(photos: Path) -> None:
    """A bright frame that is 1/16 of the width and more than what is cut off is half seen."""
    photo = PIL_Image.new("RGB", (256, 256), (255, 255, 255))
    photo.paste((0, 0, 0), (16, 16, 240, 240))
    photo.save(photos / "val" / "red" / "00.jpeg", quality=100)
    data = open_photos(photos, image_size=224)
    images, labels = whole(data, "test")
    framed = images[labels == 2][0]
    black = (torch.zeros(3) - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor(
        [0.229, 0.224, 0.225]
    )
    torch.testing.assert_close(framed.mean(dim=(1, 2)), black, atol=0.05, rtol=0)


def test_photo_prepared_as_is_said_is_the_image(photos: Path) -> None:
    rng = np.random.default_rng(0)
    photo = PIL_Image.fromarray(rng.integers(0, 256, (40, 30, 3)).astype(np.uint8))
    photo.save(photos / "val" / "blue" / "00.jpeg")
    data = open_photos(photos, image_size=14)
    known = data.standardisation
    assert (known.pixel_range, known.deviation) == ((0, 1), (0.229, 0.224, 0.225))
    assert known.sizing.startswith("resized to 16 pixels on the shorter side, bilinearly")
    assert known.sizing.endswith("cut to the 14 x 14 in the centre")
    read = PIL_Image.open(photos / "val" / "blue" / "00.jpeg")
    resized = np.array(read.resize((16, 21), PIL_Image.Resampling.BILINEAR))
    pixels = torch.from_numpy(resized[4:18, 1:15] / 255).permute(2, 0, 1)
    images = known.apply(pixels)
    torch.testing.assert_close(images, whole(data, "test").images[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("n_workers", [1, 2])
def test_augmentation_is_the_same_with_any_number_of_workers(photos: Path, n_workers: int) -> None:
    wanted = [(0, range(8)), (1, range(8)), (1, range(8, 16))]
    alone = train_batches(open_photos(photos), wanted)
    helped = train_batches(open_photos(photos, n_workers=n_workers), wanted)
    for ours, theirs in zip(alone, helped, strict=True):
        assert torch.equal(ours.images, theirs.images)
    assert not torch.equal(alone[0].images, alone[1].images)
    assert open_photos(photos).digest() == open_photos(photos, n_workers=n_workers).digest()


def test_without_augmentation_training_images_are_as_the_others(photos: Path) -> None:
    data = open_photos(photos, augment=False)
    first, second = train_batches(data, [(0, range(8)), (1, range(8))])
    assert torch.equal(first.images, second.images)
    assert data.digest() != open_photos(photos).digest()


def test_moved_folder_is_the_same(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = open_photos(photos).digest()
    moved = photos.rename(tmp_path_factory.mktemp("moved") / "photos")
    assert open_photos(moved).digest() == before
    (moved / "train" / "red" / "00.jpeg").rename(moved / "train" / "red" / "zz.jpeg")
    assert open_photos(moved).digest() != before


@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize("content", [b"", b"not a photo", None])
def test_corrupt_image_is_named(photos: Path, content: bytes | None, n_workers: int) -> None:
    data = open_photos(photos, n_workers=n_workers)
    path = photos / "val" / "green" / "02.jpeg"
    whole_content = path.read_bytes()
    # `None`: truncated.
    path.write_bytes(whole_content[: len(whole_content) // 2] if content is None else content)
    with pytest.raises(ValueError, match=f"^{path} cannot be read: "):
        whole(data, "test")


def remove(path: Path) -> None:
    for child in path.rglob("*.jpeg"):
        child.unlink()
    for child in sorted(path.rglob("*"), reverse=True):
        child.rmdir()
    path.rmdir()


def lose_photos(photos: Path) -> None:
    for path in (photos / "train" / "green").iterdir():
        path.unlink()


def lose_class(photos: Path) -> None:
    remove(photos / "val" / "red")


def gain_class(photos: Path) -> None:
    (photos / "val" / "red").rename(photos / "val" / "yellow")


def empty_validation(photos: Path) -> None:
    for name in COLOURS:
        remove(photos / "val" / name)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove, "There is no folder {0}"),
        (lambda photos: remove(photos / "train"), "There is no folder {0}/train"),
        (lambda photos: remove(photos / "val"), "There is no folder {0}/val"),
        (empty_validation, "{0}/val has no folders, one for each class"),
        (lose_photos, "{0}/train has classes without images: .*green"),
        (lose_class, "{0}/train has 3 classes and {0}/val 2; the latter lacks 'red'"),
        (gain_class, "{0}/train has 3 classes and {0}/val 3; the latter lacks 'red'"),
    ],
)
def test_bad_folder_is_named(photos: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(photos)
    with pytest.raises((FileNotFoundError, ValueError), match=message.format(photos)):
        open_photos(photos)


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CIFAR-10 of 60 and 12 images; torchvision is told their checksums."""
    dataset = torchvision.datasets.CIFAR10
    folder = tmp_path / dataset.base_folder
    folder.mkdir()

    def write(name: str, content: Any) -> list[str]:
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    rng = np.random.default_rng(0)
    lists = {}
    for part, n in (("train_list", 60), ("test_list", 12)):
        labels = (np.arange(n) % 10).tolist()
        pixels = rng.integers(0, 256, (n, 3072)).astype(np.uint8)
        lists[part] = [write(part, {"data": pixels, "labels": labels})]
    meta = write("batches.meta", {"label_names": [str(k) for k in range(10)]})
    for name, value in lists.items():
        monkeypatch.setattr(dataset, name, value)
    monkeypatch.setattr(
        dataset, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]}
    )
    return tmp_path


def test_cifar(cifar: Path) -> None:
    data = open_images("cifar10", cifar)
    assert (data.n_classes, data.image_channels, data.image_size) == (10, 3, 32)
    assert [data.n_images(part) for part in ("train", "validation", "test")] == [54, 6, 12]
    assert whole(data, "test").labels.tolist() == [k % 10 for k in range(12)]
    # Held in memory, channels first: the same pixels as torchvision's own.
    photo, _ = torchvision.datasets.CIFAR10(str(cifar), train=False)[3]
    pixels = torch.from_numpy(np.array(photo)).permute(2, 0, 1).double().flatten()
    ours = whole(data, "test").images[3].double().flatten(1)
    for channel, theirs in zip(ours, pixels.view(3, -1), strict=True):
        assert np.corrcoef(channel, theirs)[0, 1] == pytest.approx(1)
    assert data.standardisation is not None
    assert data.standardisation.pixel_range == (0, 255)
    standardised = data.standardisation.apply(pixels.view(3, 32, 32)).double().flatten(1)
    torch.testing.assert_close(standardised, ours)


def test_files_that_are_not_those_distributed_are_never_unpickled(cifar: Path) -> None:
    folder = cifar / torchvision.datasets.CIFAR10.base_folder
    (folder / "train_list").write_bytes(pickle.dumps("other"))
    with pytest.raises(FileNotFoundError, match=f"{folder} lacks files of CIFAR10, or has others"):
        open_images("cifar10", cifar)
    with pytest.raises(FileNotFoundError, match=f"There is no folder {cifar}/cifar-100-python"):
        open_images("cifar100", cifar)
