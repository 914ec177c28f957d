"""Pack what ``build_digits`` has written into the table that comes with the package.

python -m benchmarks.pack_digits digits.jsonl --output optuna_dnas/objectives/digits.npz
"""

from collections.abc import Iterable
from dataclasses import fields
import inspect
import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.build_digits import shuffled_cells
from optuna_dnas.objectives._cell_table import STOPS
from optuna_dnas.objectives._digits_archive import DigitsArchive
from optuna_dnas.objectives._digits_archive import DigitsSettings
from optuna_dnas.objectives._digits_archive import DTYPES
from optuna_dnas.objectives._digits_archive import PARTS
from optuna_dnas.objectives._digits_archive import write_archive
from optuna_dnas.objectives._stored_cell import CELL_DTYPE
from optuna_dnas.objectives._stored_cell import spec_to_cell
from optuna_dnas.objectives.training import network_shape
from optuna_dnas.objectives.training import TrainingConfig
from optuna_dnas.objectives.training import TrainingData
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space


Line = dict[str, Any]


class IncompleteError(click.ClickException):
    """The lines do not make a whole table; the message says what is wrong with which of them."""


def read_table(path: Path) -> tuple[Line, list[Line]]:
    """The settings, and the lines of the cells."""
    lines = []
    for number, text in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            lines.append(json.loads(text))
        except ValueError as error:
            raise IncompleteError(f"{path}: line {number} is cut: {error}") from None
    if not lines:
        raise IncompleteError(f"{path}: the file is empty.")
    return lines[0], lines[1:]


def pack(header: Line, lines: Iterable[Line], cells: Iterable[str]) -> DigitsArchive:
    """The archive of exactly these cells.

    Raises:
        IncompleteError: A cell is missing, one too many, or without results, or a line is not
            what the header promises.
    """
    settings = _settings(header)
    space = NASBench101Space(max_vertices=5, network=settings.network)
    by_hash = _index(lines, cells)
    ordered = [by_hash[digest] for digest in sorted(by_hash)]
    for line in ordered:
        _check_line(line, settings, space)
    runs = [[[run[stop] for stop in STOPS] for run in line["runs"]] for line in ordered]
    n_correct = [
        [[[_count(stop, part, settings) for part in PARTS] for stop in run] for run in cell]
        for cell in runs
    ]
    seconds = [_cpu_seconds(line) for line in ordered]
    stored = [spec_to_cell(ModelSpec.parse(line["cell"]), line["params"]) for line in ordered]
    return DigitsArchive(
        settings,
        cells=np.frombuffer(b"".join(stored), CELL_DTYPE),
        flops=np.array([line["flops"] for line in ordered], DTYPES["flops"]),
        n_correct=np.array(n_correct, DTYPES["n_correct"]),
        training_time=np.array(seconds, DTYPES["training_time"]),
    )


def _settings(header: Line) -> DigitsSettings:
    for name in ("config", "seeds", "data", "torch", "cpu"):
        if name not in header:
            raise IncompleteError(f"The settings lack {name!r}.")
    for field in fields(TrainingConfig):
        if field.name not in header["config"]:
            raise IncompleteError(f"The settings lack {field.name!r} of the training.")
    # Written out, so that a later default of theirs does not change what the table says.
    options = inspect.signature(TrainingData.digits).bind(**dict(header["data"]))
    options.apply_defaults()
    data = TrainingData.digits(**options.arguments)
    return DigitsSettings(
        config=header["config"],
        data=options.arguments,
        seeds=tuple(header["seeds"]),
        network=network_shape(data, TrainingConfig(**header["config"])),
        n_images={part: len(data.part(part)[1]) for part in PARTS},
        torch=header["torch"],
        cpu=header["cpu"],
    )


def _index(lines: Iterable[Line], cells: Iterable[str]) -> dict[str, Line]:
    """By hash, each of the cells once."""
    expected = {ModelSpec.parse(cell).hash(): cell for cell in cells}
    by_hash: dict[str, Line] = {}
    for line in lines:
        digest, cell = line["hash"], line["cell"]
        if digest in by_hash:
            raise IncompleteError(f"The cell {cell} is there twice.")
        if expected.get(digest) != cell:
            raise IncompleteError(f"The cell {cell} with the hash {digest} is not of the table.")
        by_hash[digest] = line
    missing = [cell for digest, cell in expected.items() if digest not in by_hash]
    if missing:
        raise IncompleteError(f"{len(missing)} cells are missing, among them {missing[0]}.")
    return by_hash


def _check_line(line: Line, settings: DigitsSettings, space: NASBench101Space) -> None:
    cell = line["cell"]
    if "failure" in line:
        raise IncompleteError(f"The cell {cell} has failed: {line['failure']}")
    if [run["seed"] for run in line["runs"]] != list(settings.seeds):
        raise IncompleteError(f"The cell {cell} was not trained with the seeds {settings.seeds}.")
    cost = dict(space.cost(ModelSpec.parse(cell)))
    if cost != {name: line[name] for name in cost}:
        raise IncompleteError(f"The cell {cell} costs {cost}, which is not what its line says.")


def _cpu_seconds(line: Line) -> list[list[float]]:
    """(R, 2) of each run until each stop. A clock would count what else the machine was doing.

    The runs of a pass have equal parts of it, and halfway is where the clock has it.
    """
    share = line["cpu_seconds"] / len(line["runs"])
    return [
        [share * run[stop]["training_time"] / run["final"]["training_time"] for stop in STOPS]
        for run in line["runs"]
    ]


def _count(metrics: dict[str, float], part: str, settings: DigitsSettings) -> int:
    """The images behind an accuracy."""
    accuracy, n = metrics[f"{part}_accuracy"], settings.n_images[part]
    count = round(accuracy * n)
    if count / n != accuracy:
        raise IncompleteError(f"The {part} accuracy {accuracy} is no share of {n} images.")
    return count


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), required=True)
def main(source: Path, output: Path) -> None:
    """Check the lines of SOURCE, and write the archive."""
    archive = pack(*read_table(source), shuffled_cells())
    with output.open("wb") as file:
        write_archive(file, archive)
    click.echo(f"{output}: {len(archive.cells)} cells, {output.stat().st_size:,} bytes.")


if __name__ == "__main__":
    main()
