"""``optuna-dnas supernet train``."""

from pathlib import Path
from typing import Any

import pytest

from optuna_dnas.objectives.supernet import TrainedSupernet
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import Stage
from tests.objectives.supernet.data.idx_files import write_idx_folder

from .command import assert_is_message
from .command import next_commands
from .command import run
from .supernets import N_NETWORKS
from .supernets import train


def test_training_says_what_there_is_to_search(folder: Path) -> None:
    result = train("ckpt")
    assert result.exit_code == 0, result.output
    assert [path.name for path in folder.iterdir()] == ["ckpt"]
    low, high = MobileNetSpace(TrainedSupernet.load("ckpt").shape).cost_range
    assert "8 x 8 pixels, 1 channel, 10 classes" in result.output
    assert "1,200 to train on, 300 to search by, 297 kept for the end" in result.output
    assert f"{N_NETWORKS} networks of at most 3 layers" in result.output
    assert f"{low.flops:,} to {high.flops:,} multiply-adds" in result.output
    assert f"{low.params:,} to {high.params:,} parameters" in result.output
    assert "images a second" in result.output
    # After two steps it knows nothing.
    assert "near the loss of a guess, 2.303" in result.output
    (search,) = next_commands(result.output)
    assert " ".join(search) == (
        "optuna-dnas supernet search --checkpoint ckpt --dataset digits "
        "--storage sqlite:///digits.db"
    )


def test_next_command_has_the_options_about_images(folder: Path) -> None:
    images = ["--validation-fraction", "0.5", "--split-seed", "3", "--augment"]
    result = train("my ckpt", *images)
    (search,) = next_commands(result.output)
    assert search[4:-2] == ["my ckpt", "--dataset", "digits", *images]


def test_training_again_goes_on_or_has_ended(folder: Path) -> None:
    assert train("one", steps=4).exit_code == 0
    before = Path("one").read_bytes()
    result = train("one", steps=4)
    assert result.exit_code == 0
    assert "images a second" not in result.output
    assert Path("one").read_bytes() == before


def test_options_are_those_of_config_and_shape(folder: Path) -> None:
    options: dict[str, Any] = {
        "--learning-rate": 0.02,
        "--accumulation": 2,
        "--sampling": "sandwich",
        "--seed": 5,
        "--width": 2,
        "--resolution": 12,
        "--ema-decay": 0.5,
    }
    result = train("ckpt", *(word for pair in options.items() for word in pair))
    assert result.exit_code == 0, result.output
    trained = TrainedSupernet.load("ckpt")
    config, shape = trained.config, trained.shape
    assert (config.learning_rate, config.n_accumulation, config.batch_size) == (0.02, 2, 32)
    assert (config.sampling, config.seed, config.ema_decay) == ("sandwich", 5, 0.5)
    assert (shape.width, shape.image_size) == (2, 12)
    assert shape.stages == (Stage(8, 1, 1), Stage(8, 2, 2))
    assert (shape.kernels, shape.expansions) == ((3, 5), (1, 2))


def test_presets_differ_where_no_option_says_otherwise(folder: Path) -> None:
    assert train("ckpt", "--imagenet").exit_code == 0
    config = TrainedSupernet.load("ckpt").config
    assert (config.learning_rate, config.batch_size, config.steps) == (0.5, 32, 2)


def test_space_of_imagenet_for_small_images(folder: Path) -> None:
    options = ["--steps", 1, "--batch-size", 2, "--width", 0.1, "--output", "ckpt"]
    result = run("supernet", "train", "--dataset", "digits", "--space", "imagenet", *options)
    assert result.exit_code == 0, result.output
    shape = TrainedSupernet.load("ckpt").shape
    assert shape.stages == MobileNetShape().stages
    assert "networks of at most 21 layers" in result.output


