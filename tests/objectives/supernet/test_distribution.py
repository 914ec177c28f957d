"""Several processes compute what one does."""

from pathlib import Path
import subprocess
import sys

import pytest
import torch

from optuna_dnas.objectives.supernet._checkpoint import Checkpoint

from .train_toy import main


ROOT = Path(__file__).parents[3]
# On CPUs `accelerate launch` starts a single process, unless by MPI.
LAUNCH = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["supernet", "network"])
def test_two_processes_are_one_that_accumulates_two_parts(kind: str, tmp_path: Path) -> None:
    module = ["-m", "tests.objectives.supernet.train_toy"]
    arguments = [kind, str(tmp_path / "two"), str(tmp_path / "log"), "1", "12"]
    command = [sys.executable, "-m", *LAUNCH, *module, *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    main(kind, str(tmp_path / "one"), str(tmp_path / "log one"), 2, 12)
    assert (tmp_path / "log").read_text() == (tmp_path / "log one").read_text() == 24 * "batch\n"
    two, one = (Checkpoint.load(tmp_path / name, kind) for name in ("two", "one"))
    assert two.state["step"] == one.state["step"]
    torch.testing.assert_close(two.tensors["losses"], one.tensors["losses"], rtol=1e-4, atol=1e-5)
    assert two.tensors.keys() == one.tensors.keys()
    for name, tensor in one.tensors.items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(two.tensors[name], tensor, rtol=1e-3, atol=1e-4)
