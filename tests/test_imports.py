"""What explains studies uses the public names of other packages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[1] / "optuna_dnas"
PACKAGES = ("interpret", "visualization", "explanation", "dashboard")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).glob("*.py"))]


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_private_modules_are_of_the_own_package(path: Path) -> None:
    for module in _imported(path):
        top, *parts = module.split(".")
        # What stands beside the packages, such as `_typing`, is for all of them.
        if top == "optuna_dnas" and len(parts) > 1 and parts[0] != path.parent.name:
            assert not parts[-1].startswith("_"), module