def test_idx_files(folder: Path) -> None:
    write_idx_folder(folder / "my images", suffix=".gz")
    words = ["--dataset", "idx", "--data", "my images"]
    result = run("supernet", "train", *words, "--steps", 1, "--batch-size", 8, "--output", "c")
    assert result.exit_code == 0, result.output
    assert "10 x 10 pixels, 1 channel, 3 classes; 54 to train on" in result.output
    assert next_commands(result.output)[0][5:9] == words


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "idx"], "needs the folder it is in"),
        (["--dataset", "idx", "--data", "nowhere"], "There is no folder nowhere"),
        (["--dataset", "imagefolder", "--data", "nowhere"], ""),
        (["--data", "here"], "takes none, but got here"),
        (["--dataset", "mnist"], "'digits', 'idx'"),
        (["--stages", "16"], "\"16x3/1 24x3/2\", but got '16'"),
        (["--stages", ""], "but got ''"),
        (["--kernels", "3;5"], "--kernels must be integers, such as 3,5, but got '3;5'"),
        (["--kernels", "4"], "`kernels` must be odd"),
        (["--resolution", "7"], "--resolution"),
        (["--steps", "0"], "--steps"),
        (["--sampling", "best"], "'uniform', 'fair', 'sandwich'"),
        (["--batch-size", "2000"], "`batch_size` must be at most 1200"),
        (["--batch-size", "33", "--accumulation", "2"], "`batch_size` must be 2 equal parts"),
        (["--device", "tpu"], "but got 'tpu'"),
        (["--output", "no/folder/ckpt"], "no/folder"),
        (["--learning-rate", "inf"], "`learning_rate` must be finite, but got inf"),
        (["--learning-rate", "nan"], "`learning_rate` must be positive, but got nan"),
        (["--weight-decay", "inf"], "`weight_decay` must be finite, but got inf"),
        (["--resolution", "100000"], "need 71,880 GB of memory, but the machine has"),
        (["--width", "1e300"], "`width` must make at most 1,048,576 channels"),
        (["--width", "inf"], "`width` must make at most 1,048,576 channels"),
        (["--width", "nan"], "`width` must be positive, but got nan"),
        (["--kernels", "999999999"], "`kernels` must be at most 15"),
        (["--expansions", "999999999"], "but got 1 of 8 and 64 channels and `expansions` of"),
        (["--stages", "16x99999999999999999999"], "`stages` must have at most 256 layers"),
        (["--stages", "99999999999999999999x1"], "`width` must make at most 1,048,576 channels"),
        (["--seed", "99999999999999999999"], "--seed"),
        (["--steps", "99999999999999999999"], "--steps"),
        (["--precision", "float16"], "`precision` must not be 'float16' on 'cpu'"),
    ],
)
def test_errors_are_messages(folder: Path, options: list[str], message: str) -> None:
    assert message in assert_is_message(train("ckpt", *options))
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["--steps", 3], "`steps` is 2, not 3"),
        (["--kernels", "3"], "`shape`"),
        (["--split-seed", 1], "`data`"),
        (["--learning-rate", 0.2], "`learning_rate` is 0.5, not 0.2"),
    ],
)
def test_checkpoint_of_another_training_is_kept(
    folder: Path, options: list[object], name: str
) -> None:
    assert train("ckpt").exit_code == 0
    before = Path("ckpt").read_bytes()
    message = assert_is_message(train("ckpt", *options))
    assert "ckpt holds another training" in message
    assert name in message
    assert Path("ckpt").read_bytes() == before


def test_output_that_is_something_else_is_kept(folder: Path) -> None:
    Path("notes.txt").write_text("important")
    assert "notes.txt is no checkpoint" in assert_is_message(train("notes.txt"))
    assert Path("notes.txt").read_text() == "important"


def test_loss_that_diverges_is_a_message(folder: Path) -> None:
    message = assert_is_message(train("ckpt", "--learning-rate", 1e30, steps=40))
    assert "A lower --learning-rate may help" in message


def test_log_files_have_lines_and_no_bar(folder: Path) -> None:
    """Here standard error is no terminal."""
    result = train("ckpt", steps=40)
    assert "\r" not in result.output
    assert len([line for line in result.stderr.splitlines() if "40/40" in line]) <= 1
    assert len(result.stderr.splitlines()) <= 3
