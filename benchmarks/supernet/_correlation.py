"""Do inherited weights rank architectures as training from scratch does?

N: architectures.
"""

from typing import Any
from typing import NamedTuple

import numpy as np
from scipy.stats import kendalltau
from tqdm import tqdm

from benchmarks.supernet._study import Experiment
from optuna_dnas._typing import FloatArray
from optuna_dnas.benchmarking import append_records
from optuna_dnas.benchmarking import read_records
from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.search_space import MobileNetSpace


_N_RESAMPLES = 2_000


class Agreement(NamedTuple):
    """Kendall's tau, and 95 % of its bootstrap over architectures."""

    n_architectures: int
    tau: float
    low: float
    high: float


def correlate(experiment: Experiment, config: RetrainConfig, n_architectures: int) -> Agreement:
    """Train uniform architectures from scratch; those that are done already are read."""
    output = experiment.directory / "correlation.jsonl"
    space = MobileNetSpace(experiment.shape)
    specs = space.sample(np.random.default_rng(1), n_architectures)
    done = {record["architecture"] for record in read_records(output)}
    missing = [spec for spec in specs if str(spec) not in done]
    model = experiment.open_model()

    def records() -> Any:
        for spec in tqdm(missing, unit="architecture"):
            model.activate(spec)
            inherited = model.evaluate()["validation_accuracy"]
            network = experiment.retrain(spec, config)
            yield {
                "architecture": str(spec),
                "flops": space.cost(spec).flops,
                "inherited": inherited,
                "from_scratch": network.accuracies["validation"].top1,
            }

    for _ in append_records(output, records()):
        pass
    known = {record["architecture"]: record for record in read_records(output)}
    rows = [known[str(spec)] for spec in specs]
    return agreement(
        np.array([row["inherited"] for row in rows]),
        np.array([row["from_scratch"] for row in rows]),
    )


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
