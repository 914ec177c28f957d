"""``optuna-dnas supernet search``."""

from pathlib import Path
import shutil

import optuna
import pytest

from optuna_dnas.objectives.supernet import TrainedSupernet
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec
from tests.objectives.supernet.data.idx_files import write_idx_folder

from .command import assert_is_message
from .command import next_commands
from .command import run
from .command import type_in
from .supernets import search
from .supernets import STORAGE
from .supernets import STUDY
from .supernets import train
from .supernets import trained


@pytest.fixture(scope="module")
def supernet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("supernet"))


@pytest.fixture
def checkpoint(supernet: Path, folder: Path) -> Path:
    """In the folder that the shell is in."""
    return Path(shutil.copy(supernet, folder / "ckpt")).relative_to(folder)


def load() -> optuna.Study:
    return optuna.load_study(study_name=STUDY, storage=STORAGE)


def test_search_says_what_it_has_found(checkpoint: Path) -> None:
    result = search(checkpoint)
    assert result.exit_code == 0, result.output
    best = load().best_trial
    space = MobileNetSpace(TrainedSupernet.load(checkpoint).shape)
    spec = MobileNetSpec.parse(best.user_attrs["architecture"])
    assert f"Best architecture: trial {best.number}\n{space.draw(spec)}\n" in result.output
    assert f"{100 * best.value:.3f} %" in result.output
    assert f"{space.cost(spec).flops:,}\n" in result.output
    assert f"{space.cost(spec).params:,}\n" in result.output
    assert space.hash(spec) in result.output
    assert "Trials by source: " in result.output
    assert "3 architectures evaluated" in result.output


def test_next_commands_can_be_typed(checkpoint: Path) -> None:
    retrain, go_on, explain, _, dashboard = next_commands(search(checkpoint).output)
    assert type_in(go_on).exit_code == 0
    assert len(load().trials) == 6
    result = type_in(explain)
    assert result.exit_code == 0, result.output
    assert dashboard == ["optuna-dnas", "dashboard", STORAGE]
    result = type_in([*retrain, "--epochs", "1"])
    assert result.exit_code == 0, result.output
    assert f"Trial {load().best_trial.number} of {STUDY}" in result.output
    (export,) = next_commands(result.output)
    result = type_in(export)
    assert result.exit_code == 0, result.output


def test_latency_is_measured_and_kept(checkpoint: Path) -> None:
    result = search(checkpoint, "--max", "latency=1e6", "--latency-batch-size", 4)
    assert result.exit_code == 0, result.output
    assert all(trial.user_attrs["latency"] > 0 for trial in load().trials)
    assert "Limits: max_latency 1,000,000 ms" in result.output
    assert "an inference of a batch of 4 on " in result.output


@pytest.mark.slow
def test_continued_search_equals_an_uninterrupted_one(checkpoint: Path) -> None:
    assert search(checkpoint, "--study-name", "one", n_trials=18).exit_code == 0
    for n in (7, 11):
        assert search(checkpoint, "--study-name", "two", n_trials=n).exit_code == 0
    one, two = (
        optuna.load_study(study_name=name, storage=STORAGE).trials for name in ("one", "two")
    )
    assert [t.params for t in one] == [t.params for t in two]
    assert [t.value for t in one] == [t.value for t in two]


def test_a_band_of_costs_is_kept(checkpoint: Path) -> None:
    low, high = MobileNetSpace(TrainedSupernet.load(checkpoint).shape).cost_range
    third = (high.flops - low.flops) // 3
    band = ["--min", f"flops={low.flops + third}", "--max", f"flops={high.flops - third}"]
    result = search(checkpoint, *band, n_trials=6)
    assert result.exit_code == 0, result.output
    flops = [trial.user_attrs["flops"] for trial in load().trials]
    assert all(low.flops + third <= f <= high.flops - third for f in flops)
    assert f"Limits: max_flops {high.flops - third:,}" in result.output


