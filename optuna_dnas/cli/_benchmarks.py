"""What a search can be about."""

from dataclasses import dataclass
import os
from pathlib import Path
from typing import NamedTuple
from typing import TYPE_CHECKING

import click
from optuna.pruners import BasePruner
from optuna.pruners import SuccessiveHalvingPruner

from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.objectives import LATENCY
from optuna_dnas.objectives import NASBench101Objective
from optuna_dnas.objectives import NASBench101Table
from optuna_dnas.search_space import CostLimits


if TYPE_CHECKING:
    from optuna_dnas.objectives import LatencyConfig


BENCHMARKS = ("digits", "nasbench101")
N_TRIALS = {"digits": 100, "nasbench101": 150, "digits-trained": 20}
"""How many trials a command adds, by the study's name: about a minute's worth at most."""

table_argument = click.argument("table", required=False, type=click.Path(path_type=Path))
benchmark_option = click.option(
    "--benchmark",
    "benchmark_name",
    type=click.Choice(BENCHMARKS),
    show_default="digits, or nasbench101 if there is a TABLE",
    help="Which cells to search.",
)
"""Both are for `name_of` and `open_benchmark`."""

_NASBENCH101_VARIABLE = "OPTUNA_DNAS_NASBENCH101"
_NASBENCH101_URL = "https://storage.googleapis.com/nasbench/nasbench_only108.tfrecord"


class Bound(NamedTuple):
    """The most or the least of something that is allowed."""

    name: str
    number: float

    def __str__(self) -> str:
        """As a user types it."""
        number = int(self.number) if self.number.is_integer() else self.number
        return f"{self.name}={number}"


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What to optimise.

    Args:
        metrics: Their names.
        maxima: The most that is allowed.
        minima: The least that is allowed.
        latency_batch_size: Images of an inference; `None`: the default.

    Raises:
        click.UsageError: There are two bounds of one kind and name.
    """

    metrics: tuple[str, ...]
    maxima: tuple[Bound, ...] = ()
    minima: tuple[Bound, ...] = ()
    latency_batch_size: int | None = None

    def __post_init__(self) -> None:
        for option, bounds in (("--max", self.maxima), ("--min", self.minima)):
            names = [bound.name for bound in bounds]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise click.UsageError(f"{option} is given more than once of {twice[0]}.")

    @property
    def limits(self) -> CostLimits:
        """All of them together."""
        least, most = dict(self.minima), dict(self.maxima)
        return CostLimits({name: (least.get(name), most.get(name)) for name in most | least})

    @property
    def needs_latency(self) -> bool:
        """Whether something depends on it."""
        return LATENCY.name in (*self.metrics, *self.limits)

    def latency_config(self) -> "LatencyConfig":
        """How to measure it."""
        from optuna_dnas.objectives import LatencyConfig  # Imports torch.

        batch_size = self.latency_batch_size
        return LatencyConfig() if batch_size is None else LatencyConfig(batch_size=batch_size)


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Cells, and how to learn what they are worth.

    Args:
        name: Also the study's name, if the user gives none.
        description: For the user, one line.
        objective: Of the study.
        pruner: Of the study; `None`: the objective reports nothing to prune by.
        knows_costs: Whether its costs of a cell are those of the cell as it is proposed. The
            cells of NASBench-101 are written in any vertex order, on which costs depend a little.
    """

    name: str
    description: str
    objective: DigitsCellObjective | NASBench101Objective
    pruner: BasePruner | None = None
    knows_costs: bool


def name_of(benchmark_name: str | None, table: Path | None) -> str:
    """The digits are what is meant, unless a table is given."""
    return benchmark_name or ("digits" if table is None else "nasbench101")


def open_benchmark(
    name: str, table: Path | None, goal: Goal, *, train: bool, device: str
) -> Benchmark:
    """The benchmark that the arguments of a command mean.

    Args:
        name: Of `BENCHMARKS`.
        table: Of NASBench-101.
        goal: What to optimise.
        train: Train the digits' cells instead of looking them up.
        device: Where they are trained.

    Raises:
        click.UsageError: The arguments contradict each other, or the table is missing.
    """
    _check_train(goal, train)
    check_latency(goal)
    if name == "digits":
        if table is not None:
            raise click.UsageError(
                f"{table} is taken for a table of NASBench-101, and the digits come with the "
                "package: leave out the file, or --benchmark digits."
            )
        return _train_digits(goal, device) if train else _look_up_digits(goal)
    if train:
        raise click.UsageError("--train is for the digits: NASBench-101 is a table, no data.")
    return _open_nasbench101(table or _table_of_environment(), goal)


def check_latency(goal: Goal) -> None:
    """Raise `click.UsageError` if it says how to measure what nobody asks for."""
    if goal.latency_batch_size is not None and not goal.needs_latency:
        raise click.UsageError(
            f"--latency-batch-size {goal.latency_batch_size} needs --metric latency or "
            "--max latency=..."
        )


def _check_train(goal: Goal, train: bool) -> None:
    bounds = [("max", bound) for bound in goal.maxima] + [("min", bound) for bound in goal.minima]
    given = ["--metric latency"] if LATENCY.name in goal.metrics else []
    given += [f"--{side} {bound}" for side, bound in bounds if bound.name == LATENCY.name]
    if goal.latency_batch_size is not None:
        given.append(f"--latency-batch-size {goal.latency_batch_size}")
    if given and not train:
        raise click.UsageError(f"{given[0]} needs --train: latency is measured, no table has it.")


def _look_up_digits(goal: Goal) -> Benchmark:
    objective = DigitsCellObjective(metrics=goal.metrics, limits=goal.limits)
    return Benchmark(
        name="digits",
        description=(
            f"Searching the {len(objective.table):,} cells of at most 5 vertices. Each has been "
            "trained 3 times on scikit-learn's digits."
        ),
        objective=objective,
        knows_costs=True,
    )


def _train_digits(goal: Goal, device: str) -> Benchmark:
    return Benchmark(
        name="digits-trained",
        description="Training cells of at most 5 vertices on scikit-learn's digits.",
        objective=DigitsCellObjective(
            metrics=goal.metrics,
            limits=goal.limits,
            train=True,
            latency_config=goal.latency_config(),
            device=device,
        ),
        # Of 20 epochs; earlier than after 5 of them accuracies say little.
        pruner=SuccessiveHalvingPruner(min_resource=5, reduction_factor=2),
        knows_costs=True,
    )


def _open_nasbench101(path: Path, goal: Goal) -> Benchmark:
    objective = NASBench101Objective(
        NASBench101Table.open(path, progress=True), metrics=goal.metrics, limits=goal.limits
    )
    return Benchmark(
        name="nasbench101",
        description=f"Searching the {len(objective.table):,} cells of {path}.",
        objective=objective,
        knows_costs=False,
    )


def _table_of_environment() -> Path:
    path = os.environ.get(_NASBENCH101_VARIABLE)
    if not path:
        raise click.UsageError(
            "NASBench-101 needs its table, a file of 499 MB. Get it with\n"
            f"  curl -O {_NASBENCH101_URL}\n"
            f"and name it as TABLE or in the environment variable {_NASBENCH101_VARIABLE}."
        )
    return Path(path)
