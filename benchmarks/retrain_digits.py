"""Train some cells of the table of digits again, and compare.

python -m benchmarks.retrain_digits --cells 10 --seed 0
"""

from collections import defaultdict
from collections.abc import Iterator

import click
import numpy as np
from tqdm import tqdm

from benchmarks.build_digits import Settings
from benchmarks.build_digits import train_cell
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.objectives import TrainingConfig
from optuna_dnas.search_space import ModelSpec


STOPS = ("halfway", "final")
METRICS = ("train_accuracy", "validation_accuracy", "test_accuracy")


@click.command(context_settings={"show_default": True})
@click.option("--cells", "n_cells", default=10, help="Different ones, drawn at random.")
@click.option("--seed", default=0, help="Of this draw.")
def main(n_cells: int, seed: int) -> None:
    """Print how far each metric is from the table at most, over all cells and runs."""
    table = DigitsTable.load()
    chosen = np.random.default_rng(seed).choice(len(table), n_cells, replace=False)
    greatest: dict[str, float] = defaultdict(float)
    for index in tqdm(chosen, unit="cell"):
        for name, difference in differences(table, table.cell(index)):
            greatest[name] = max(greatest[name], difference)
    for name, difference in greatest.items():
        click.echo(f"{name:30} {difference:.4g}")


def differences(table: DigitsTable, spec: ModelSpec) -> Iterator[tuple[str, float]]:
    """The name of a metric and its distance from the table, for every run of a cell."""
    settings = table.settings
    line = train_cell(
        str(spec),
        Settings(
            config=TrainingConfig(**settings.config),
            seeds=settings.seeds,
            data=tuple(settings.data.items()),
        ),
    )
    for repeat, run in enumerate(line["runs"]):
        for stop in STOPS:
            known = table.query(spec, repeat=repeat, stop=stop)
            for metric in METRICS:
                yield f"{stop} {metric}", abs(run[stop][metric] - getattr(known, metric))


if __name__ == "__main__":
    main()
