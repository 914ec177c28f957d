"""What is interrupted and started again is what was not, to the last bit."""

from dataclasses import replace
from pathlib import Path
import sys
from typing import Any

import pytest
import torch

from optuna_dnas.objectives.supernet import retrain
from optuna_dnas.objectives.supernet import RetrainedNetwork
from optuna_dnas.objectives.supernet import train_supernet
from optuna_dnas.objectives.supernet import TrainedSupernet
from optuna_dnas.objectives.supernet._checkpoint import Checkpoint
from optuna_dnas.search_space import Stage
from tests.killed import run_and_kill

from .toy import BRIEF
from .toy import BRIEF_RETRAIN
from .toy import images_in_memory
from .toy import OTHER_SPEC
from .toy import same_content
from .toy import SHAPE
from .toy import SPEC
from .toy import WatchedImages
from .train_toy import main


ROOT = Path(__file__).parents[3]


class InterruptionError(Exception):
    """In the middle of a step."""


def interrupted(n_batches: int, **options: Any) -> WatchedImages:
    """Images whose training stops at their n-th batch."""
    left = [n_batches]

    def count() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise InterruptionError

    return WatchedImages(count, **options)


def fit(output: Path, data: Any, **changes: Any) -> TrainedSupernet:
    return train_supernet(SHAPE, data, replace(BRIEF, **changes), output, progress=False)


def fit_one(output: Path, data: Any, **changes: Any) -> RetrainedNetwork:
    config = replace(BRIEF_RETRAIN, **changes)
    return retrain(SHAPE, SPEC, data, config, output, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"n_accumulation": 2, "ema_decay": None, "dropout": 0}])
def test_interrupted_supernet_is_the_uninterrupted_one(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    fit(tmp_path / "whole", images_in_memory(), **changes)
    for n_batches in range(1, 8):
        path = tmp_path / str(n_batches)
        with pytest.raises(InterruptionError):
            fit(path, interrupted(n_batches), **changes)
        fit(path, images_in_memory(), **changes)
        assert same_content(path, tmp_path / "whole", "supernet")


def test_interrupted_network_is_the_uninterrupted_one(tmp_path: Path) -> None:
    fit_one(tmp_path / "whole", images_in_memory())
    for n_batches in (1, 4, 5, 6, 8):
        path = tmp_path / str(n_batches)
        with pytest.raises(InterruptionError):
            fit_one(path, interrupted(n_batches))
        fit_one(path, images_in_memory())
        assert same_content(path, tmp_path / "whole", "network")


def test_interrupted_again_and_again(tmp_path: Path) -> None:
    fit(tmp_path / "whole", images_in_memory(), checkpoint_interval=1)
    n_interruptions = 0
    while True:
        try:
            fit(tmp_path / "ckpt", interrupted(2), checkpoint_interval=1)
            break
        except InterruptionError:
            n_interruptions += 1
    assert n_interruptions == 6
    assert same_content(tmp_path / "ckpt", tmp_path / "whole", "supernet")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["supernet", "network"])
def test_killed_training_goes_on_as_if_it_had_not_been(kind: str, tmp_path: Path) -> None:
    main(kind, str(tmp_path / "whole"), str(tmp_path / "log"), 1)
    module = "tests.objectives.supernet.train_toy"
    for n_lines in (3, 17):
        log, output = (str(tmp_path / name) for name in (f"log {n_lines}", "ckpt"))
        command = [sys.executable, "-m", module, kind, output, log, "1"]
        run_and_kill(command, Path(log), n_lines, folder=ROOT)
        step = Checkpoint.load(tmp_path / "ckpt", kind).state["step"]
        assert 0 < step < 40
    main(kind, output, log, 1)
    assert same_content(tmp_path / "ckpt", tmp_path / "whole", kind)
    assert {path.name[:4] for path in tmp_path.iterdir()} == {"whol", "ckpt", "log", "log "}


def test_ended_training_is_left_as_it_is(tmp_path: Path) -> None:
    fit(tmp_path / "ckpt", images_in_memory())
    before = (tmp_path / "ckpt").stat()
    result = fit(tmp_path / "ckpt", interrupted(1))
    assert (tmp_path / "ckpt").stat() == before
    assert result.images_per_second == 0


def test_other_checkpoint_interval_goes_on(tmp_path: Path) -> None:
    whole = fit(tmp_path / "whole", images_in_memory())
    with pytest.raises(InterruptionError):
        fit(tmp_path / "ckpt", interrupted(5))
    resumed = fit(tmp_path / "ckpt", images_in_memory(), checkpoint_interval=2)
    assert resumed.digest() == whole.digest()
    assert torch.equal(resumed.losses, whole.losses)


def test_unfinished_supernet_can_be_looked_at(tmp_path: Path) -> None:
    with pytest.raises(InterruptionError):
        fit(tmp_path / "ckpt", interrupted(5))
    unfinished = TrainedSupernet.load(tmp_path / "ckpt")
    assert unfinished.step == 3
    assert unfinished.losses.isfinite().tolist() == [True] * 3 + [False] * 4


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"seed": 1}, "seed"),
        ({"steps": 8}, "steps"),
        ({"learning_rate": 0.06}, "learning_rate"),
        ({"sampling": "fair"}, "sampling"),
    ],
)
def test_checkpoint_of_other_settings_is_refused_and_kept(
    changes: dict[str, Any], name: str, tmp_path: Path
) -> None:
    fit(tmp_path / "ckpt", images_in_memory())
    before = (tmp_path / "ckpt").read_bytes()
    message = f"ckpt holds another training: its `{name}` is .*, not {changes[name]}"
    with pytest.raises(ValueError, match=message):
        fit(tmp_path / "ckpt", images_in_memory(), **changes)
    assert (tmp_path / "ckpt").read_bytes() == before


def test_checkpoint_of_other_images_or_shape_is_refused(tmp_path: Path) -> None:
    fit(tmp_path / "ckpt", images_in_memory())
    with pytest.raises(ValueError, match="another training: its `data` is"):
        fit(tmp_path / "ckpt", images_in_memory(seed=1))
    shape = replace(SHAPE, stages=(Stage(8, 2, 1),))
    with pytest.raises(ValueError, match="another training: its `shape` is"):
        train_supernet(shape, images_in_memory(), BRIEF, tmp_path / "ckpt", progress=False)


def test_checkpoint_of_another_architecture_is_refused(tmp_path: Path) -> None:
    fit_one(tmp_path / "ckpt", images_in_memory())
    message = f"its `architecture` is {SPEC}, not {OTHER_SPEC}"
    with pytest.raises(ValueError, match=message):
        retrain(SHAPE, OTHER_SPEC, images_in_memory(), BRIEF_RETRAIN, tmp_path / "ckpt")
