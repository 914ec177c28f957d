"""Networks for use elsewhere."""

import errno
import importlib.util
import json
import os
from pathlib import Path
import re
import subprocess
import sys
from typing import Any

import numpy as np
import optuna
import pytest
from safetensors.torch import load_file
import torch

from optuna_dnas.objectives.supernet import export_network
from optuna_dnas.objectives.supernet import retrain
from optuna_dnas.objectives.supernet import RetrainedNetwork
from optuna_dnas.objectives.supernet import SupernetObjective
from optuna_dnas.search_space import MobileNetSpace

from .test_objective import FakeModel
from .test_objective import run
from .toy import BRIEF_RETRAIN
from .toy import images_in_memory
from .toy import OTHER_SPEC
from .toy import random_images
from .toy import SHAPE
from .toy import SPEC


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("network") / "best"
    retrain(SHAPE, SPEC, images_in_memory(), BRIEF_RETRAIN, path, progress=False)
    return path


@pytest.fixture(scope="module")
def network(checkpoint: Path) -> RetrainedNetwork:
    return RetrainedNetwork.load(checkpoint)


@pytest.fixture(scope="module")
def exported(network: RetrainedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("exported") / "a" / "b"
    export_network(network, directory)
    return directory


def logits_by(network: RetrainedNetwork, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return network.network(images)


def standardised_by(network: RetrainedNetwork, pixels: torch.Tensor) -> torch.Tensor:
    assert network.standardisation is not None
    return network.standardisation.apply(pixels)


def code_blocks(directory: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (directory / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_program_gives_the_same_logits_for_any_number_of_images(
    network: RetrainedNetwork, exported: Path, n: int
) -> None:
    images = random_images(n)
    program = torch.export.load(exported / "network.pt2").module()
    torch.testing.assert_close(program(images), logits_by(network, images))


def test_what_the_card_says_of_loading_works(
    network: RetrainedNetwork, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(exported)
    blocks = code_blocks(exported)
    assert len(blocks) == 2
    pixels = random_images(3)
    expected = logits_by(network, standardised_by(network, pixels))
    for block in blocks:
        names: dict[str, Any] = {"pixels": pixels}
        exec(block, names)
        torch.testing.assert_close(names["logits"], expected)


def test_files_hold_the_weights_and_no_name_of_a_folder(
    network: RetrainedNetwork, exported: Path
) -> None:
    files = {path.name: path for path in exported.iterdir()}
    assert files.keys() == {"README.md", "card.json", "network.pt2", "weights.safetensors"}
    weights = load_file(files["weights.safetensors"])
    assert weights.keys() == network.network.state_dict().keys()
    for name, tensor in network.network.state_dict().items():
        assert torch.equal(weights[name], tensor)
    for path in files.values():
        assert str(Path(__file__).parents[3]).encode() not in path.read_bytes()


def test_card_tells_all_that_is_known(network: RetrainedNetwork, exported: Path) -> None:
    space = MobileNetSpace(SHAPE)
    card = json.loads((exported / "card.json").read_text())
    assert card["architecture"] == str(SPEC)
    assert card["architecture_hash"] == space.hash(SPEC)
    cost = space.cost(SPEC)
    assert card["cost"] == {"flops": cost.flops, "params": cost.params}
    assert card["accuracies"]["test"]["top1"] == network.accuracies["test"].top1
    assert card["data_digest"] == network.data_digest
    assert card["weights_digest"] == network.digest()
    assert card["training"]["seed"] == BRIEF_RETRAIN.seed
    assert card["study"] is None
    text = (exported / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: pytorch\n")
    for words in (
        str(SPEC),
        space.draw(SPEC),
        f"{cost.flops:,} multiply-adds",
        f"{network.accuracies['validation'].top1:.2%}",
        "| learning_rate | 0.05 |",
        "(B, 2, 8, 8)",
        "(B, 3) logits",
    ):
        assert words in text
    assert "## Search" not in text


def test_card_tells_of_the_study(network: RetrainedNetwork, tmp_path: Path) -> None:
    objective = SupernetObjective(FakeModel())
    study = optuna.create_study(direction="maximize", study_name="digits-supernet")
    run(objective, OTHER_SPEC, SPEC, study=study)
    export_network(network, tmp_path, study=study)
    told = json.loads((tmp_path / "card.json").read_text())["study"]
    assert (told["study"], told["trial"], told["evaluations"]) == ("digits-supernet", 1, 2)
    assert told["value 0 in the search"] == study.trials[1].value
    assert told["supernet digest"] == study.trials[1].user_attrs["supernet_digest"]
    assert "| study | digits-supernet |" in (tmp_path / "README.md").read_text()


def test_a_study_of_other_architectures_is_refused(
    network: RetrainedNetwork, tmp_path: Path
) -> None:
    study = optuna.create_study(study_name="other")
    with pytest.raises(ValueError, match=r"`study` must have evaluated .* 'other' has no"):
        export_network(network, tmp_path / "new", study=study)
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_onnx_gives_the_same_logits(network: RetrainedNetwork, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="ONNX needs optuna-dnas[onnx]")
    onnx = pytest.importorskip("onnx", reason="ONNX needs optuna-dnas[onnx]")
    export_network(network, tmp_path, format="onnx")
    path = tmp_path / "network.onnx"
    onnx.checker.check_model(str(path), full_check=True)
    for n in (1, 5):
        images = random_images(n)
        feed = {"images": images.numpy()}
        (logits,) = onnx.reference.ReferenceEvaluator(str(path)).run(None, feed)
        expected = logits_by(network, images).numpy()
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_what_the_card_says_of_onnxruntime_works(
    network: RetrainedNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript", reason="ONNX needs optuna-dnas[onnx]")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    export_network(network, tmp_path, format="onnx")
    monkeypatch.chdir(tmp_path)
    pixels = random_images(3)
    names: dict[str, Any] = {"pixels": pixels.numpy()}
    exec(code_blocks(tmp_path)[0], names)
    expected = logits_by(network, standardised_by(network, pixels)).numpy()
    np.testing.assert_allclose(names["logits"], expected, rtol=1e-4, atol=1e-5)


def test_what_onnx_lacks_is_named(
    network: RetrainedNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if "onnx" in name else find(name)
    )
    with pytest.raises(ImportError, match=r"needs onnx and onnxscript: .*optuna-dnas\[onnx\]"):
        export_network(network, tmp_path / "new", format="onnx")
    assert not (tmp_path / "new").exists()


def test_a_format_that_is_none_is_refused(network: RetrainedNetwork, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`format` must be of .*, but got 'pickle'"):
        export_network(network, tmp_path, format="pickle")


def test_what_a_folder_holds_is_left_alone(network: RetrainedNetwork, exported: Path) -> None:
    with pytest.raises(FileExistsError, match="`directory` must be new or empty"):
        export_network(network, exported)


def test_an_unfinished_training_is_refused(network: RetrainedNetwork, tmp_path: Path) -> None:
    vars_of = {field: getattr(network, field) for field in network.__dataclass_fields__}
    unfinished = RetrainedNetwork(**(vars_of | {"accuracies": {}, "epoch": 1}))
    with pytest.raises(ValueError, match="trained to its end, but got 1 of 2 epochs"):
        export_network(unfinished, tmp_path / "new")


def test_exporting_leaves_no_traces(network: RetrainedNetwork, tmp_path: Path) -> None:
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    weights = {name: t.clone() for name, t in network.network.state_dict().items()}
    export_network(network, tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == n_threads
    assert torch.is_grad_enabled()
    for name, tensor in network.network.state_dict().items():
        assert torch.equal(tensor, weights[name])


# Files of this process get at most 60 kB: no network has room, weights and cards have.
TOO_LARGE = """
import resource, signal, sys
from optuna_dnas.objectives.supernet import export_network, RetrainedNetwork
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    export_network(RetrainedNetwork.load(sys.argv[1]), sys.argv[2])
except OSError as error:
    print(error)
"""


@pytest.mark.slow
def test_file_system_that_refuses_is_an_error_and_leaves_nothing(
    checkpoint: Path, tmp_path: Path
) -> None:
    """PyTorch's own writer would end the process."""
    command = [sys.executable, "-c", TOO_LARGE, str(checkpoint), str(tmp_path / "a" / "b")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "File too large: the network cannot be written" in run.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["network.pt2", "weights.safetensors", "card.json", "README.md"])
def test_full_disk_is_an_error_and_the_next_export_is_whole(
    name: str, network: RetrainedNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write = Path.write_bytes

    def write(self: Path, content: Any) -> int:
        if self.name == name:
            _write(self, content[:9])
            raise OSError(errno.ENOSPC, "No space left on device")
        return _write(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write)
        message = "No space left on device: the network cannot be written: .*new"
        with pytest.raises(OSError, match=message) as caught:
            export_network(network, tmp_path / "new")
    assert caught.value.errno == errno.ENOSPC
    assert not (tmp_path / "new").exists()
    export_network(network, tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == FILES


FILES = {"README.md", "card.json", "network.pt2", "weights.safetensors"}


@pytest.mark.parametrize("moment", ["write_bytes", "replace"])
def test_what_a_killed_export_has_left_does_not_stop_the_next(
    moment: str, network: RetrainedNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill in the middle of a file, or between the names of two files: no cleaning up."""
    calls = []
    original: Any = getattr(Path, moment)

    class KilledError(BaseException):
        pass

    def die(self: Path, *args: Any) -> Any:
        calls.append(self)
        if len(calls) == 2:
            raise KilledError
        return original(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Path, moment, die)
        patch.setattr("optuna_dnas.objectives.supernet._export._discard", lambda directory: None)
        with pytest.raises(KilledError):
            export_network(network, tmp_path)
    assert list(tmp_path.iterdir())
    export_network(network, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    program = torch.export.load(tmp_path / "network.pt2").module()
    assert program(random_images(1)).shape == (1, 3)


@pytest.mark.skipif(os.name != "posix", reason="Modes are of POSIX.")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_files_have_the_mode_of_the_user(
    mask: int, network: RetrainedNetwork, tmp_path: Path
) -> None:
    before = os.umask(mask)
    try:
        export_network(network, tmp_path)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(FILES, 0o666 & ~mask)
