"""``optuna-dnas supernet retrain``."""

from pathlib import Path
import re
import shutil

import optuna
import pytest
import torch

from optuna_dnas.objectives.supernet import RetrainedNetwork
from optuna_dnas.search_space import MobileNetSpec

from .command import assert_is_message
from .command import next_commands
from .supernets import retrain
from .supernets import search
from .supernets import SPACE
from .supernets import STORAGE
from .supernets import STUDY
from .supernets import trained


OF_STUDY = ("--storage", STORAGE, "--study-name", STUDY)
ARCHITECTURE = ("--architecture", "k3e1 k5e2 skip", *SPACE)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that holds a study."""
    folder = tmp_path_factory.mktemp("searched")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert search(trained(folder)).exit_code == 0
    return folder / "studies.db"


@pytest.fixture
def study(searched: Path, folder: Path) -> optuna.Study:
    shutil.copy(searched, folder)
    return optuna.load_study(study_name=STUDY, storage=STORAGE)


def test_best_network_is_trained_and_measured(study: optuna.Study) -> None:
    result = retrain("best", *OF_STUDY)
    assert result.exit_code == 0, result.output
    network = RetrainedNetwork.load("best")
    assert str(network.spec) == study.best_trial.user_attrs["architecture"]
    assert network.epoch == 1
    assert f"Trial {study.best_trial.number} of {STUDY}" in result.output
    for part in ("validation", "test"):
        accuracy = network.accuracies[part]
        assert f"{part} accuracy" in result.output
        assert f"{100 * accuracy.top1:.3f} %" in result.output
        assert f"{100 * accuracy.top5:.3f} %" in result.output
    assert f"{study.best_trial.user_attrs['params']:,}\n" in result.output
    export = ["optuna-dnas", "supernet", "export", "--network", "best"]
    export += ["--output", "best-exported"]
    export += ["--storage", "sqlite:///studies.db", "--study-name", STUDY]
    assert next_commands(result.output) == [export]


def test_another_trial_is_trained(study: optuna.Study) -> None:
    other = next(t for t in study.trials if t.number != study.best_trial.number)
    assert retrain("other", *OF_STUDY, "--trial", other.number).exit_code == 0
    spec = RetrainedNetwork.load("other").spec
    assert str(spec) == other.user_attrs["architecture"]


def test_architecture_needs_no_study(folder: Path) -> None:
    result = retrain("network", *ARCHITECTURE, "--seed", 3, epochs=2)
    assert result.exit_code == 0, result.output
    network = RetrainedNetwork.load("network")
    assert network.spec == MobileNetSpec.parse("k3e1 k5e2 skip")
    assert (network.config.epochs, network.config.seed) == (2, 3)


def test_training_that_has_ended_is_shown_again(folder: Path) -> None:
    assert retrain("network", *ARCHITECTURE).exit_code == 0
    weights = RetrainedNetwork.load("network").network.state_dict()
    result = retrain("network", *ARCHITECTURE)
    assert result.exit_code == 0, result.output
    assert "test accuracy" in result.output
    assert "images a second" not in result.output
    for name, tensor in RetrainedNetwork.load("network").network.state_dict().items():
        assert torch.equal(tensor, weights[name])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Either --storage and --study-name, or --architecture"),
        (["--storage", STORAGE], "Either --storage and --study-name, or --architecture"),
        ([*OF_STUDY, "--trial", 99], "--trial must be less than 3, .* but got 99"),
        (["--storage", STORAGE, "--study-name", "x"], f"no study 'x'; it has .*'{STUDY}'"),
        (["--storage", "sqlite:///no.db", "--study-name", "x"], "there is no file no.db"),
        ([*OF_STUDY, "--width", 2], "--width is for --architecture"),
        ([*ARCHITECTURE, "--storage", STORAGE], "--storage is about a study"),
        ([*ARCHITECTURE, "--architecture", "k9e9"], "k9e9"),
        ([*ARCHITECTURE, "--architecture", "skip k3e1 k3e1"], "skip"),
        ([*ARCHITECTURE, "--architecture", "nonsense"], "'nonsense'"),
        ([*OF_STUDY, "--epochs", 0], "--epochs"),
    ],
)
def test_errors_are_messages(study: optuna.Study, options: list[object], message: str) -> None:
    assert re.search(message, assert_is_message(retrain("best", *options)).replace("\n", " "))
    assert not Path("best").exists()


def test_study_of_something_else_is_refused(folder: Path) -> None:
    optuna.create_study(storage=STORAGE, study_name="mine")
    message = assert_is_message(retrain("best", "--storage", STORAGE, "--study-name", "mine"))
    assert "'mine' is not one of `optuna-dnas supernet search`" in message


def test_study_without_a_network_within_its_limits_is_refused(study: optuna.Study) -> None:
    empty = optuna.create_study(storage=STORAGE, study_name="empty")
    for key, value in study.user_attrs.items():
        empty.set_user_attr(key, value)
    of_empty = ("--storage", STORAGE, "--study-name", "empty")
    assert "'empty' has no network" in assert_is_message(retrain("best", *of_empty))
    empty.tell(empty.ask(), 1.0)
    message = assert_is_message(retrain("best", *of_empty, "--trial", 0))
    assert "Trial 0 of the study 'empty' has no network" in message
    assert "'empty' has no network" in assert_is_message(retrain("best", *of_empty))
