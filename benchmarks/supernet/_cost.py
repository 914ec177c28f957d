"""What an evaluation by shared weights costs, and what training from scratch does."""

from dataclasses import replace
from pathlib import Path
import tempfile
import time
from typing import NamedTuple

import numpy as np

from benchmarks.supernet._study import Experiment
from benchmarks.supernet._study import retrain_one
from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.search_space import MobileNetSpace


_N_ARCHITECTURES = 3


class Costs(NamedTuple):
    """Seconds for one architecture; on a CPU with one thread."""

    evaluation: float  # recalibration included
    training: float

    def __str__(self) -> str:
        share = self.evaluation / self.training
        return (
            f"An evaluation takes {self.evaluation:.2f} s, {share:.2%} of the "
            f"{self.training:.1f} s of training from scratch."
        )


def measure_costs(experiment: Experiment, config: RetrainConfig) -> Costs:
    """Evaluations of some architectures, and an epoch of training of each, times all epochs."""
    specs = MobileNetSpace(experiment.shape).sample(np.random.default_rng(2), _N_ARCHITECTURES)
    model = experiment.open_model()
    model.activate(specs[0])
    model.evaluate()  # It also reads the images.
    start = time.perf_counter()
    for spec in specs:
        model.activate(spec)
        model.evaluate()
    evaluation = (time.perf_counter() - start) / len(specs)
    short = replace(config, epochs=1, validation_interval=1)
    n_images = config.epochs * experiment.data.n_images("train")
    with tempfile.TemporaryDirectory() as folder:
        elsewhere = replace(experiment, directory=Path(folder))
        # Without validation, which comes once in a training.
        rates = [retrain_one(elsewhere, short, spec) for spec in specs]
    training = np.mean([n_images / rate for rate in rates])
    return Costs(evaluation, float(training))
