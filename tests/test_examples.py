"""The examples run as they are."""

import importlib.util
import os
from pathlib import Path
import re
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode


EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name.removesuffix(".py"), EXAMPLES / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
def test_own_space() -> None:
    *layers, norm, training, reached = run("own_space.py").splitlines()
    assert 1 <= len(layers) <= 6
    assert all(line.startswith(f"layers[{k}]: width ") for k, line in enumerate(layers))
    assert norm.startswith("norm: ")
    assert training.startswith("rate ")
    loss, accuracy = (float(part.split()[-1]) for part in reached.split(", "))
    assert loss < 0.12
    assert accuracy > 0.97


def test_costs_of_transformers_are_those_of_modules_that_are_built() -> None:
    """Multiply-adds as PyTorch counts them, which takes a multiply-add for two operations."""
    example = load("transformer.py")
    for architecture in example.SPACE.sample(np.random.default_rng(0), 25):
        network = example.Transformer(architecture)
        counted = example.cost(architecture)
        assert counted.params == sum(p.numel() for p in network.parameters())
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 8, 8))
        assert 2 * counted.flops == counter.get_total_flops()


@pytest.mark.slow
def test_transformer() -> None:
    *drawing, cost, reached = run("transformer.py").splitlines()
    assert drawing[0].startswith("embedding: ")
    assert drawing[1].startswith("layers[0]: heads ")
    assert int(cost.split()[0].replace(",", "")) <= 500_000
    loss, accuracy = (float(part.split()[-1]) for part in reached.split(", "))
    assert loss < 0.4  # 40 trials of transformers that train briefly
    assert accuracy > 0.86


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


@pytest.mark.slow
def test_supernet() -> None:
    *drawing, cost, accuracies = run("supernet.py").splitlines()
    assert drawing[0].startswith("stem")
    assert int(cost.split()[0].replace(",", "")) <= 600_000
    inherited, from_scratch, test = map(float, re.findall(r"\d\.\d+", accuracies))
    assert inherited > 0.8
    assert from_scratch > 0.9
    assert test > 0.9


@pytest.mark.slow
def test_modelopt_supernet() -> None:
    if importlib.util.find_spec("modelopt") is None:
        pytest.skip("nvidia-modelopt is not installed.")
    whole, best = (
        [float(number.replace(",", "")) for number in re.findall(r"\d[\d.,]*", line)]
        for line in run("modelopt_supernet.py").splitlines()[:2]
    )
    # Validation, test, multiply-adds, parameters.
    assert best[2] <= whole[2] / 2
    assert best[3] < whole[3]
    assert best[0] > whole[0] - 0.05
