"""The examples run as they are."""

import os
from pathlib import Path
import subprocess
import sys

import pytest


EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name: str, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_any_study() -> None:
    assert run("any_study.py").startswith("loss 0.0")


@pytest.mark.slow
def test_digits() -> None:
    rows = [line.split() for line in run("digits.py").splitlines()]
    front = [(float(accuracy), int(flops.replace(",", ""))) for accuracy, flops, _ in rows]
    assert len(front) > 1
    # More multiply-adds are on the front only if they give more.
    assert front == sorted(front, key=lambda point: point[1])
    assert front == sorted(front)


@pytest.mark.slow
def test_train_digits() -> None:
    lines = run("train_digits.py").splitlines()
    assert lines[0].startswith("validation 0.9")
    assert "multiply-adds" in lines[1]


def test_nasbench101() -> None:
    path = os.environ.get("OPTUNA_DNAS_NASBENCH101")
    if path is None:
        pytest.skip("OPTUNA_DNAS_NASBENCH101 names no NASBench-101 table.")
    output = run("nasbench101.py", path)
    assert "conv3x3" in output
    assert "validation 0.9" in output
