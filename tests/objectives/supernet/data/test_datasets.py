"""Images of any dataset, read by workers or not."""

from collections.abc import Callable
from collections.abc import Iterator
import os
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset
from torch.utils.data import IterableDataset

from optuna_dnas.objectives.supernet.data import DatasetImages
from optuna_dnas.objectives.supernet.data import TensorImages

from .toy import CPU
from .toy import Listed
from .toy import noise
from .toy import toy_data
from .toy import train_batches
from .toy import whole


def jitter(image: Any) -> torch.Tensor:
    """As careless transforms do it: with all three global generators."""
    factor = random.random() + np.random.rand() + torch.rand(()).item()  # noqa: NPY002
    return torch.from_numpy(image) * factor


def images_of(n_workers: int = 0, **options: Any) -> DatasetImages:
    train, test = Listed(*noise(40, 0)), Listed(*noise(12, 1))
    return DatasetImages(train, test, n_workers=n_workers, **options)


@pytest.fixture
def seeded() -> Iterator[Callable[[], tuple[Any, ...]]]:
    """The states of the global generators, which are put back at the end."""

    def states() -> tuple[Any, ...]:
        return (
            random.getstate(),
            str(np.random.get_state()),  # noqa: NPY002
            torch.get_rng_state().tolist(),
        )

    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    yield states
    random.setstate(before[0])
    np.random.set_state(before[1])  # noqa: NPY002
    torch.set_rng_state(before[2])


def test_they_are_what_is_held_in_memory() -> None:
    """Of the same standardised images: the same parts, in the same order."""
    source = toy_data(validation_fraction=0.25, seed=3)
    held = TensorImages(source)
    parts = {
        part: Listed(source.part(part)[0].numpy(), source.part(part)[1].numpy())
        for part in ("train", "validation", "test")
    }
    read = DatasetImages(**parts)
    split = images_of(validation_fraction=0.25, seed=3)
    for part in parts:
        ours, theirs = whole(read, part), whole(held, part)
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.labels, theirs.labels)
        assert torch.equal(whole(split, part).labels, theirs.labels)
    (batch,) = train_batches(read, [(0, [5, 2])])
    assert torch.equal(batch.images, source.train_images[[5, 2]])


@pytest.mark.parametrize("n_workers", [1, 2])
def test_number_of_workers_has_no_influence(n_workers: int) -> None:
    wanted = [(epoch, range(start, start + 6)) for epoch in range(2) for start in (0, 6, 12)]
    alone = train_batches(images_of(train_transform=jitter), wanted)
    helped = train_batches(images_of(n_workers, train_transform=jitter), wanted)
    assert len(alone) == len(helped) == 6
    for ours, theirs in zip(alone, helped, strict=True):
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.labels, theirs.labels)


def test_augmentation_depends_on_seed_epoch_and_index_alone() -> None:
    data = images_of(train_transform=jitter)
    _, second = train_batches(data, [(0, range(9)), (1, range(9))], seed=4)
    (rest,) = train_batches(data, [(1, range(5, 9))], seed=4)
    assert torch.equal(rest.images, second.images[5:])
    for epoch, seed in ((0, 4), (1, 5)):
        (other,) = train_batches(data, [(epoch, range(9))], seed=seed)
        assert not any(map(torch.equal, other.images, second.images))


@pytest.mark.parametrize("n_workers", [0, 1])
def test_global_generators_are_as_they_were(
    seeded: Callable[[], tuple[Any, ...]], n_workers: int
) -> None:
    before = seeded()
    data = images_of(n_workers, train_transform=jitter)
    first = train_batches(data, [(0, range(4))])
    assert seeded() == before
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    again = train_batches(data, [(0, range(4))])
    assert torch.equal(first[0].images, again[0].images)


def test_labels_that_are_known_are_not_read() -> None:
    class Known(Listed):
        reads = 0

        def __getitem__(self, index: int) -> Any:
            self.reads += 1
            return super().__getitem__(index)

    known = Known(*noise(400, 0))
    known.targets = known.labels.tolist()  # type: ignore[attr-defined]
    test = Listed(*noise(12, 1))
    data = DatasetImages(known, test)
    assert known.reads < 100  # To learn the size of images, and for the digest.
    same = DatasetImages(Listed(*noise(400, 0)), test)
    assert torch.equal(whole(data, "validation").labels, whole(same, "validation").labels)


def test_digest_tells_data_apart() -> None:
    changed = Listed(*noise(12, 2))
    digests = [
        images_of().digest(),
        images_of(seed=1).digest(),
        images_of(train_transform=jitter).digest(),
        images_of(transform=jitter).digest(),
        images_of(n_classes=4).digest(),
        DatasetImages(Listed(*noise(40, 0)), changed).digest(),
    ]
    assert len(set(digests)) == 6
    assert images_of(n_workers=1).digest() == digests[0]


