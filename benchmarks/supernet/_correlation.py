"""Do inherited weights rank architectures as training from scratch does?

N: architectures.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import kendalltau

from benchmarks.supernet._study import Experiment
from optuna_dnas._typing import FloatArray
from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.search_space import MobileNetSpec


_N_RESAMPLES = 2_000


class Agreement(NamedTuple):
    """Kendall's tau, and 95 % of its bootstrap over architectures."""

    n_architectures: int
    tau: float
    low: float
    high: float


def correlate(
    experiment: Experiment, config: RetrainConfig, specs: Sequence[MobileNetSpec]
) -> Agreement:
    """Train architectures from scratch, unless that is done."""
    networks = experiment.retrain(specs, config)
    model = experiment.open_model()
    inherited = []
    for spec in specs:
        model.activate(spec)
        inherited.append(model.evaluate()["validation_accuracy"])
    from_scratch = [network.accuracies["validation"].top1 for network in networks]
    return agreement(np.array(inherited), np.array(from_scratch))


def agreement(
    inherited: FloatArray,  # (N,)
    from_scratch: FloatArray,  # (N,)
) -> Agreement:
    """Kendall's tau-b of two measurements of the same architectures."""
    rng = np.random.default_rng(0)
    n = len(inherited)
    resamples = rng.integers(0, n, (_N_RESAMPLES, n))
    taus = [kendalltau(inherited[rows], from_scratch[rows]).statistic for rows in resamples]
    low, high = np.nanquantile(taus, [0.025, 0.975])
    tau = float(kendalltau(inherited, from_scratch).statistic)
    return Agreement(n, tau, float(low), float(high))
