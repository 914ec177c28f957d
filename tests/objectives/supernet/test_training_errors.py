"""Training says what is wrong."""

from dataclasses import replace
from pathlib import Path
import sys
from typing import Any

import pytest
import torch

from optuna_dnas.objectives.training import InsufficientMemoryError

from .toy import BRIEF
from .toy import fit
from .toy import SHAPE
from .toy import WatchedImages


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"shape": replace(SHAPE, n_classes=4)}, "n_classes"),
        ({"shape": replace(SHAPE, image_size=16)}, "image_size"),
        ({"shape": replace(SHAPE, image_channels=3)}, "image_channels"),
    ],
)
def test_images_of_another_shape_are_refused(
    options: dict[str, Any], name: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"`{name}` of `shape` must be .*, but got"):
        fit(tmp_path / "ckpt", **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 33}, "`batch_size` must be at most 32, .* but got 33"),
        ({"batch_size": 9, "n_accumulation": 2}, "`batch_size` must be 2 equal parts .* got 9"),
        ({"batch_size": 8, "n_accumulation": 8}, "at least 2 images, but got 8"),
        ({"precision": "float16"}, "`precision` must not be 'float16' on 'cpu'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        fit(tmp_path / "ckpt", replace(BRIEF, **changes))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"device": "tpu"}, "`device` must be"), ({"n_threads": 0}, "`n_threads` must be positive")],
)
def test_impossible_arguments_are_refused(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        fit(tmp_path / "ckpt", **options)


def test_output_that_cannot_be_written_is_told_before_training(tmp_path: Path) -> None:
    data = WatchedImages(lambda: pytest.fail("It has trained."))
    with pytest.raises(FileNotFoundError, match="`output` must be in a folder, but there is no"):
        fit(tmp_path / "missing" / "ckpt", data=data)
    with pytest.raises(IsADirectoryError, match="`output` must be a file"):
        fit(tmp_path, data=data)


def test_lack_of_memory_has_its_error(tmp_path: Path) -> None:
    def lack() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(InsufficientMemoryError, match="training of the supernet needs more"):
        fit(tmp_path / "ckpt", data=WatchedImages(lack))


def test_missing_accelerate_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "accelerate.state", None)
    with pytest.raises(ImportError, match=r"pip install 'optuna-dnas\[supernet\]'"):
        fit(tmp_path / "ckpt")
