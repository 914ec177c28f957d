"""A checkpoint is all of a file, or the file before."""

from dataclasses import replace
import errno
import json
from pathlib import Path
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import save_file
import torch

from optuna_dnas.exceptions import CorruptFileError
from optuna_dnas.objectives.supernet import RetrainedNetwork
from optuna_dnas.objectives.supernet import train_supernet
from optuna_dnas.objectives.supernet import TrainedSupernet
from optuna_dnas.objectives.supernet._checkpoint import Checkpoint

from .toy import BRIEF
from .toy import fit
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


def positions(content: bytes) -> list[int]:
    """Every byte of the header of a file of safetensors, and 200 of the tensors."""
    n_header = 8 + int.from_bytes(content[:8], "little")
    tensors = np.random.default_rng(0).choice(np.arange(n_header, len(content)), 200)
    return [*range(n_header), *tensors.tolist(), len(content) - 1]


def test_checkpoint_is_refused_with_any_byte_changed(tmp_path: Path) -> None:
    """White space, names of tensors and what JSON does not heed included."""
    path = tmp_path / "ckpt"
    tensors = TENSORS | {"long": torch.arange(500.0)}
    Checkpoint("supernet", STATE, tensors).save(path)
    good = path.read_bytes()
    rng = np.random.default_rng(1)
    for position in positions(good):
        for mask in (1 << int(rng.integers(8)), int(rng.integers(1, 256))):
            bad = bytearray(good)
            bad[position] ^= mask
            path.write_bytes(bad)
            with pytest.raises(CorruptFileError, match="ckpt is no checkpoint"):
                Checkpoint.load(path, "supernet")
    path.write_bytes(good)
    assert Checkpoint.load(path, "supernet").state == STATE


def test_changed_bytes_of_a_training_are_told_and_kept(trained: Path, tmp_path: Path) -> None:
    good, path = trained.read_bytes(), tmp_path / "ckpt"
    for position in (0, 9, 60, len(good) // 2, len(good) - 1):
        bad = bytearray(good)
        bad[position] ^= 4
        path.write_bytes(bad)
        for read in (TrainedSupernet.load, lambda path: fit(path)):
            with pytest.raises(CorruptFileError, match="ckpt is no checkpoint"):
                read(path)
        assert path.read_bytes() == bad


@pytest.mark.parametrize("content", [b"\x00" * 100, b"\xff" * 100, b"[" * 100_000])
def test_what_only_looks_like_a_header_is_refused(content: bytes, tmp_path: Path) -> None:
    for body in (content, len(content).to_bytes(8, "little") + content):
        (tmp_path / "ckpt").write_bytes(body)
        with pytest.raises(CorruptFileError, match="ckpt is no checkpoint"):
            Checkpoint.load(tmp_path / "ckpt", "supernet")


def test_a_checkpoint_is_a_file_of_safetensors(tmp_path: Path) -> None:
    Checkpoint("supernet", STATE, TENSORS).save(tmp_path / "ckpt")
    with safe_open(tmp_path / "ckpt", "pt") as file:
        assert torch.equal(file.get_tensor("a"), TENSORS["a"])


def test_checkpoint_without_a_checksum_is_told_to_be_of_another_version(tmp_path: Path) -> None:
    header = json.dumps({"format": "optuna-dnas 1", "kind": "supernet", "state": STATE})
    save_file({"b": TENSORS["b"]}, tmp_path / "ckpt", metadata={"optuna-dnas": header})
    message = "ckpt is no checkpoint of this version: .*no checksum. Train again, into another"
    with pytest.raises(CorruptFileError, match=message):
        Checkpoint.load(tmp_path / "ckpt", "supernet")


def test_no_pickle_is_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "sprung",)

    (tmp_path / "ckpt").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CorruptFileError, match="ckpt is no checkpoint"):
        TrainedSupernet.load(tmp_path / "ckpt")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shape", None),
        ("shape", {"stages": []}),
        ("shape", "large"),
        ("config", {}),
        ("config", None),
        ("config", {"steps": "many"}),
        ("config", {"steps": []}),
        ("step", None),
        ("step", "three"),
        ("data", None),
        ("precision", None),
        ("spec", None),
    ],
)
def test_state_that_is_edited_with_its_checksum_is_an_error_of_the_file(
    key: str, value: Any, trained: Path, tmp_path: Path
) -> None:
    """A missing value, or one of another type; `{}` of a config: one value of it is another."""
    whole = Checkpoint.load(trained, "supernet")
    edited = dict(whole.state)
    if value is None:
        del edited[key]
    elif key == "config" and value:
        edited[key] |= value
    else:
        edited[key] = value
    path = tmp_path / "ckpt"
    Checkpoint("supernet", edited, whole.tensors).save(path)
    with pytest.raises(CorruptFileError, match="ckpt is no checkpoint of this version"):
        fit(path)
    if key not in ("precision", "spec"):
        with pytest.raises(CorruptFileError, match="ckpt is no checkpoint of this version"):
            TrainedSupernet.load(path)


@pytest.mark.parametrize("name", ["losses", "network.frame.stem.0.weight"])
def test_tensors_that_are_missing_or_of_another_shape_are_an_error_of_the_file(
    name: str, trained: Path, tmp_path: Path
) -> None:
    whole, path = Checkpoint.load(trained, "supernet"), tmp_path / "ckpt"
    without = {key: tensor for key, tensor in whole.tensors.items() if key != name}
    for tensors in (without, without | {name: torch.zeros(2, 2, 2)}):
        Checkpoint("supernet", whole.state, tensors).save(path)
        with pytest.raises(CorruptFileError, match="ckpt is no checkpoint of this version"):
            fit(path, replace(BRIEF, checkpoint_interval=2))
