"""The commands of a supernet, in a shell, one after the other."""

import os
from pathlib import Path
import resource
import subprocess
import sys

import optuna
import pytest

from optuna_dnas.objectives.supernet import RetrainedNetwork


_PROGRAM = ("-c", "from optuna_dnas.cli import main; main()")
_MODULE = ("-m", "optuna_dnas")


def shell(command: str, program: tuple[str, str] = _PROGRAM) -> str:
    done = subprocess.run(
        [sys.executable, *program, "supernet", *command.split()],
        env=os.environ | {"COLUMNS": "100", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return done.stdout


def _cpu_seconds() -> float:
    """Of all commands so far: the machine may have other things to do."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_module_is_the_command(folder: Path) -> None:
    """Launchers of several processes start it."""
    assert "Usage: optuna-dnas supernet" in shell("--help", _MODULE)


@pytest.mark.slow
def test_digits_from_the_supernet_to_the_exported_network(folder: Path) -> None:
    start = _cpu_seconds()
    shell("train --dataset digits --steps 200 --output ckpt")
    shell("search --checkpoint ckpt --dataset digits --trials 30 --storage sqlite:///s.db")
    assert _cpu_seconds() - start < 120
    study = optuna.load_study(study_name="digits-supernet", storage="sqlite:///s.db")
    assert len(study.trials) == 30
    # So short a training tells them from chance, a tenth, and not much more.
    assert study.best_value > 0.15
    winner = "--storage sqlite:///s.db --study-name digits-supernet"
    shell(f"retrain {winner} --dataset digits --epochs 10 --output best")
    assert RetrainedNetwork.load("best").accuracies["test"].top1 > 0.8
    shell("export --network best --output exported")
    assert {"README.md", "card.json"} <= {path.name for path in Path("exported").iterdir()}
