"""Known runs give known shares of a budget."""

from pathlib import Path
from typing import Any

from click.testing import CliRunner
import numpy as np
import pytest

from benchmarks.budget_problems import BUDGETS
from benchmarks.budget_use import budget_uses
from benchmarks.budget_use import draw
from benchmarks.budget_use import format_uses
from benchmarks.budget_use import main
from optuna_dnas.benchmarking import append_records
from tests.benchmarking.records import line


LIMIT = BUDGETS[25].max_flops


def run(sampler: str, seed: int, shares: list[float]) -> dict[str, Any]:
    """The best is the dearest one within the limit, of 20 queries."""
    shares = [0.1] * (20 - len(shares)) + shares
    values = [share if share <= 1 else 2.0 for share in shares]
    flops = [round(share * LIMIT) for share in shares]
    problem = "nasbench101-flops-25"
    return line(sampler, seed, values, problem=problem, values=values, flops=flops)


RUNS = [
    run("DNAS", 0, [0.6, 0.97, 0.99, 0.8]),
    run("DNAS", 1, [0.4, 0.97, 0.3, 1.2]),
    run("SemiNAS", 0, [0.4, 0.4, 0.4, 0.5]),
]


def test_shares_of_the_limit() -> None:
    dnas, seminas = budget_uses(RUNS, 20)
    assert (dnas.limit, dnas.sampler, seminas.sampler) == (LIMIT, "DNAS", "SemiNAS")
    np.testing.assert_allclose(dnas.found, [0.99, 0.97], atol=1e-6)
    np.testing.assert_allclose(seminas.evaluated, [[0.4, 0.4, 0.4, 0.5]], atol=1e-6)
    rows = [line.split(" | ") for line in format_uses([dnas], 0.05).splitlines()]
    assert rows[2][0].endswith(f"{LIMIT / 1e6:.0f}")
    # Between half and all: 4 and 1 of 4; within 5 %: 2 and 1; beyond: 0 and 1.
    means = [cell.split(" ±")[0].strip(" |") for cell in rows[2][3:]]
    assert [float(mean) for mean in means] == [98, 62, 38, 12]


def test_other_problems_and_shorter_runs_are_left_out() -> None:
    band = RUNS[0] | {"problem": "nasbench101-flops-10-25"}
    assert budget_uses([band, line("DNAS", 0, [1.0] * 20)], 20) == []
    assert budget_uses(RUNS, 21) == []


def test_command_prints_and_draws(tmp_path: Path) -> None:
    results, picture = tmp_path / "runs.jsonl", tmp_path / "use.html"
    list(append_records(results, RUNS))
    arguments = [str(results), "--queries", "20", "--plot", str(picture)]
    outcome = CliRunner().invoke(main, arguments)
    assert outcome.exit_code == 0, outcome.output
    assert outcome.output.count("SemiNAS") == 1
    assert picture.stat().st_size > 0
    missing = CliRunner().invoke(main, [str(results)])
    assert missing.exit_code == 1
    assert "nasbench101-flops-" in missing.output


def test_a_box_for_each_sampler_has_all_runs() -> None:
    pytest.importorskip("plotly")
    boxes = {trace.name: trace for trace in draw(budget_uses(RUNS, 20)).data}
    np.testing.assert_allclose(boxes["DNAS"].y, [99, 97], atol=1e-4)
    assert len(boxes["SemiNAS"].y) == 1
