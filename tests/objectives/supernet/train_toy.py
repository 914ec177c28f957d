"""A training in a process of its own: ``python -m tests.objectives.supernet.train_toy``.

Arguments: ``supernet`` or ``network``; the checkpoint; a file that gets a line for each batch; the
parts into which each process divides its share of a step; the number of steps, in fours.
"""

from dataclasses import replace
from pathlib import Path
import sys

from optuna_dnas.objectives.supernet import retrain
from optuna_dnas.objectives.supernet import train_supernet

from .toy import MANY_EPOCHS
from .toy import MANY_STEPS
from .toy import SHAPE
from .toy import SPEC
from .toy import WatchedImages


def main(kind: str, output: str, log: str, n_accumulation: int, n_steps: int = 40) -> None:
    with Path(log).open("a") as file:
        data = WatchedImages(lambda: print("batch", file=file, flush=True))
        if kind == "supernet":
            config = replace(MANY_STEPS, n_accumulation=n_accumulation, steps=n_steps)
            train_supernet(SHAPE, data, config, output, progress=False)
        else:
            epochs = n_steps // 4
            one = replace(MANY_EPOCHS, n_accumulation=n_accumulation, epochs=epochs)
            retrain(SHAPE, SPEC, data, one, output, progress=False)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], *map(int, sys.argv[4:]))
