"""``optuna-dnas supernet export``."""

import json
from pathlib import Path
import shutil

from click.testing import Result
import optuna
from optuna.trial import create_trial
import pytest

from optuna_dnas.objectives.supernet import RetrainedNetwork
from optuna_dnas.search_space import MobileNetSpace

from .command import assert_is_message
from .command import run
from .supernets import retrain
from .supernets import SPACE
from .supernets import trained


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("retrained") / "best"
    assert retrain(path, "--architecture", "k3e1 k5e2 skip", *SPACE).exit_code == 0
    return path


@pytest.fixture
def network(retrained: Path, folder: Path) -> Path:
    return Path(shutil.copy(retrained, folder)).relative_to(folder)


def export(network: object, *options: object) -> Result:
    return run("supernet", "export", "--network", network, "--output", "exported", *options)


def test_folder_has_network_and_model_card(network: Path) -> None:
    result = export(network)
    assert result.exit_code == 0, result.output
    names = {path.name for path in Path("exported").iterdir()}
    assert {"README.md", "card.json"} < names
    assert all(name in result.output for name in names)
    assert "k3e1 k5e2 skip" in Path("exported/README.md").read_text()
    text = json.dumps(json.loads(Path("exported/card.json").read_text()))
    assert "k3e1 k5e2 skip" in text
    assert str(RetrainedNetwork.load(network).accuracies["test"].top1) in text
    # Ink of scikit-learn's digits has 17 levels.
    assert json.loads(text)["standardisation"]["pixel_range"] == [0, 16]
    assert "from 0 to 16" in Path("exported/README.md").read_text()


def test_card_tells_the_search_that_found_it(network: Path) -> None:
    trained_network = RetrainedNetwork.load(network)
    found = MobileNetSpace(trained_network.shape).hash(trained_network.spec)
    study = optuna.create_study(storage="sqlite:///s.db", study_name="found")
    study.add_trial(create_trial(value=0.25, user_attrs={"architecture_hash": found}))
    result = export(network, "--storage", "sqlite:///s.db", "--study-name", "found")
    assert result.exit_code == 0, result.output
    card = json.loads(Path("exported/card.json").read_text())
    assert card["study"]["study"] == "found"
    assert card["study"]["trial"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--storage", "sqlite:///s.db"], "--storage and --study-name belong together"),
        (["--network", "nothing"], "There is no checkpoint nothing"),
        (["--format", "tflite"], "'torch', 'onnx'"),
    ],
)
def test_errors_are_messages(network: Path, options: list[object], message: str) -> None:
    assert message in assert_is_message(export(network, *options))
    assert not Path("exported").exists()


def test_supernet_is_not_a_network(network: Path, folder: Path) -> None:
    message = assert_is_message(export(trained(folder)))
    assert "is a checkpoint of a supernet, not a network" in message
