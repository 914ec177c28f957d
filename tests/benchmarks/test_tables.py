"""Tables under several declarations say the same of the same architecture."""

import itertools
from pathlib import Path
from typing import Any

from click.testing import CliRunner
import numpy as np
import optuna
from optuna.trial import FixedTrial
import pytest

from benchmarks.user_studies import _tables
from benchmarks.user_studies._cases import CASES
from benchmarks.user_studies.across import main as across
from optuna_dnas.benchmarking import append_records
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.search_space import NASBENCH201_OPS


GNN_OPS = _tables._GNN_OPS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both tables; the value of a network tells what it is, whatever the order of its nodes."""
    rng = np.random.default_rng(0)
    ops = np.array(list(itertools.product(range(5), repeat=6)), dtype=np.uint8)
    np.savez(
        tmp_path / "nasbench201_cifar10.npz", ops=ops, validation_accuracy=rng.random(len(ops))
    )
    links = np.array([list(map(int, link.split("-"))) for link in _tables._GNN_LINKS])
    rows = np.array(list(itertools.product(range(9), range(3), range(3), range(3), range(3))))
    values = [_value(links[link], chosen) for link, *chosen in rows.tolist()]
    np.savez(tmp_path / "gnn_citeseer.npz", link_op=rows, links=links, validation_accuracy=values)
    monkeypatch.setenv(_tables.TABLES_VARIABLE, str(tmp_path))
    _tables._values.cache_clear()
    yield tmp_path
    _tables._values.cache_clear()


def _value(link: Any, ops: list[int]) -> float:
    """A sum over paths from the input, each with a weight of its own."""
    codes = [1.0]
    for source, op in zip(link, ops, strict=True):
        codes.append(codes[source] * (1.3 + 0.4 * op))
    return 50 + sum(codes[1:])


def test_edges_are_the_same_as_parts_and_as_a_graph(folder: Path) -> None:
    ops = dict(zip([(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)], "312004", strict=True))
    words = {edge: NASBENCH201_OPS[int(op)] for edge, op in ops.items()}
    as_parts = {f"edges_{k}": op for k, op in enumerate(words.values())}
    as_graph = {f"cell_{v}_from_{u}": op for (u, v), op in words.items()}
    values = {
        CASES[name](0)(FixedTrial(params))  # type: ignore[arg-type]
        for name, params in (
            ("nasbench201", as_parts),
            ("nasbench201-edges", as_parts),
            ("nasbench201-graph", as_graph),
        )
    }
    assert len(values) == 1


@pytest.mark.parametrize("seed", range(5))
def test_networks_are_the_same_as_parts_and_as_a_graph(folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs = [int(rng.integers(0, v)) for v in range(1, 5)]
    ops = rng.integers(0, 3, 4).tolist()
    params = {f"cell_{v}_op": GNN_OPS[op] for v, op in enumerate(ops, 1)}
    params |= {f"cell_{v}_input": str(u) for v, u in enumerate(inputs, 1) if v > 1}
    value = CASES["gnn-graph"](0)(FixedTrial(params))  # type: ignore[arg-type]
    assert value == pytest.approx(_value(inputs, ops))


def test_cells_have_the_values_of_their_table() -> None:
    table = DigitsTable.load()
    case = CASES["digits-graph"](0)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(case, n_trials=60)
    values = {round(100 * value, 6) for value in table.mean("validation_accuracy").tolist()}
    found = {round(trial.values[0], 6) for trial in study.trials}
    assert found <= values
    assert min(values) in found  # what is no cell
    assert case.optimum == pytest.approx(max(values))


def test_without_the_folder_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(_tables.TABLES_VARIABLE, raising=False)
    _tables._values.cache_clear()
    with pytest.raises(FileNotFoundError, match=_tables.TABLES_VARIABLE):
        CASES["gnn-parts"](0)


def test_declarations_are_compared_by_seed(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    regrets = {
        ("gnn-graph", "DNAS (space)"): [0.1, 0.2, 0.1, 0.2],
        ("gnn-parts", "DNAS"): [0.3, 0.4, 0.4, 0.3],
        ("gnn-parts", "TPE"): [0.1, 0.1, 0.0, 0.1],
    }
    records = [
        {"problem": problem, "sampler": sampler, "seed": seed, "optimum": 1.0}
        | {"queries": 100, "best": [1 - regret] * 100}
        for (problem, sampler), of_seeds in regrets.items()
        for seed, regret in enumerate(of_seeds)
    ]
    list(append_records(path, iter(records)))
    result = CliRunner().invoke(across, [str(path)])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()[2:]
    for line, rival, is_better in zip(lines, ("DNAS", "TPE"), (True, False), strict=True):
        start, *chances = line.removesuffix(" |").rsplit(" | ", 1)
        assert start == f"| gnn-graph (4) | 0.150, 0.150, 0.150 | gnn-parts, {rival}"
        assert all((float(p) < 0.05) == is_better for p in chances[0].split(", "))