class Broken(Listed):
    """One image cannot be read."""

    def __getitem__(self, index: int) -> Any:
        if index == 3:
            raise OSError("image file is truncated")
        return super().__getitem__(index)


@pytest.mark.parametrize("n_workers", [0, 1])
def test_unreadable_image_is_named(n_workers: int) -> None:
    broken = Broken(*noise(40, 1))
    broken.targets = broken.labels  # type: ignore[attr-defined]
    data = DatasetImages(Listed(*noise(40, 0)), broken, n_workers=n_workers)
    message = "^Image 3 of `test` cannot be read: OSError: image file is truncated$"
    with pytest.raises(ValueError, match=message):
        whole(data, "test")
    broken.samples = [(f"/photos/{k}.jpeg", 0) for k in range(40)]  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"^/photos/3\.jpeg cannot be read"):
        whole(data, "test")


def test_unreadable_image_of_the_digest_is_named_at_once() -> None:
    broken = Broken(*noise(12, 1))
    broken.targets = broken.labels  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"^Image 3 of `test` cannot be read"):
        DatasetImages(Listed(*noise(40, 0)), broken)


def test_worker_that_dies_is_a_message() -> None:
    class Deadly(Listed):
        def __getitem__(self, index: int) -> Any:
            if torch.utils.data.get_worker_info() is not None:
                os._exit(1)
            return super().__getitem__(index)

    data = DatasetImages(Listed(*noise(40, 0)), Deadly(*noise(12, 1)), n_workers=1)
    with pytest.raises(OSError, match=r"A process that reads images has died: .*`n_workers`"):
        whole(data, "test")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.ones((2, 9, 9)), r"Image 3 of `test` .* shape \(2, 8, 8\), but got \(2, 9, 9\)"),
        (np.ones((1, 8, 8)), r"Image 3 of `test` .* shape \(2, 8, 8\), but got \(1, 8, 8\)"),
        (np.ones(8), r"Image 3 of `test` .* a tensor \(C, H, W\), but got \(8,\)"),
        ("photo", "Image 3 of `test` cannot be read: TypeError"),
    ],
)
def test_image_that_is_not_like_the_others_is_named(image: Any, message: str) -> None:
    images, labels = noise(12, 1)
    test = Listed([*images[:3], image, *images[4:]], labels)
    with pytest.raises(ValueError, match=message):
        whole(DatasetImages(Listed(*noise(40, 0)), test), "test")


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield noise(1, 0)


IMAGES, LABELS = noise(12, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": Listed(IMAGES[:0], LABELS[:0])}, "`train` is empty"),
        ({"test": Listed(IMAGES[:0], LABELS[:0])}, "`test` is empty"),
        ({"train": Stream()}, "`train` must have a length, but got Stream"),
        ({"test": Listed(IMAGES, LABELS + 5)}, "`test_labels` must be from 0 to 2, but got 7"),
        ({"validation": Listed(IMAGES, -LABELS)}, "`validation_labels` .* 0 to 2, but got -2"),
        ({"n_classes": 2}, "`train_labels` must be from 0 to 1, but got 2"),
        ({"train": Listed(IMAGES, LABELS * 0)}, "`n_classes` must be at least 2, but got 1"),
        ({"train": Listed(IMAGES, ["a"] * 12)}, "`train` must give an image and a label"),
        ({"validation_fraction": 1.0}, "`validation_fraction` must be between 0 and 1"),
        ({"n_workers": -1}, "`n_workers` must not be negative, but got -1"),
        ({"train": Listed(IMAGES[:, :, :7], LABELS)}, "here: images must be square.* 7 x 8"),
        ({"train": Listed(IMAGES[:, :, :5, :5], LABELS)}, "here: images must be of at least 8 x"),
    ],
)
def test_bad_arguments_are_refused(change: dict[str, Any], message: str) -> None:
    arguments = {"train": Listed(IMAGES, LABELS), "test": Listed(IMAGES, LABELS)}
    with pytest.raises(ValueError, match=message):
        DatasetImages(**({"name": "here"} | arguments | change))


def test_targets_of_another_number_are_refused() -> None:
    known: Dataset[Any] = Listed(IMAGES, LABELS)
    known.targets = LABELS[:-1]  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"`train` must have 12 integer labels, .* \(11,\)"):
        DatasetImages(known, Listed(IMAGES, LABELS))


def test_batches_are_on_the_device() -> None:
    assert next(images_of().batches("test", batch_size=3, device=CPU)).images.device == CPU
