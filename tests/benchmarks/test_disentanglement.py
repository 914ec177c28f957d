import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner
import numpy as np
import pytest

from benchmarks import disentanglement
from benchmarks.disentanglement import _append
from benchmarks.disentanglement import format_concepts
from benchmarks.disentanglement import format_table
from benchmarks.disentanglement import main
from benchmarks.disentanglement import read_figures
from benchmarks.representations import PrincipalComponents
from optuna_dnas.search_space import NASBench101Space


ARGUMENTS = ["--representation", "PCA of the one-hot", "--cells", "60"]


def run(output: Path, *arguments: str) -> str:
    result = CliRunner().invoke(main, [*ARGUMENTS, "--output", str(output), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_figures_are_measured_once_and_printed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(tmp_path)
    assert "| PCA of the one-hot |" in first
    (record,) = read_figures(tmp_path / "figures.jsonl")
    assert 0 <= record["mig"] <= 1
    assert len(record["latents"]) == 16
    monkeypatch.setattr(disentanglement, "measure", None)
    assert run(tmp_path).splitlines()[-5:] == first.splitlines()[-5:]


def test_a_line_that_a_kill_has_cut_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "new" / "figures.jsonl"
    assert read_figures(path) == []
    _append(path, {"seed": 0})
    _append(path, {"seed": 1})
    path.write_text(path.read_text()[:-5])
    assert read_figures(path) == [{"seed": 0}]
    _append(path, {"seed": 2})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"seed": 0},
        {"seed": 2},
    ]


def figures() -> list[dict[str, Any]]:
    values = dict.fromkeys(disentanglement.COLUMNS, 0.25)
    found = {"latent": 3, "controls": "depth", "control": 0.9, "reach": 0.8, "purity": 0.95}
    concepts = {"number of layers": found, "operation": None}
    return [{"representation": "ours", "seed": s, **values, "concepts": concepts} for s in (0, 1)]


def test_the_table_has_a_row_for_each_latent_space() -> None:
    lines = format_table(figures()).splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("| ours | 0.25 |")


def test_concepts_without_a_latent_are_dashes() -> None:
    lines = format_concepts(figures()).splitlines()
    assert "| ours | 0 | number of layers | 3 | depth | 0.90 | 0.80 | 0.95 |" in lines
    assert "| ours | 1 | operation | - | - | - | - | - |" in lines


def test_all_principal_components_reconstruct() -> None:
    space = NASBench101Space(max_vertices=5)
    tokens = space.enumerate_tokens()
    rank = np.linalg.matrix_rank(space.vocabulary.one_hot(tokens).reshape(len(tokens), -1) - 0.5)
    whole = PrincipalComponents(space, tokens, int(rank) - 1)
    np.testing.assert_array_equal(whole.decode(whole.encode(tokens)), tokens)
    few = PrincipalComponents(space, tokens, 4)
    codes = few.encode(tokens)
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.cov(codes.T, bias=True), np.eye(4), atol=1e-9)
