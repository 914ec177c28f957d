import numpy as np
import pytest

from benchmarks.supernet._correlation import agreement
from benchmarks.supernet._table import format_table


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
