"""Several processes compute what one does."""

from pathlib import Path
import subprocess
import sys

import pytest
import torch

from optuna_dnas.objectives.supernet._checkpoint import Checkpoint

from .train_toy import main


ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["supernet", "network"])
def test_two_processes_are_one_that_accumulates_two_parts(kind: str, tmp_path: Path) -> None:
    launch = ["accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--num_cpu_threads_per_process", "1", "--main_process_port", "0"]
    module = ["-m", "tests.objectives.supernet.train_toy"]
    arguments = [kind, str(tmp_path / "two"), str(tmp_path / "log"), "1"]
    command = [sys.executable, "-m", *launch, *module, *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    main(kind, str(tmp_path / "one"), str(tmp_path / "log 1"), 2)
    two, one = (Checkpoint.load(tmp_path / name, kind) for name in ("two", "one"))
    assert two.state["step"] == one.state["step"]
    torch.testing.assert_close(two.tensors["losses"], one.tensors["losses"], rtol=1e-4, atol=1e-5)
    assert two.tensors.keys() == one.tensors.keys()
    for name, tensor in one.tensors.items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(two.tensors[name], tensor, rtol=1e-3, atol=1e-4)