def test_pareto_study_names_a_trial_to_train(checkpoint: Path) -> None:
    metrics = ["--metric", "validation_accuracy", "--metric", "flops"]
    result = search(checkpoint, *metrics)
    assert result.exit_code == 0, result.output
    assert "Pareto front: validation_accuracy, flops" in result.output
    retrain = next_commands(result.output)[0]
    assert int(retrain[retrain.index("--trial") + 1]) in [t.number for t in load().best_trials]
    without = [word for word in retrain if word not in ("--trial",)]
    without.remove(retrain[retrain.index("--trial") + 1])
    assert "has a Pareto front: choose a --trial" in assert_is_message(type_in(without))


def test_dashboard_is_published(checkpoint: Path) -> None:
    pytest.importorskip("optuna_dashboard", reason="the extra [dashboard] is not installed")
    result = search(checkpoint, "--dashboard")
    assert result.exit_code == 0, result.output
    assert any(Path("optuna-dnas-artifacts").iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--checkpoint", "nothing"], "There is no checkpoint nothing"),
        (["--dataset", "idx"], "needs the folder it is in"),
        (["--split-seed", 1], "ckpt was trained on other images: give "),
        (["--augment"], "ckpt was trained on other images: give "),
        (["--max", "flops=5"], "`limits['flops']` must be at least"),
        (["--storage", "sqlite:////nowhere/study.db"], "unable to open"),
        (["--storage", "nothing"], "neither the URL of a database"),
        (["--metric", "loss"], "'validation_accuracy', 'flops', 'params', 'latency'"),
        (["--latency-batch-size", 8], "needs --metric latency or --max latency=..."),
        (["--max", "latency=0"], "'latency=0' must end with = and a positive number."),
        (["--trials", 0], "--trials"),
        (["--device", "tpu"], "but got 'tpu'"),
        (["--precision", "float16"], "`precision` must not be 'float16' on 'cpu'"),
        (["--seed", "99999999999999999999"], "--seed"),
    ],
)
def test_errors_are_messages(checkpoint: Path, options: list[object], message: str) -> None:
    assert message in assert_is_message(search(checkpoint, *options))
    assert [path.name for path in Path().iterdir()] == ["ckpt"]


def test_images_of_another_number_of_classes_are_refused(checkpoint: Path) -> None:
    write_idx_folder(Path("images"), size=8)
    message = assert_is_message(search(checkpoint, "--dataset", "idx", "--data", "images"))
    assert "ckpt is for images of 10 classes, but these are of 3" in message


def test_file_that_is_no_checkpoint_is_refused(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert "ckpt is no checkpoint" in assert_is_message(search(checkpoint))


def test_a_byte_of_a_checkpoint_that_was_changed_is_told(checkpoint: Path) -> None:
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint.write_bytes(content)
    assert "ckpt is no checkpoint as it was written" in assert_is_message(search(checkpoint))


def test_another_search_needs_another_study(checkpoint: Path) -> None:
    assert search(checkpoint).exit_code == 0
    # Other weights.
    assert train("other", "--seed", 1).exit_code == 0
    message = assert_is_message(search("other"))
    assert "is about supernet, weights " in message
    assert "Choose another --study-name" in message
    message = assert_is_message(search(checkpoint, "--max", "params=20_000"))
    assert "max_params 20,000" in message
    message = assert_is_message(search(checkpoint, "--precision", "bfloat16"))
    assert "precision bfloat16" in message
    # Another space.
    assert train("wide", "--width", 2).exit_code == 0
    assert "Choose another --study-name" in assert_is_message(search("wide"))
    assert len(load().trials) == 3


@pytest.mark.parametrize("command", [[], ["train"], ["search"], ["retrain"], ["export"]])
def test_help(command: list[str]) -> None:
    result = run("supernet", *command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_unknown_command_is_a_message() -> None:
    assert "No such command 'win'" in assert_is_message(run("supernet", "win"))
