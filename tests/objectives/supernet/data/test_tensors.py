"""Images in memory."""

from typing import Any

import numpy as np
import pytest
import torch

from optuna_dnas.objectives.supernet.data import Augmentation
from optuna_dnas.objectives.supernet.data import IndexBatch
from optuna_dnas.objectives.supernet.data import TensorImages
from optuna_dnas.objectives.training import TrainingData

from .toy import CPU
from .toy import noise
from .toy import toy_data
from .toy import train_batches
from .toy import whole


AUGMENTATION = Augmentation(max_shift=2, flip=True)


def test_shape_and_sizes_are_those_of_the_arrays() -> None:
    data = TensorImages(toy_data())
    assert (data.n_classes, data.image_channels, data.image_size) == (3, 2, 8)
    assert [data.n_images(part) for part in ("train", "validation", "test")] == [32, 8, 12]


def test_training_images_without_augmentation_are_as_they_are() -> None:
    source = toy_data()
    (batch,) = train_batches(TensorImages(source), [(5, [3, 1, 30])])
    assert torch.equal(batch.images, source.train_images[[3, 1, 30]])
    assert torch.equal(batch.labels, source.train_labels[[3, 1, 30]])


def test_augmentation_depends_on_seed_epoch_and_index_alone() -> None:
    data = TensorImages(toy_data(), augmentation=AUGMENTATION)
    batches = train_batches(data, [(0, range(8)), (1, range(20))], seed=4)
    # As after an interruption, in other batches.
    again = train_batches(data, [(1, range(7, 20)), (1, range(7))], seed=4)
    resumed = torch.cat([again[1].images, again[0].images])
    assert torch.equal(resumed, batches[1].images)
    assert not torch.equal(batches[1].images[:8], batches[0].images)
    (other,) = train_batches(data, [(1, range(20))], seed=5)
    assert not torch.equal(other.images, batches[1].images)
    assert torch.equal(other.labels, batches[1].labels)


def test_global_generators_are_neither_read_nor_set() -> None:
    data = TensorImages(toy_data(), augmentation=AUGMENTATION)
    before = torch.get_rng_state()
    first = train_batches(data, [(0, range(20))])
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    assert torch.equal(train_batches(data, [(0, range(20))])[0].images, first[0].images)
    torch.set_rng_state(before)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_parts_to_judge_by_come_whole_and_in_order(part: str) -> None:
    source = toy_data()
    images, labels = whole(TensorImages(source, augmentation=AUGMENTATION), part)
    assert torch.equal(images, source.part(part)[0])
    assert torch.equal(labels, source.part(part)[1])


def test_training_images_to_calibrate_by_are_mixed_and_not_augmented() -> None:
    source = toy_data()
    order = np.argsort(source.train_labels.numpy(), kind="stable")
    by_class = TrainingData(
        train_images=source.train_images[order],
        train_labels=source.train_labels[order],
        validation_images=source.validation_images,
        validation_labels=source.validation_labels,
        test_images=source.test_images,
        test_labels=source.test_labels,
        n_classes=3,
    )
    data = TensorImages(by_class, augmentation=AUGMENTATION)
    images, labels = whole(data, "train", n_images=12)
    assert len(labels) == 12
    assert len(labels.unique()) == 3
    known = {image.numpy().tobytes() for image in source.train_images}
    assert {image.numpy().tobytes() for image in images} <= known
    assert torch.equal(whole(data, "train", n_images=12).images, images)
    assert sorted(whole(data, "train").labels.tolist()) == sorted(labels_of(source))


def labels_of(source: TrainingData) -> list[int]:
    return source.train_labels.tolist()  # type: ignore[no-any-return]


def test_at_most_all_images_come() -> None:
    data = TensorImages(toy_data())
    assert len(whole(data, "test", n_images=1000).labels) == 12
    sizes = [len(b.labels) for b in data.batches("test", batch_size=5, device=CPU)]
    assert sizes == [5, 5, 2]


def test_images_are_moved_to_a_device_once() -> None:
    data = TensorImages(toy_data(), augmentation=AUGMENTATION)
    device = torch.device("meta")
    wanted = [IndexBatch(0, [1, 2])]
    batches = [
        *data.train_batches(wanted, seed=0, device=device),
        *data.batches("validation", batch_size=4, device=device),
    ]
    assert {t.device for batch in batches for t in batch} == {device}
    assert data._on_device("train", device) is data._on_device("train", device)


def test_digest_tells_data_and_augmentations_apart() -> None:
    digests = [
        TensorImages(toy_data()).digest(),
        TensorImages(toy_data(seed=1)).digest(),
        TensorImages(toy_data(), augmentation=AUGMENTATION).digest(),
        TensorImages(toy_data(), augmentation=Augmentation(max_shift=1)).digest(),
    ]
    assert len(set(digests)) == 4
    assert TensorImages(toy_data()).digest() == digests[0]


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((8, 9), "here: images must be square, but got 8 x 9 pixels"),
        ((7, 7), "here: images must be of at least 8 x 8 pixels, but got 7 x 7"),
    ],
)
def test_images_of_no_use_are_refused(size: tuple[int, int], message: str) -> None:
    images, labels = np.ones((10, *size)), noise(10, 0)[1]
    data = TrainingData.from_arrays((images, labels), (images, labels))
    with pytest.raises(ValueError, match=message):
        TensorImages(data, name="here")


@pytest.mark.parametrize(
    ("part", "options", "message"),
    [
        ("training", {}, "`part` must be of .* but got 'training'"),
        ("test", {"batch_size": 0}, "`batch_size` must be positive, but got 0"),
        ("test", {"n_images": 0}, "`n_images` must be positive, but got 0"),
    ],
)
def test_bad_arguments_are_refused(part: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        whole(TensorImages(toy_data()), part, **options)
