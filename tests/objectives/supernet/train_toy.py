"""A training in a process of its own: ``python -m tests.objectives.supernet.train_toy``.

Arguments: ``supernet`` or ``network``; the checkpoint; a file that gets a line for each batch; the
parts into which each process divides its share of a step.
"""

from dataclasses import replace
from pathlib import Path
import sys

from optuna_dnas.objectives.supernet import retrain
from optuna_dnas.objectives.supernet import train_supernet

from .toy import LONG
from .toy import LONG_RETRAIN
from .toy import SHAPE
from .toy import SPEC
from .toy import WatchedImages


def main(kind: str, output: str, log: str, n_accumulation: int) -> None:
    with Path(log).open("a") as file:
        data = WatchedImages(lambda: print("batch", file=file, flush=True))
        if kind == "supernet":
            config = replace(LONG, n_accumulation=n_accumulation)
            train_supernet(SHAPE, data, config, output, progress=False)
        else:
            one_config = replace(LONG_RETRAIN, n_accumulation=n_accumulation)
            retrain(SHAPE, SPEC, data, one_config, output, progress=False)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
