"""Data are split, standardised and checked once."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from optuna_dnas.objectives.training import TrainingData
from optuna_dnas.objectives.training._data import stratified_parts

from .toy import stripes
from .toy import toy_data


def test_training_part_has_mean_0_and_sd_1() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal([[[[3.0]], [[-1.0]]]], [[[[5.0]], [[0.1]]]], (50, 2, 4, 4))
    labels = np.arange(50) % 5
    data = TrainingData.from_arrays((images, labels), (images[:9] + 1, labels[:9]))
    mean = data.train_images.mean(dim=(0, 2, 3))
    sd = data.train_images.std(dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(mean, torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(sd, torch.ones(2))
    # The others are moved as the training part is.
    shift = data.test_images - data.test_images.new_tensor(images[:9])
    assert shift.std() > 0.1
    assert data.n_classes == 5


def test_constant_channel_is_zero() -> None:
    images, labels = stripes(20, 0)
    data = TrainingData.from_arrays((np.ones_like(images), labels), (images, labels))
    assert data.train_images.abs().max() == 0


@pytest.mark.parametrize("counts", [(50, 30, 20), (7, 7, 7, 7), (90, 5, 5)])
def test_parts_are_disjoint_complete_and_stratified(counts: tuple[int, ...]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    n = len(labels)
    sizes = [n // 4, n // 3, n - n // 4 - n // 3]
    parts = stratified_parts(labels, sizes, seed=3)
    assert [len(part) for part in parts] == sizes
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    for part in parts:
        expected = len(part) * np.array(counts) / n
        found = np.bincount(labels[part], minlength=len(counts))
        assert np.abs(found - expected).max() <= 2


def test_split_depends_on_the_seed_alone() -> None:
    np.random.seed(1)  # noqa: NPY002 - it must not count
    first, again, other = toy_data(seed=4), toy_data(seed=4), toy_data(seed=5)
    assert first.digest() == again.digest() != other.digest()
    assert len(first.validation_images) == 13
    assert len(first.train_images) == 51


def test_given_validation_part_is_kept() -> None:
    data = toy_data(validation=stripes(9, 7))
    assert (len(data.train_images), len(data.validation_images)) == (64, 9)


def test_dataset_is_its_arrays() -> None:
    parts = [stripes(64, 0), stripes(30, 1)]
    datasets = [TensorDataset(*map(torch.from_numpy, part)) for part in parts]
    data = TrainingData.from_datasets(*datasets)
    assert data.digest() == toy_data().digest()


def test_digits_are_stratified_and_seeded() -> None:
    data = TrainingData.digits(0, n_train=300, n_validation=500)
    sizes = [len(data.part(name)[0]) for name in ("train", "validation", "test")]
    assert sizes == [300, 500, 997]
    assert data.train_images.shape[1:] == (1, 8, 8)
    assert data.train_labels.bincount().sub(30).abs().max() <= 2
    assert data.digest() != TrainingData.digits(1, n_train=300, n_validation=500).digest()


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'optuna-dnas\[digits\]'"):
        TrainingData.digits()


IMAGES, LABELS = stripes(20, 0)
NAN = np.where(np.arange(20)[:, None, None] == 3, np.nan, IMAGES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": (IMAGES[:0], LABELS[:0])}, "`train_images` is empty"),
        ({"test": (IMAGES[:0], LABELS[:0])}, "`test_images` is empty"),
        ({"validation": (IMAGES[:0], LABELS[:0])}, "`validation_images` is empty"),
        ({"train": (NAN, LABELS)}, "`train_images` must be finite"),
        ({"test": (NAN, LABELS)}, "`test_images` must be finite"),
        ({"train": (IMAGES[:, 0, 0], LABELS)}, r"`train_images` .* shape \(20,\)"),
        ({"train": (IMAGES, LABELS[:-1])}, r"`train_labels` .* \(20,\), .* but got \(19,\)"),
        ({"test": (IMAGES, LABELS[:, None])}, r"`test_labels` .* but got \(20, 1\)"),
        ({"train": (IMAGES, LABELS / 2)}, "`train_labels` must be integers, but got torch.float"),
        ({"train": (IMAGES, LABELS - 1)}, "`train_labels` must be from 0 to 1, but got -1"),
        ({"test": (IMAGES, LABELS + 5)}, "`test_labels` must be from 0 to 2, but got 7"),
        ({"n_classes": 2}, "`train_labels` must be from 0 to 1, but got 2"),
        ({"train": (IMAGES, LABELS * 0)}, "`n_classes` must be at least 2, but got 1"),
        ({"test": (IMAGES[:, 1:], LABELS)}, r"`test_images` .* size .* but got \(1, 5, 6\)"),
        ({"train": IMAGES[0, 0, :3]}, "`train` must be two arrays"),
        ({"train": (["a"], LABELS)}, "`train` must be two arrays"),
        ({"validation_fraction": 0.0}, "`validation_fraction` must be between 0 and 1.*got 0.0"),
        ({"validation_fraction": 0.001}, "`validation_fraction` of 0.001 leaves 0 of 20"),
        ({"validation_fraction": 0.95}, "`train_images` must be at least 2 images, but got 1"),
    ],
)
def test_bad_arrays_are_refused(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"train": (IMAGES, LABELS), "test": (IMAGES, LABELS)}
    with pytest.raises(ValueError, match=message):
        TrainingData.from_arrays(**(arguments | change))


class Ragged(torch.utils.data.Dataset[Any]):
    """Example 1 is not like example 0."""

    def __init__(self, second: Any) -> None:
        self.examples = [(IMAGES[0], 0), second]

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Any:
        return self.examples[index]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ((IMAGES[1, 1:], 1), r"`train` must give images of one size, but example 1 is \(5, 6\)"),
        (("a picture", 1), "`train` must give an image and a label, but example 1 does not"),
        (IMAGES[1], "`train` must give an image and a label, but example 1 does not"),
        ((IMAGES[1], "one"), "`train` must give an image and a label, but example 1 does not"),
    ],
)
def test_bad_datasets_are_refused(second: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingData.from_datasets(Ragged(second), Ragged((IMAGES[1], 1)))


def test_dataset_without_a_length_is_refused() -> None:
    class Stream(torch.utils.data.IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            yield IMAGES[0], 0

    with pytest.raises(ValueError, match="`train` must have a length, but got Stream"):
        TrainingData.from_datasets(Stream(), Stream())


def test_later_changes_of_the_arrays_do_not_count() -> None:
    images, labels = stripes(20, 0)
    data = TrainingData.from_arrays(
        (IMAGES, LABELS), (images, labels), validation=(images, labels)
    )
    before = data.digest()
    labels[:] = 0
    images[:] = 0
    assert data.digest() == before


def test_empty_dataset_is_refused() -> None:
    empty = TensorDataset(torch.empty(0, 6, 6), torch.empty(0, dtype=torch.int64))
    with pytest.raises(ValueError, match="`test` is empty"):
        TrainingData.from_datasets(Ragged((IMAGES[1], 1)), empty)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"n_train": 0}, "`n_train` = 0"), ({"n_validation": 1790}, "less than 1797 in all")],
)
def test_bad_sizes_of_digits_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingData.digits(**options)
