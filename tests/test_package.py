"""What holds for the package as a whole."""

import ast
import importlib.metadata
from pathlib import Path
import subprocess
import sys

import pytest

import optuna_dnas
from optuna_dnas import DNASConfig


ROOT = Path(__file__).parents[1]
FOLDERS = ("optuna_dnas", "benchmarks", "examples", "tests")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def test_version_is_the_distributions() -> None:
    assert optuna_dnas.__version__ == importlib.metadata.version("optuna-dnas")


def test_import_leaves_torch_alone() -> None:
    code = "import sys, optuna_dnas, optuna_dnas.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, node.name


def test_paper_preset_is_the_papers() -> None:
    config = DNASConfig.paper()
    assert config.declared.n_startup_trials == 100
    assert config.declared.n_pseudo_labelled == 10_000
    assert config.declared.pool_strategies[0].n_elite == 3
    assert [s.source for s in config.declared.strategies] == ["gradient"]
    assert config.semi_supervised is not None
