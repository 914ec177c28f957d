"""Known values give a known table, and all four variants differ as they should."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner
import numpy as np
import pytest

from benchmarks import ablation
from benchmarks import run
from benchmarks.ablation import format_table
from benchmarks.ablation import top_means
from benchmarks.ablation import VARIANTS
from benchmarks.contenders import ablated
from benchmarks.contenders import CONTENDERS
from optuna_dnas import DNASConfig


Run = tuple[str, str, int, int]


def line(sampler: str, seed: int, values: list[float]) -> dict[str, Any]:
    return {
        "problem": "digits",
        "sampler": sampler,
        "seed": seed,
        "queries": len(values),
        "values": values,
    }


def test_mean_of_the_best_until_then() -> None:
    values = [[0.5, 0.9, 0.1, 1.0], [0.2, 0.3, 0.4, 0.0]]
    np.testing.assert_allclose(top_means(values, 3, 1), [0.9, 0.4])
    np.testing.assert_allclose(top_means(values, 3, 2), [0.7, 0.35])
    np.testing.assert_allclose(top_means(values, 9, 9), [0.625, 0.225])


def test_table_of_known_numbers() -> None:
    runs = [line("SemiNAS", 0, [0.5, 0.25]), line("SemiNAS", 1, [0.5, 0.75])]
    runs.append(line("DNAS (paper)", 0, [0.5, 0.25]))
    assert format_table(runs, [1, 2], 2).splitlines() == [
        "| Dense | Disentangled | runs | Top-1 at 1 queries, % | Top-2 at 1 queries, % "
        "| Top-1 at 2 queries, % | Top-2 at 2 queries, % |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "|  |  | 2 | 50 | 50 | 62 ± 12 | 50 ± 12 |",
        "| ✓ |  | 0 | - | - | - | - |",
        "|  | ✓ | 0 | - | - | - | - |",
        "| ✓ | ✓ | 1 | 50 | 50 | 50 | 37.5 |",
    ]


def test_each_variant_is_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Run] = []

    def fake(_: Callable[..., Any], runs: Iterable[Run], n_workers: int) -> Iterator[Any]:
        for problem, sampler, seed, queries in runs:
            asked.append((problem, sampler, seed, queries))
            yield line(sampler, seed, [0.5] * queries)

    monkeypatch.setattr(run, "map_unordered", fake)
    output = tmp_path / "folder" / "ablation.jsonl"
    arguments = ["--problem", "digits", "--seeds", "0:2", "--at", "20", "--at", "30"]
    for _ in range(2):
        result = CliRunner().invoke(ablation.main, [*arguments, "--output", str(output)])
        assert result.exit_code == 0, result.output
        assert result.output.count("| 2 | 50 | 50 | 50 | 50 |") == len(VARIANTS)
        assert len(asked) == 2 * len(VARIANTS)
    assert {queries for *_, queries in asked} == {30}


def test_variants_are_contenders() -> None:
    assert {variant.sampler for variant in VARIANTS} <= CONTENDERS.keys()
    assert len({variant[1:] for variant in VARIANTS}) == len(VARIANTS)


def test_variants_differ_in_what_they_lack() -> None:
    paper = DNASConfig.paper()
    assert ablated(dense=True, disentangled=True) == paper
    loose = ablated(dense=False, disentangled=True)
    assert loose.semi_supervised == paper.semi_supervised
    assert loose.declared.strategies == paper.declared.strategies
    assert "dense" not in {s.source for s in loose.declared.pool_strategies}
    entangled = ablated(dense=True, disentangled=False)
    assert entangled.declared.pool_strategies == paper.declared.pool_strategies
    assert entangled.semi_supervised is not None
    assert entangled.semi_supervised.kl_weight == 0
    neither = ablated(dense=False, disentangled=False)
    assert neither.declared.pool_strategies == loose.declared.pool_strategies
    assert neither.semi_supervised == entangled.semi_supervised
