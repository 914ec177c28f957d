"""What an evaluation by shared weights costs, and what training from scratch does."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
import tempfile
import time
from typing import NamedTuple

import numpy as np

from benchmarks.supernet._study import Experiment
from optuna_dnas.objectives.supernet import retrain
from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec


_N_ARCHITECTURES = 3


class Costs(NamedTuple):
    """Seconds for one architecture; on a CPU those of one thread."""

    evaluation: float  # recalibration included
    training: float

    def __str__(self) -> str:
        share = self.evaluation / self.training
        return (
            f"An evaluation takes {self.evaluation:.2f} s, {share:.2%} of the "
            f"{self.training:.0f} s of training from scratch."
        )


def measure_costs(experiment: Experiment, config: RetrainConfig) -> Costs:
    """Evaluations of some architectures, and an epoch of training of each, times all epochs."""
    specs = MobileNetSpace(experiment.shape).sample(np.random.default_rng(2), _N_ARCHITECTURES)
    model = experiment.open_model()
    model.activate(specs[0])
    model.evaluate()  # It also reads the images.
    clock = _clock(experiment)
    start = clock()
    for spec in specs:
        model.activate(spec)
        model.evaluate()
    evaluation = clock() - start
    # Validation and test come on top of one epoch and of two.
    epoch = _seconds_of_epochs(2, experiment, config, specs)
    epoch -= _seconds_of_epochs(1, experiment, config, specs)
    return Costs(evaluation / len(specs), config.epochs * epoch / len(specs))


def _seconds_of_epochs(
    n: int, experiment: Experiment, config: RetrainConfig, specs: list[MobileNetSpec]
) -> float:
    short = replace(config, epochs=n, validation_interval=n)
    clock = _clock(experiment)
    start = clock()
    with tempfile.TemporaryDirectory() as folder:
        for k, spec in enumerate(specs):
            retrain(
                experiment.shape,
                spec,
                experiment.data,
                short,
                Path(folder, str(k)),
                device=experiment.device,
                progress=False,
            )
    return clock() - start


def _clock(experiment: Experiment) -> Callable[[], float]:
    # The CPU's own time, so that other work does not count.
    return time.process_time if experiment.device == "cpu" else time.perf_counter
