"""How long one ask takes, by the number of finished trials.

    python -m benchmarks.ask_time
    python -m benchmarks.ask_time --space categories --sampler DNAS --sampler TPE --trials 5000
    python -m benchmarks.ask_time --sampler DNAS --objectives 1 --objectives 2 --objectives 3

Studies lie in memory, and are filled with random trials before the sampler that is measured takes
over. An ask is ``study.ask`` and everything that the sampler decides for the trial at once
(``relative_params``), in CPU time of one thread. The first ask reads the whole study, and fits:
it is reported by itself. A declared space is NASBench-101 with values from a made-up function.
"""

import itertools
import time
from typing import Any
from typing import NamedTuple

import click
import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
from tqdm import tqdm

from benchmarks.contenders import CONTENDERS
from benchmarks.options import POSITIVE
from benchmarks.workers import map_unordered
from optuna_dnas._optuna_compat import suggest
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import SearchSpace


_SPACES: dict[str, tuple[SearchSpace[Any], bool]] = {  # Whether the sampler is told.
    "declared": (NASBench101Space(), True),
    "categories": (
        FlatSpace(
            {f"edge{i}": CategoricalDistribution((0, 1)) for i in range(21)}
            | {f"op{i}": CategoricalDistribution(("a", "b", "c")) for i in range(5)}
        ),
        False,
    ),
    "mixed": (
        FlatSpace(
            {
                "rate": FloatDistribution(1e-5, 1.0, log=True),
                "decay": FloatDistribution(1e-6, 0.1, log=True),
                "momentum": FloatDistribution(0.0, 1.0),
                "dropout": FloatDistribution(0.0, 0.6, step=0.1),
                "depth": IntDistribution(1, 12),
                "width": IntDistribution(8, 512, log=True),
                "optimizer": CategoricalDistribution(("sgd", "adam", "lion")),
                "activation": CategoricalDistribution(("relu", "gelu", "tanh", "silu")),
            }
        ),
        False,
    ),
}
_SAMPLERS = ("DNAS", "TPE", "GP")
# Each ask of GPSampler takes seconds beyond that.
_MAX_TRIALS = {"GP": 1_000}
_BASE = "TPE"


class Case(NamedTuple):
    """One line of the table."""

    space: str
    n_objectives: int
    n_trials: int
    sampler: str
    n_asks: int
    max_seconds: float


@click.command(context_settings={"show_default": True})
@click.option("--space", "spaces", type=click.Choice(list(_SPACES)), multiple=True)
@click.option("--sampler", "samplers", type=click.Choice(_SAMPLERS), multiple=True)
@click.option("--trials", "sizes", type=POSITIVE, multiple=True, default=(100, 1_000, 5_000))
@click.option("--objectives", "numbers", type=POSITIVE, multiple=True, default=(1,))
@click.option("--asks", type=POSITIVE, default=50, help="Measured asks.")
@click.option("--max-seconds", default=60.0, help="Fewer asks, once they have taken so long.")
def main(
    spaces: tuple[str, ...],
    samplers: tuple[str, ...],
    sizes: tuple[int, ...],
    numbers: tuple[int, ...],
    asks: int,
    max_seconds: float,
) -> None:
    """Print the times of an ask as a Markdown table."""
    cases = [
        Case(space, n_objectives, n_trials, sampler, asks, max_seconds)
        for space, n_objectives, n_trials, sampler in itertools.product(
            spaces or _SPACES, numbers, sizes, samplers or _SAMPLERS
        )
        if n_trials <= _MAX_TRIALS.get(sampler, n_trials)
    ]
    # Another process, so that NumPy and PyTorch have one thread.
    results = map_unordered(measure, cases, 1)
    times = dict(tqdm(results, total=len(cases), unit="case"))
    click.echo(format_table({case: times[case] for case in cases}))


def measure(case: Case) -> tuple[Case, list[float]]:
    """CPU seconds of each ask, the first one included."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space, is_declared = _SPACES[case.space]
    study = _filled_study(space, case.n_trials, case.n_objectives)
    study.sampler = CONTENDERS[case.sampler](0, space if is_declared else None)
    objective = _Objective(space, case.n_objectives)
    seconds: list[float] = []
    while len(seconds) <= case.n_asks and sum(seconds) < case.max_seconds:
        start = time.process_time()
        trial = study.ask()
        trial.relative_params  # noqa: B018
        seconds.append(time.process_time() - start)
        study.tell(trial, objective(trial))
    return case, seconds


def format_table(times: dict[Case, list[float]]) -> str:
    """A line a case; ratios are of the medians to TPE's in the same space."""
    lines = [
        "| space | objectives | trials | sampler | asks | median, ms | mean, ms | p99, ms "
        "| first, ms | / TPE |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for case, (first, *seconds) in times.items():
        median, p99 = np.quantile(seconds or [first], (0.5, 0.99)) * 1_000
        mean = np.mean(seconds or [first]) * 1_000
        base = times.get(case._replace(sampler=_BASE))
        ratio = "" if base is None else f"{median / np.median(base[1:]) / 1_000:.2f}"
        lines.append(
            f"| {case.space} | {case.n_objectives} | {case.n_trials:,} | {case.sampler} "
            f"| {len(seconds)} | {median:.1f} | {mean:.1f} | {p99:.1f} | {first * 1_000:.0f} "
            f"| {ratio} |"
        )
    return "\n".join(lines)


class _Objective:
    """Smooth functions of numbers and categories, with random weights."""

    def __init__(self, space: SearchSpace[Any], n_objectives: int) -> None:
        rng = np.random.default_rng(0)
        self._distributions = space.distributions
        self._flat = FlatSpace(self._distributions)
        shape = (2, n_objectives, len(self._distributions))
        self._centres, self._weights = rng.uniform(0.0, 1.0, shape)

    def __call__(self, trial: optuna.Trial) -> list[float]:
        return self.of_params({n: suggest(trial, n, d) for n, d in self._distributions.items()})

    def of_params(self, params: dict[str, object]) -> list[float]:
        tokens = self._flat.params_to_tokens([params])[0]
        values: list[float] = (self._weights * (tokens - self._centres) ** 2).sum(axis=1).tolist()
        return values


def _filled_study(space: SearchSpace[Any], n_trials: int, n_objectives: int) -> optuna.Study:
    study = optuna.create_study(directions=["minimize"] * n_objectives)
    objective = _Objective(space, n_objectives)
    architectures = space.sample(np.random.default_rng(0), n_trials)
    params = [space.architecture_to_params(a) for a in architectures]
    study.add_trials(
        optuna.create_trial(
            params=p, distributions=space.distributions, values=objective.of_params(p)
        )
        for p in params
    )
    return study


if __name__ == "__main__":
    main()
