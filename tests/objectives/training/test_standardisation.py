"""Pixels are standardised in a way that is told, and can be undone."""

from dataclasses import asdict
from dataclasses import replace
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from sklearn.datasets import load_digits
import torch

from optuna_dnas.objectives.training import Standardisation
from optuna_dnas.objectives.training import TrainingData
from optuna_dnas.objectives.training._data import stratified_parts

from .toy import toy_data


KNOWN = Standardisation(mean=(0.1, -2.0), deviation=(1 / 3, 4.0), pixel_range=(0.0, 255.0))


def undone(standardisation: Standardisation | None, images: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) -> the pixels."""
    assert standardisation is not None
    mean, deviation = (
        torch.tensor(values, dtype=torch.float64)[:, None, None]
        for values in (standardisation.mean, standardisation.deviation)
    )
    return images.double() * deviation + mean


@given(
    offset=st.floats(-100, 100),
    scale=st.floats(0.01, 255),
    n_channels=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_standardised_data_can_be_turned_back_into_pixels(
    offset: float, scale: float, n_channels: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    parts = [
        (offset + scale * rng.random((n, n_channels, 3, 3)), np.arange(n) % 2) for n in (9, 4, 5)
    ]
    data = TrainingData.from_arrays(parts[0], parts[1], validation=parts[2])
    size = abs(offset) + scale
    for name, (pixels, _) in zip(("train", "test", "validation"), parts, strict=True):
        error = undone(data.standardisation, data.part(name)[0]) - torch.from_numpy(pixels)
        assert error.abs().max() <= 1e-5 * size


def test_digits_can_be_turned_back_into_pixels() -> None:
    data = TrainingData.digits(3, n_train=300, n_validation=500)
    images, labels = load_digits().images, load_digits().target
    for name, rows in zip(
        ("train", "validation", "test"), stratified_parts(labels, [300, 500, 997], 3), strict=True
    ):
        pixels = undone(data.standardisation, data.part(name)[0])[:, 0].round()
        assert np.array_equal(pixels.numpy(), images[rows])
    assert data.standardisation is not None
    assert data.standardisation.pixel_range == (0, 16)


def test_scale_is_that_of_the_training_part() -> None:
    images, labels = np.arange(80, dtype=np.uint8).reshape(5, 4, 4), np.arange(5) % 2
    part = 3 * images, labels
    data = TrainingData.from_arrays((images + 7, labels), part, validation=part)
    assert data.standardisation is not None
    assert data.standardisation.pixel_range == (7, 86)
    assert data.standardisation.mean == (7 + 79 / 2,)


def test_applying_it_gives_the_data() -> None:
    images, labels = np.random.default_rng(0).integers(0, 256, (9, 2, 5, 5)), np.arange(9) % 2
    data = TrainingData.from_arrays((images, labels), (images, labels), validation_fraction=0.5)
    assert data.standardisation is not None
    pixels = torch.from_numpy(images.astype(np.uint8))
    assert torch.equal(data.standardisation.apply(pixels), data.test_images)
    assert torch.equal(data.standardisation.apply(pixels[3]), data.test_images[3])


def test_digest_is_of_images_not_of_what_is_said_about_them() -> None:
    data = toy_data()
    assert replace(data, standardisation=None).digest() == data.digest()


@pytest.mark.parametrize("sizing", [None, "resized from 6 x 6 pixels"])
def test_json_keeps_it(sizing: str | None) -> None:
    known = replace(KNOWN, sizing=sizing)
    assert Standardisation.from_dict(json.loads(json.dumps(asdict(known)))) == known


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": (0.0, float("nan"))}, r"`mean` must be finite, but got \(0.0, nan\)"),
        ({"deviation": (float("inf"), 1.0)}, "`deviation` must be finite"),
        ({"pixel_range": (0.0, float("inf"))}, "`pixel_range` must be finite"),
        ({"mean": (0.0,)}, r"`mean` and `deviation` must have a value .* but got \(0.0,\) and"),
        ({"mean": (), "deviation": ()}, "`mean` and `deviation` must have a value"),
        ({"deviation": (1.0, 0.0)}, r"`deviation` must be positive, but got \(1.0, 0.0\)"),
        ({"pixel_range": (1.0, 0.0)}, r"`pixel_range` must be the lowest .* got \(1.0, 0.0\)"),
        ({"pixel_range": (1.0,)}, "`pixel_range` must be the lowest and the highest"),
    ],
)
def test_impossible_values_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(KNOWN, **change)


def test_other_values_are_refused() -> None:
    with pytest.raises(ValueError, match=r"A standardisation has .*'mean'.* but got"):
        Standardisation.from_dict({"mean": [0.0]})


def test_standardisation_of_other_channels_is_refused() -> None:
    message = r"`standardisation` must be of 1 channels, .* but got 2"
    with pytest.raises(ValueError, match=message):
        replace(toy_data(), standardisation=KNOWN)
