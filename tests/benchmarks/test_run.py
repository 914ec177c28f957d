"""Runs go on where they were stopped."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

from click.testing import CliRunner
import pytest

from benchmarks import run
from optuna_dnas.benchmarking import read_records
from tests.killed import run_and_kill


ROOT = Path(run.__file__).parents[1]
Run = tuple[str, str, int, int]
SAMPLERS = ("Random", "TPE")


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """No searches, and no processes; the runs that were asked for."""
    asked: list[Run] = []

    def fake(_: Callable[..., Any], runs: Iterable[Run], n_workers: int) -> Iterator[Any]:
        for problem, sampler, seed, queries in runs:
            asked.append((problem, sampler, seed, queries))
            yield {"problem": problem, "sampler": sampler, "seed": seed, "queries": queries}

    monkeypatch.setattr(run, "map_unordered", fake)
    return asked


def start(output: Path, *options: str) -> None:
    arguments = ["--problem", "mixed", "--queries", "5", "--output", str(output), *options]
    arguments += [word for sampler in SAMPLERS for word in ("--sampler", sampler)]
    result = CliRunner().invoke(run.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_samplers_take_turns(tmp_path: Path, instant: list[Run]) -> None:
    start(tmp_path / "results.jsonl", "--seeds", "3:5")
    assert [(sampler, seed) for _, sampler, seed, _ in instant] == [
        ("Random", 3),
        ("TPE", 3),
        ("Random", 4),
        ("TPE", 4),
    ]


def test_only_what_is_missing_is_run(tmp_path: Path, instant: list[Run]) -> None:
    output = tmp_path / "results.jsonl"
    start(output, "--seeds", "0:2")
    instant.clear()
    start(output, "--seeds", "0:3")
    assert [(sampler, seed) for _, sampler, seed, _ in instant] == [("Random", 2), ("TPE", 2)]
    start(output, "--seeds", "0:1", "--queries", "6")
    assert instant[2:] == [("mixed", "Random", 0, 6), ("mixed", "TPE", 0, 6)]


@pytest.mark.parametrize("n_cut", [1, 20])
def test_cut_line_is_run_again(tmp_path: Path, instant: list[Run], n_cut: int) -> None:
    output = tmp_path / "results.jsonl"
    start(output, "--seeds", "0:2")
    whole = output.read_text()
    output.write_text(whole[:-n_cut])
    assert len(read_records(output)) == 3
    instant.clear()
    start(output, "--seeds", "0:2")
    assert instant == [("mixed", "TPE", 1, 5)]
    assert output.read_text() == whole


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="It reads /proc.")
def test_killed_run_goes_on(tmp_path: Path) -> None:
    output = tmp_path / "results.jsonl"
    command = [sys.executable, "-m", "benchmarks.run", "--problem", "mixed", "--sampler", "TPE"]
    command += ["--seeds", "0:24", "--queries", "40", "--jobs", "2", "--output", str(output)]
    run_and_kill(command, output, 3, folder=ROOT)
    before = read_records(output)
    assert len(before) < 24

    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    runs = [json.loads(line) for line in output.read_text().splitlines()]
    assert runs[: len(before)] == before
    assert sorted(line["seed"] for line in runs) == list(range(24))
    assert all(line["optimum"] == 0.0 for line in runs)
    assert all(len(line["best"]) == 40 for line in runs)


@pytest.mark.parametrize("seeds", ["5", "3:3", "4:2", "a:b", "-1:3", ":"])
def test_wrong_seeds_are_a_message(tmp_path: Path, seeds: str) -> None:
    output = tmp_path / "results.jsonl"
    arguments = ["--problem", "mixed", "--sampler", "TPE", "--seeds", seeds]
    result = CliRunner().invoke(run.main, [*arguments, "--output", str(output)])
    assert result.exit_code == 2
    assert f"'{seeds}' is not FIRST:END" in result.output
    assert not output.exists()
