"""The command that trains every small cell on digits goes on after a kill."""

from collections.abc import Iterator
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

import click
import numpy as np
import pytest

from benchmarks import build_digits
from benchmarks.build_digits import build
from benchmarks.build_digits import read_lines
from benchmarks.build_digits import Settings
from benchmarks.build_digits import shuffled_cells
from benchmarks.build_digits import statistics
from benchmarks.build_digits import train_cell
from optuna_dnas.objectives.training import TrainingConfig
from optuna_dnas.search_space import ModelSpec
from tests.killed import run_and_kill


ROOT = Path(build_digits.__file__).parents[1]
TINY = Settings(
    config=TrainingConfig(stem_channels=4, n_stacks=1, epochs=1),
    seeds=(0, 1),
    data=(("n_train", 64), ("n_validation", 100)),
)


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lines without training; the cells that were asked for."""
    asked: list[str] = []

    def fake(cells: list[str], *_: Any) -> Iterator[dict[str, Any]]:
        asked.extend(cells)
        yield from ({"cell": cell} for cell in cells)

    monkeypatch.setattr(build_digits, "train_cells", fake)
    return asked


def test_cells_are_all_and_always_in_the_same_order() -> None:
    cells = shuffled_cells()
    assert len({ModelSpec.parse(cell).hash() for cell in cells}) == len(cells) == 2_532
    assert cells == shuffled_cells()


def test_line_is_complete_and_repeatable() -> None:
    cell = shuffled_cells()[3]
    first, again = (train_cell(cell, TINY) for _ in range(2))
    assert first["hash"] == ModelSpec.parse(cell).hash()
    assert first["flops"] > first["params"] > 0
    assert [run["seed"] for run in first["runs"]] == [0, 1]
    for a, b in zip(first["runs"], again["runs"], strict=True):
        for stop in ("halfway", "final"):
            assert a[stop].pop("training_time") > 0
            assert b[stop].pop("training_time") > 0
        assert a == b


def test_divergence_is_a_line_too() -> None:
    config = TrainingConfig(stem_channels=4, n_stacks=1, epochs=2, learning_rate=1e30)
    line = train_cell("conv3x3-bn-relu|010/001/000", Settings(config=config, data=TINY.data))
    assert "in epoch" in line["failure"]
    assert "runs" not in line


def test_cut_line_is_trained_again(tmp_path: Path, instant: list[str]) -> None:
    output, cells = tmp_path / "digits.jsonl", shuffled_cells()[:5]
    assert build(output, cells[:4], TINY, 1) == 4
    text = output.read_text()
    output.write_text(text[:-7])
    instant.clear()
    assert build(output, cells, TINY, 1) == 2
    assert instant == cells[3:]
    header, lines = read_lines(output)
    assert header == TINY.header()
    assert [line["cell"] for line in lines] == cells
    assert build(output, cells, TINY, 1) == 0


def test_other_settings_are_refused(tmp_path: Path, instant: list[str]) -> None:
    output = tmp_path / "digits.jsonl"
    build(output, ["a"], TINY, 1)
    with pytest.raises(click.ClickException, match="made with other settings"):
        build(output, ["a"], Settings(), 1)


def test_statistics_are_those_of_the_lines() -> None:
    rng = np.random.default_rng(0)
    quality = np.linspace(0.5, 0.9, 40)
    runs = quality[:, None] + rng.normal(0, 1e-6, (40, 6))
    lines = [
        {
            "flops": 100 - k,
            "cpu_seconds": 2.0,
            "runs": [
                {
                    stop: {f"{part}_accuracy": s * a for part in ("train", "validation", "test")}
                    for stop, s in (("halfway", -0.5), ("final", 1.0))
                }
                for a in row
            ],
        }
        for k, row in enumerate(runs)
    ]
    found = statistics([*lines, {"failure": "diverged"}])
    assert (found["cells"], found["failed"]) == (41, 1)
    assert found["correlation_single_seeds"] == found["correlation_means_of_3"] == 1.0
    assert found["correlation_flops"] == found["correlation_halfway_final"] == -1.0
    assert found["best"] == pytest.approx(0.9, abs=1e-5)
    assert found["sd_of_seeds"] == pytest.approx(1e-6, rel=0.2)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="It reads /proc.")
def test_killed_run_goes_on(tmp_path: Path) -> None:
    output = tmp_path / "digits.jsonl"
    command = [sys.executable, "-m", "benchmarks.build_digits", "--output", str(output)]
    command += ["--cells", "12", "--seeds", "2", "--set", "epochs=4", "--data", "n_train=100"]
    run_and_kill(command, output, 4, folder=ROOT)
    n_before = output.read_text().count("\n") - 1
    assert n_before < 12

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"{12 - n_before} cells more" in done.stdout
    lines = [json.loads(text) for text in output.read_text().splitlines()[1:]]
    assert [line["cell"] for line in lines] == shuffled_cells()[:12]
