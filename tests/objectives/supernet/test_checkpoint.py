"""A checkpoint is all of a file, or the file before."""

import errno
from pathlib import Path
import subprocess
import sys
from typing import Any

import pytest
from safetensors.torch import save_file
import torch

from optuna_dnas.exceptions import CorruptFileError
from optuna_dnas.objectives.supernet import RetrainedNetwork
from optuna_dnas.objectives.supernet import train_supernet
from optuna_dnas.objectives.supernet import TrainedSupernet
from optuna_dnas.objectives.supernet._checkpoint import Checkpoint

from .toy import BRIEF
from .toy import images_in_memory
from .toy import SHAPE


TENSORS = {"a": torch.arange(6.0).view(2, 3).t(), "b": torch.tensor(3), "c.d": torch.zeros(0)}
STATE = {"step": 3, "nested": {"x": [1.5, None, "ä"]}}

# Files of this process get at most 200 kB, a checkpoint of 400 kB has no room.
TOO_LARGE = """
import resource, sys, torch
from pathlib import Path
from optuna_dnas.objectives.supernet._checkpoint import Checkpoint
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
path = Path(sys.argv[1])
Checkpoint("supernet", {}, {"x": torch.zeros(10)}).save(path)
try:
    Checkpoint("supernet", {}, {"x": torch.zeros(100_000)}).save(path)
except OSError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a supernet."""
    path = tmp_path_factory.mktemp("trained") / "ckpt"
    train_supernet(SHAPE, images_in_memory(), BRIEF, path, progress=False)
    return path


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    Checkpoint("supernet", STATE, TENSORS).save(tmp_path / "ckpt")
    read = Checkpoint.load(tmp_path / "ckpt", "supernet")
    assert read.state == STATE
    assert read.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(read.tensors[name], tensor)
        assert read.tensors[name].dtype == tensor.dtype
    assert list(read.part("c")) == ["d"]


@pytest.mark.parametrize("fails", ["write", "fsync", "replace"])
def test_full_disk_leaves_the_checkpoint_before(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ckpt"
    Checkpoint("supernet", STATE, TENSORS).save(path)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        _break(patch, fails)
        message = "No space left on device: the checkpoint cannot be written; .* is kept.*ckpt"
        with pytest.raises(OSError, match=message) as caught:
            Checkpoint("supernet", {"step": 9}, TENSORS).save(path)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["ckpt"]


def _break(patch: pytest.MonkeyPatch, what: str) -> None:
    def no_space(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if what == "fsync":
        patch.setattr("os.fsync", no_space)
    elif what == "replace":
        patch.setattr(Path, "replace", no_space)
    else:
        whole = Path.open

        def half(self: Path, *args: Any) -> Any:
            file = whole(self, *args)
            content = file.write

            class HalfFile:
                __enter__, __exit__ = (lambda s: s), (lambda s, *e: file.close())

                def write(self, data: bytes) -> None:
                    content(data[: len(data) // 2])
                    no_space()

            return HalfFile()

        patch.setattr(Path, "open", half)


@pytest.mark.slow
def test_file_system_that_refuses_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    path = tmp_path / "ckpt"
    command = [sys.executable, "-c", TOO_LARGE, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "File too large: the checkpoint cannot be written; the checkpoint before" in run.stdout
    assert torch.equal(Checkpoint.load(path, "supernet").tensors["x"], torch.zeros(10))
    assert [file.name for file in tmp_path.iterdir()] == ["ckpt"]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    for name in (".ckpt.0badcafe.part", ".ckpt2.0badcafe.part", "ckpt.part"):
        (tmp_path / name).write_bytes(b"half")
    Checkpoint("supernet", STATE, TENSORS).save(tmp_path / "ckpt")
    assert {p.name for p in tmp_path.iterdir()} == {"ckpt", ".ckpt2.0badcafe.part", "ckpt.part"}


@pytest.mark.parametrize("n_bytes", [0, 4, 100, 10_000, -1])
def test_truncated_checkpoint_is_refused(trained: Path, n_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "ckpt"
    path.write_bytes(trained.read_bytes()[:n_bytes])
    before = path.read_bytes()
    with pytest.raises(CorruptFileError, match=r"ckpt is no checkpoint"):
        TrainedSupernet.load(path)
    with pytest.raises(CorruptFileError, match=r"ckpt is no checkpoint"):
        train_supernet(SHAPE, images_in_memory(), BRIEF, path, progress=False)
    assert path.read_bytes() == before


def test_foreign_files_are_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("weights")
    torch.save(TENSORS, tmp_path / "pickle")
    save_file({"a": torch.zeros(3)}, tmp_path / "weights")
    save_file({"a": torch.zeros(3)}, tmp_path / "odd", metadata={"optuna-dnas": "[1"})
    for path in list(tmp_path.iterdir()):
        before = path.read_bytes()
        with pytest.raises(CorruptFileError, match=f"{path.name} is no checkpoint"):
            train_supernet(SHAPE, images_in_memory(), BRIEF, path, progress=False)
        assert path.read_bytes() == before


def test_checkpoint_of_another_kind_is_refused(trained: Path) -> None:
    with pytest.raises(CorruptFileError, match="is a checkpoint of a supernet, not a network"):
        RetrainedNetwork.load(trained)


def test_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no checkpoint .*ckpt"):
        TrainedSupernet.load(tmp_path / "ckpt")
