from pathlib import Path
import re

from click.testing import CliRunner
import numpy as np
import pytest

from benchmarks.supernet.__main__ import main
from benchmarks.supernet._correlation import agreement
from benchmarks.supernet._table import format_table
from optuna_dnas.benchmarking import read_records
from tests.objectives.supernet.data.idx_files import write_idx


def test_agreement_of_equal_orders_is_1_and_of_opposite_ones_minus_1() -> None:
    accuracies = np.linspace(0.5, 0.9, 20)
    assert agreement(accuracies, accuracies**2).tau == 1.0
    assert agreement(accuracies, 1 - accuracies).tau == -1.0


def test_the_interval_holds_the_estimate() -> None:
    rng = np.random.default_rng(0)
    scratch = rng.normal(size=30)
    found = agreement(scratch + rng.normal(size=30), scratch)
    assert found.n_architectures == 30
    assert found.low < found.tau < found.high


def test_a_row_is_the_mean_over_seeds_by_level_and_search() -> None:
    def record(seed: int, sampler: str, top1: float) -> dict[str, object]:
        return {
            "seed": seed,
            "max_flops": 2_000_000,
            "sampler": sampler,
            "inherited": 0.75,
            "top1": top1,
            "top5": 1.0,
            "params": 30_000,
            "flops": 1_500_000,
        }

    records = [record(0, "DNAS", 0.5), record(1, "DNAS", 0.7), record(0, "Random", 0.25)]
    lines = format_table(records).splitlines()
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["Random", "DNAS"]
    cells = [cell.strip() for cell in lines[3].split("|")[1:-1]]
    assert cells[0] == "2.000"
    assert cells[2] == "2"
    assert float(cells[4].split("±")[0]) == pytest.approx(40.0)


def _write_images(folder: Path) -> Path:
    """Of ten classes, 28 x 28 pixels, in which a row tells the class."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for stem, n in (("train", 600), ("t10k", 40)):
        labels = np.arange(n) % 10
        images = rng.integers(0, 100, (n, 28, 28))
        images[np.arange(n), 2 * labels + 4] += 150
        write_idx(folder / f"{stem}-images-idx3-ubyte", images)
        write_idx(folder / f"{stem}-labels-idx1-ubyte", labels)
    return folder


@pytest.mark.slow
def test_the_whole_experiment_runs_and_nothing_is_done_twice(tmp_path: Path) -> None:
    arguments = [str(_write_images(tmp_path / "images")), "--directory", str(tmp_path / "done")]
    small = {"steps": 20, "epochs": 1, "architectures": 3, "evaluations": 12}
    small |= {"validation-images": 100}
    arguments += [text for key, value in small.items() for text in (f"--{key}", str(value))]
    results = [
        CliRunner().invoke(main, [*arguments, "--seeds", "0:1"], catch_exceptions=False)
        for _ in range(2)
    ]
    # The first line is about time, which is measured anew.
    (costs, first), (_, second) = (result.stdout.split("\n", maxsplit=1) for result in results)
    assert re.fullmatch(r"An evaluation takes \S+ s, \S+% of the \S+ s of training.*", costs)
    assert first == second
    assert "accuracies of 3 architectures" in first
    rows = [line for line in first.splitlines() if line.startswith("|")][2:]
    assert [row.split("|")[2].strip() for row in rows] == 3 * ["Random", "SemiNAS", "DNAS"]
    searches = read_records(tmp_path / "done" / "searches.jsonl")
    assert len(searches) == 9
    for record in searches:
        assert record["flops"] <= record["max_flops"]
        assert record["inherited"] == max(record["values"])
        assert len(record["values"]) == 12
