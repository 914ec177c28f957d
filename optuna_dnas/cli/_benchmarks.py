"""What a search can be about."""

from dataclasses import dataclass
import os
from pathlib import Path
from typing import Any
from typing import TYPE_CHECKING

import click
from optuna.pruners import BasePruner
from optuna.pruners import SuccessiveHalvingPruner

from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.objectives import NASBench101Objective
from optuna_dnas.objectives import NASBench101Table
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import LIMIT_KEYS


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


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What to optimise.

    Args:
        metrics: Their names.
        max_flops: The most multiply-adds allowed; `None`: any number.
        max_params: The most parameters allowed.
        min_flops: The least multiply-adds allowed.
        min_params: The least parameters allowed.
        max_latency: The most milliseconds of an inference allowed.
        latency_batch_size: Images of an inference; `None`: the default.
    """

    metrics: tuple[str, ...]
    max_flops: float | None = None
    max_params: float | None = None
    min_flops: float | None = None
    min_params: float | None = None
    max_latency: float | None = None
    latency_batch_size: int | None = None

    @property
    def limits(self) -> CostLimits:
        """Of costs, all of them together."""
        return CostLimits.by_name(**self._bounds())

    @property
    def about_costs(self) -> dict[str, Any]:
        """Arguments of objectives, without those for latency."""
        return {"metrics": self.metrics} | self._bounds()

    @property
    def needs_latency(self) -> bool:
        """Whether something depends on it."""
        return "latency" in self.metrics or self.max_latency is not None

    def latency_config(self) -> "LatencyConfig":
        """How to measure it."""
        from optuna_dnas.objectives import LatencyConfig  # Imports torch.

        batch_size = self.latency_batch_size
        return LatencyConfig() if batch_size is None else LatencyConfig(batch_size=batch_size)

    def _bounds(self) -> dict[str, float | None]:
        return {key: getattr(self, key) for key in LIMIT_KEYS}


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
            "--max-latency."
        )


def _check_train(goal: Goal, train: bool) -> None:
    options = {
        "--metric latency": "latency" in goal.metrics,
        f"--max-latency {goal.max_latency}": goal.max_latency is not None,
        f"--latency-batch-size {goal.latency_batch_size}": goal.latency_batch_size is not None,
    }
    given = [option for option, is_given in options.items() if is_given]
    if given and not train:
        raise click.UsageError(f"{given[0]} needs --train: latency is measured, no table has it.")


def _look_up_digits(goal: Goal) -> Benchmark:
    objective = DigitsCellObjective(**goal.about_costs)
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
            **goal.about_costs,
            train=True,
            max_latency=goal.max_latency,
            latency_config=goal.latency_config(),
            device=device,
        ),
        # Of 20 epochs; earlier than after 5 of them accuracies say little.
        pruner=SuccessiveHalvingPruner(min_resource=5, reduction_factor=2),
        knows_costs=True,
    )


def _open_nasbench101(path: Path, goal: Goal) -> Benchmark:
    objective = NASBench101Objective(
        NASBench101Table.open(path, progress=True), **goal.about_costs
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
