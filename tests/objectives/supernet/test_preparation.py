"""How images are prepared is told all the way: images, network, checkpoint, card."""

from dataclasses import asdict
from dataclasses import replace
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from optuna_dnas.exceptions import CorruptFileError
from optuna_dnas.objectives.supernet import DatasetImages
from optuna_dnas.objectives.supernet import export_network
from optuna_dnas.objectives.supernet import open_images
from optuna_dnas.objectives.supernet import retrain
from optuna_dnas.objectives.supernet import RetrainedNetwork
from optuna_dnas.objectives.supernet import Standardisation
from optuna_dnas.objectives.supernet._checkpoint import Checkpoint
from optuna_dnas.objectives.training._data import stratified_parts

from .data.toy import Listed
from .data.toy import noise
from .test_export import code_blocks
from .test_export import logits_by
from .toy import BRIEF_RETRAIN
from .toy import fit_one
from .toy import random_images
from .toy import SHAPE
from .toy import SPEC


PLAIN = replace(BRIEF_RETRAIN, epochs=1, ema_decay=None)
OF_BYTES = Standardisation(mean=(1.5, -2.0), deviation=(0.5, 4.0), pixel_range=(0.0, 255.0))


def own_images(standardisation: Standardisation | None) -> DatasetImages:
    """Of a user's own dataset, which prepares them itself."""
    train, test = Listed(*noise(40, 0)), Listed(*noise(12, 1))
    return DatasetImages(train, test, standardisation=standardisation)


@pytest.fixture(scope="module")
def digits_network(tmp_path_factory: pytest.TempPathFactory) -> RetrainedNetwork:
    shape = replace(SHAPE, image_channels=1, n_classes=10)
    path = tmp_path_factory.mktemp("digits") / "best"
    config = replace(PLAIN, epochs=4, batch_size=32, learning_rate=0.2, dropout=0.0)
    return retrain(shape, SPEC, open_images("digits"), config, path, progress=False)


@pytest.fixture(scope="module")
def unknown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a network of images that nobody knows how to prepare."""
    path = tmp_path_factory.mktemp("unknown") / "best"
    fit_one(path, PLAIN, data=own_images(None))
    return path


def raw_test_digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels (297, 1, 8, 8) and labels, as scikit-learn has them."""
    from sklearn.datasets import load_digits

    rows = stratified_parts(load_digits().target, [1200, 300, 297], seed=0)[-1]
    pixels = torch.from_numpy(load_digits().images[rows]).float()[:, None]
    return pixels, torch.from_numpy(load_digits().target[rows])


def top1(logits: Any, labels: torch.Tensor) -> float:
    return (torch.as_tensor(logits).argmax(dim=1) == labels).double().mean().item()


def exported(network: RetrainedNetwork, directory: Path, **options: Any) -> dict[str, Any]:
    """The card."""
    export_network(network, directory, **options)
    return json.loads((directory / "card.json").read_text())  # type: ignore[no-any-return]


def run_block(directory: Path, index: int, **names: Any) -> Any:
    exec(code_blocks(directory)[index], names)
    return names["logits"]


def test_raw_digits_prepared_by_the_card_give_its_accuracy(
    digits_network: RetrainedNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = exported(digits_network, tmp_path)
    monkeypatch.chdir(tmp_path)
    pixels, labels = raw_test_digits()
    stated = card["accuracies"]["test"]["top1"]
    assert stated > 0.5
    for index in range(2):
        assert top1(run_block(tmp_path, index, pixels=pixels), labels) == pytest.approx(stated)
    # A program that reads card.json comes to the same.
    images = Standardisation.from_dict(card["standardisation"]).apply(pixels)
    program = torch.export.load("network.pt2").module()
    assert top1(program(images), labels) == pytest.approx(stated)
    assert top1(program(pixels), labels) != pytest.approx(stated)


@pytest.mark.slow
def test_raw_digits_prepared_by_the_card_give_its_accuracy_in_onnx(
    digits_network: RetrainedNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript", reason="ONNX needs optuna-dnas[onnx]")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    card = exported(digits_network, tmp_path, format="onnx")
    monkeypatch.chdir(tmp_path)
    pixels, labels = raw_test_digits()
    stated = pytest.approx(card["accuracies"]["test"]["top1"])
    assert top1(run_block(tmp_path, 0, pixels=pixels.numpy()), labels) == stated
    assert top1(run_block(tmp_path, 1, pixels=pixels), labels) == stated


def test_card_says_it_in_numbers_and_in_words(
    digits_network: RetrainedNetwork, tmp_path: Path
) -> None:
    known = open_images("digits").standardisation
    assert known is not None
    assert digits_network.standardisation == known
    card = exported(digits_network, tmp_path / "a")
    assert card["standardisation"] == json.loads(json.dumps(asdict(known)))
    text = (tmp_path / "a" / "README.md").read_text()
    for words in ("from 0 to 16, and", f"torch.asarray([{known.mean[0]}]"):
        assert words in text
    assert "All images were" not in text
    resized = replace(known, sizing="resized from 6 x 6 pixels")
    exported(replace(digits_network, standardisation=resized), tmp_path / "b")
    text = (tmp_path / "b" / "README.md").read_text()
    assert "All images were resized from 6 x 6 pixels." in text


def test_unknown_stays_unknown(
    unknown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = RetrainedNetwork.load(unknown)
    assert network.standardisation is None
    assert exported(network, tmp_path)["standardisation"] is None
    text = (tmp_path / "README.md").read_text()
    assert "**how these were is not known**" in text
    assert "pixels" not in text
    # What makes logits of images is as good as ever.
    monkeypatch.chdir(tmp_path)
    images = random_images(3)
    for index in range(2):
        logits = run_block(tmp_path, index, images=images)
        torch.testing.assert_close(logits, logits_by(network, images))


def test_what_a_user_says_of_a_dataset_is_passed_on(unknown: Path, tmp_path: Path) -> None:
    said = fit_one(tmp_path / "best", PLAIN, data=own_images(OF_BYTES))
    assert said.standardisation == RetrainedNetwork.load(tmp_path / "best").standardisation
    assert said.standardisation == OF_BYTES
    # It is said of the images, not done to them; and it can be said afterwards.
    later = RetrainedNetwork.load(unknown)
    assert (said.data_digest, said.digest()) == (later.data_digest, later.digest())
    card = exported(replace(later, standardisation=OF_BYTES), tmp_path / "exported")
    assert Standardisation.from_dict(card["standardisation"]) == OF_BYTES


def test_standardisation_of_other_channels_is_refused(unknown: Path) -> None:
    other = replace(OF_BYTES, mean=(0.0,), deviation=(1.0,))
    message = "`standardisation` must be of 2 channels, those of the images, but got 1"
    with pytest.raises(ValueError, match=message):
        own_images(other)
    with pytest.raises(ValueError, match=message):
        replace(RetrainedNetwork.load(unknown), standardisation=other)


def test_checkpoint_that_does_not_say_it_is_refused(unknown: Path, tmp_path: Path) -> None:
    whole = Checkpoint.load(unknown, "network")
    state = {name: v for name, v in whole.state.items() if name != "standardisation"}
    Checkpoint("network", state, whole.tensors).save(tmp_path / "old")
    with pytest.raises(
        CorruptFileError,
        match=r"old is no checkpoint of this version: there is no 'standardisation'",
    ):
        RetrainedNetwork.load(tmp_path / "old")
    with pytest.raises(CorruptFileError, match="old is no checkpoint of this version"):
        fit_one(tmp_path / "old", PLAIN, data=own_images(None))
