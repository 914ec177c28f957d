"""The command that packs the lines of `build_digits` into the table of the package."""

from collections.abc import Callable
import itertools
import json
from pathlib import Path
import random
from typing import Any
import zipfile

from click.testing import CliRunner
import numpy as np
import pytest

from benchmarks.build_digits import Settings
from benchmarks.build_digits import shuffled_cells
from benchmarks.pack_digits import IncompleteError
from benchmarks.pack_digits import main
from benchmarks.pack_digits import pack
from benchmarks.pack_digits import read_table
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.objectives._digits_archive import write_archive
from optuna_dnas.objectives.training import TrainingConfig
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import NetworkShape


STOPS, N_IMAGES = ("halfway", "final"), {"train": 64, "validation": 100, "test": 1_633}
CELLS = shuffled_cells()[:20]
HEADER = Settings(
    config=TrainingConfig(stem_channels=4, n_stacks=1, epochs=1),
    seeds=(0, 5),
    data=(("n_train", 64), ("n_validation", 100)),
).header()
SPACE = NASBench101Space(
    max_vertices=5,
    network=NetworkShape(stem_channels=4, n_stacks=1, n_modules=1, image_size=8, image_channels=1),
)


def make_lines() -> list[dict[str, Any]]:
    """What training might have given."""
    rng = np.random.default_rng(0)
    lines = []
    for cell in CELLS:
        spec = ModelSpec.parse(cell)
        runs = [{"seed": seed} | {stop: accuracies(rng) for stop in STOPS} for seed in (0, 5)]
        cost = SPACE.cost(spec)
        line = {"hash": spec.hash(), "cell": cell, "flops": cost.flops, "params": cost.params}
        lines.append(line | {"runs": runs, "cpu_seconds": 1.0})
    return lines


def accuracies(rng: np.random.Generator) -> dict[str, float]:
    shares = {f"{part}_accuracy": int(rng.integers(n + 1)) / n for part, n in N_IMAGES.items()}
    return shares | {"training_time": rng.random()}


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    with path.open("wb") as file:
        write_archive(file, pack(HEADER, lines, CELLS))
    return path


def test_times_are_cpu_seconds(tmp_path: Path) -> None:
    """The clock decides where halfway is, and no more."""
    lines = make_lines()
    slow = make_lines()
    for line in slow:
        for run, stop in itertools.product(line["runs"], STOPS):
            run[stop]["training_time"] *= 3
    table = DigitsTable(write(tmp_path / "lines.npz", lines))
    same = DigitsTable(write(tmp_path / "slow.npz", slow))
    for line in lines:
        spec = ModelSpec.parse(line["cell"])
        for repeat, run in enumerate(line["runs"]):
            halfway, final = (
                table.query(spec, repeat=repeat, stop=stop).training_time for stop in STOPS
            )
            assert final == 0.5  # of one CPU second for two runs
            clock = run["halfway"]["training_time"] / run["final"]["training_time"]
            assert halfway / final == pytest.approx(clock, rel=1e-6)
    for stop in STOPS:
        times = [t.mean("training_time", stop=stop) for t in (table, same)]
        np.testing.assert_allclose(*times, rtol=1e-6)


def test_table_answers_with_the_numbers_of_the_lines(tmp_path: Path) -> None:
    table = DigitsTable(write(tmp_path / "digits.npz", make_lines()))
    assert len(table) == len(CELLS)
    for line in make_lines():
        spec = ModelSpec.parse(line["cell"])
        for repeat, run in enumerate(line["runs"]):
            for stop in STOPS:
                found = table.query(spec, repeat=repeat, stop=stop).by_name()
                del found["training_time"], run[stop]["training_time"]
                assert found == run[stop]
        assert table.query(spec).trainable_parameters == line["params"]
    flops = {line["hash"]: line["flops"] for line in make_lines()}
    assert table.mean("flops").tolist() == [flops[digest] for digest in sorted(flops)]


def test_settings_are_complete(tmp_path: Path) -> None:
    settings = DigitsTable(write(tmp_path / "digits.npz", make_lines())).settings
    assert TrainingConfig(**settings.config) == TrainingConfig(**HEADER["config"])
    assert settings.data == {"seed": 0, "n_train": 64, "n_validation": 100}
    assert settings.seeds == (0, 5)
    assert settings.network == SPACE.network
    assert settings.n_images == N_IMAGES
    assert (settings.torch, settings.cpu) == (HEADER["torch"], HEADER["cpu"])


def test_bytes_depend_on_nothing_but_the_lines(tmp_path: Path) -> None:
    lines = make_lines()
    first = write(tmp_path / "first.npz", lines)
    random.Random(0).shuffle(lines)
    second = write(tmp_path / "second.npz", lines)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines.pop(3), "^1 cells are missing, among them"),
        (lambda lines: lines.append(lines[3]), "is there twice"),
        (lambda lines: lines[3].update(hash="0" * 32), f"the hash {'0' * 32} is not of the table"),
        (lambda lines: lines[3].update(failure="The loss is nan."), "failed: The loss is nan"),
        (lambda lines: lines[3]["runs"].pop(), r"not trained with the seeds \(0, 5\)"),
        (lambda lines: lines[3].update(flops=7), r"costs .*, which is not what its line says"),
        (
            lambda lines: lines[3]["runs"][1]["final"].update(test_accuracy=0.3),
            "test accuracy 0.3 is no share of 1633 images",
        ),
    ],
)
def test_lines_that_make_no_table(
    change: Callable[[list[dict[str, Any]]], object], message: str
) -> None:
    lines = make_lines()
    change(lines)
    with pytest.raises(IncompleteError, match=message):
        pack(HEADER, lines, CELLS)


@pytest.mark.parametrize("name", ["config", "seeds", "data", "torch", "cpu"])
def test_setting_that_is_missing_is_named(name: str) -> None:
    header = {key: value for key, value in HEADER.items() if key != name}
    with pytest.raises(IncompleteError, match=f"The settings lack '{name}'"):
        pack(header, make_lines(), CELLS)


def test_option_of_the_training_that_is_missing_is_named() -> None:
    header = HEADER | {"config": {"epochs": 20}}
    with pytest.raises(IncompleteError, match="The settings lack 'stem_channels' of the training"):
        pack(header, make_lines(), CELLS)


def test_command_refuses_what_is_cut_or_a_part(tmp_path: Path) -> None:
    source, output = tmp_path / "digits.jsonl", tmp_path / "digits.npz"
    text = "".join(json.dumps(line) + "\n" for line in [HEADER, *make_lines()])
    for content, message in (
        (text[:-9], "line 21 is cut"),
        (text, "2512 cells are missing"),
        ("", "the file is empty"),
    ):
        source.write_text(content)
        done = CliRunner().invoke(main, [str(source), "--output", str(output)])
        assert done.exit_code == 1
        assert message in done.output
        assert not output.exists()
    source.write_text(text)
    assert read_table(source) == (HEADER, make_lines())
