"""Supernets of few small networks, as a user trains them."""

from pathlib import Path

from click.testing import Result

from .command import run


SPACE = ("--stages", "8x1/1 8x2/2", "--kernels", "3,5", "--expansions", "1,2")
"""Four choices a layer; one or two layers in the second stage."""
N_NETWORKS = 4 * (4 + 4 * 4)
STORAGE = "sqlite:///studies.db"
STUDY = "digits-supernet"


def train(output: object, *options: object, steps: int = 2) -> Result:
    return run(
        *("supernet", "train", "--dataset", "digits", *SPACE),
        *("--steps", steps, "--batch-size", 32, "--output", output, *options),
    )


def search(checkpoint: object, *options: object, n_trials: int = 3) -> Result:
    return run(
        *("supernet", "search", "--checkpoint", checkpoint, "--dataset", "digits"),
        *("--trials", n_trials, "--storage", STORAGE, "--seed", 0, *options),
    )


def retrain(output: object, *options: object, epochs: int = 1) -> Result:
    return run(
        *("supernet", "retrain", "--dataset", "digits", "--epochs", epochs),
        *("--output", output, *options),
    )


def trained(folder: Path) -> Path:
    """A checkpoint."""
    assert train(folder / "ckpt").exit_code == 0
    return folder / "ckpt"
