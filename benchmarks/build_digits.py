"""Train every cell of at most 5 vertices on scikit-learn's digits.

python -m benchmarks.build_digits --output digits.jsonl --workers 2
python -m benchmarks.build_digits --pilot --cells 60 --seeds 6 --workers 2

The output has a line for the settings, then one for every cell. A run that was killed goes on
where it stood when it is started again; what it loses are the cells at work.
"""

import ast
from collections.abc import Iterator
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from functools import cache
from functools import partial
import json
from pathlib import Path
import time
from typing import Any

import click
import numpy as np
import torch
from tqdm import tqdm

from benchmarks.digits_statistics import correlation_of_runs
from benchmarks.digits_statistics import rank_correlation
from benchmarks.digits_statistics import spearman_brown
from benchmarks.workers import map_unordered
from optuna_dnas.objectives.training import DivergedError
from optuna_dnas.objectives.training import network_shape
from optuna_dnas.objectives.training import train
from optuna_dnas.objectives.training import TrainingConfig
from optuna_dnas.objectives.training import TrainingData
from optuna_dnas.objectives.training._device import cpu_kind
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space


_SHUFFLE_SEED = 0
_STOPS = ("halfway", "final")
_PARTS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that decides what the lines of a table say.

    Args:
        config: The training.
        seeds: Trained in one pass for every cell.
        data: Options of ``TrainingData.digits``.
    """

    config: TrainingConfig = field(default_factory=TrainingConfig)
    seeds: tuple[int, ...] = (0, 1, 2)
    data: tuple[tuple[str, int], ...] = ()

    def header(self) -> dict[str, Any]:
        """The first line."""
        text = json.dumps({**asdict(self), "torch": torch.__version__, "cpu": cpu_kind()})
        header: dict[str, Any] = json.loads(text)
        return header


def train_cell(text: str, settings: Settings, *, in_one_pass: bool = True) -> dict[str, Any]:
    """One line of the table."""
    data, spec = _digits(settings.data), ModelSpec.parse(text)
    space = NASBench101Space(network=network_shape(data, settings.config))
    line = {"hash": spec.hash(), "cell": text, **space.cost(spec)}
    passes = [settings.seeds] if in_one_pass else [(seed,) for seed in settings.seeds]
    start = time.process_time()
    try:
        results = [
            result
            for seeds in passes
            for result in train(spec, data, settings.config, seeds=seeds)
        ]
    except DivergedError as error:
        return line | {"failure": str(error)}
    runs = [
        {"seed": r.seed, "halfway": asdict(r.halfway), "final": asdict(r.final)} for r in results
    ]
    return line | {"runs": runs, "cpu_seconds": time.process_time() - start}


@cache
def _digits(options: tuple[tuple[str, int], ...]) -> TrainingData:
    return TrainingData.digits(**dict(options))


def shuffled_cells() -> list[str]:
    """The 2,532 cells, in an order of which every beginning is a random sample."""
    space = NASBench101Space(max_vertices=5)
    cells = [str(spec) for spec in space.tokens_to_architectures(space.enumerate_tokens())]
    np.random.default_rng(_SHUFFLE_SEED).shuffle(cells)
    return cells


def train_cells(
    cells: list[str], settings: Settings, n_workers: int, *, in_one_pass: bool = True
) -> Iterator[dict[str, Any]]:
    """Lines in the order in which they are ready, with a progress bar."""
    train = partial(train_cell, settings=settings, in_one_pass=in_one_pass)
    lines = map_unordered(train, cells, n_workers)
    yield from tqdm(lines, total=len(cells), unit="cell", smoothing=0.02)


def build(output: Path, cells: list[str], settings: Settings, n_workers: int) -> int:
    """Append what ``output`` lacks; the number of lines that it gained."""
    done = {line["cell"] for line in _repair(output, settings.header())}
    missing = [cell for cell in cells if cell not in done]
    with output.open("a", encoding="utf-8") as file:
        for line in train_cells(missing, settings, n_workers):
            file.write(json.dumps(line) + "\n")
            file.flush()
    return len(missing)


def read_lines(output: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The settings, and the lines of the cells."""
    header, *lines = [json.loads(text) for text in output.read_text("utf-8").splitlines()]
    return header, lines


def statistics(lines: list[dict[str, Any]]) -> dict[str, float]:
    """Whether the task discriminates; accuracies are of the validation part at the end."""
    kept = [line for line in lines if "runs" in line]
    halfway, final = (_accuracies(kept, stop, "validation") for stop in _STOPS)  # (N, S)
    test = _accuracies(kept, "final", "test")
    n_seeds = final.shape[1]
    means, half = final.mean(axis=1), n_seeds // 2
    single = correlation_of_runs(final)
    flops = np.array([line["flops"] for line in kept])
    first, second = (final[:, k::2][:, :half].mean(axis=1) for k in (0, 1))
    # Chosen by what the two means have in common: a part of one of them would bend the figure.
    top = np.argsort(-(first + second))[: len(kept) // 4]
    return {
        "cells": len(lines),
        "failed": len(lines) - len(kept),
        "cpu_seconds_per_cell": float(np.mean([line["cpu_seconds"] for line in kept])),
        "correlation_single_seeds": single,
        f"correlation_means_of_{half}": rank_correlation(first, second),
        f"correlation_means_of_{half}_in_best_quarter": rank_correlation(first[top], second[top]),
        "correlation_means_of_3_predicted": spearman_brown(single, 3),
        "correlation_validation_test": rank_correlation(means, test.mean(axis=1)),
        "correlation_halfway_final": rank_correlation(halfway.mean(axis=1), means),
        "correlation_flops": rank_correlation(flops, means),
        "worst": float(means.min()),
        "median": float(np.median(means)),
        "best": float(means.max()),
        "best_single_run": float(final.max()),
        "sd_of_cells": float(means.std()),
        "sd_of_seeds": float(np.sqrt(final.var(axis=1, ddof=1).mean())),
        "train_median": float(np.median(_accuracies(kept, "final", "train"))),
        "distinct_means": len(np.unique(means.round(9))),
    }


def _accuracies(lines: list[dict[str, Any]], stop: str, part: str) -> np.ndarray:
    name = f"{part}_accuracy"
    return np.array([[run[stop][name] for run in line["runs"]] for line in lines])


def _repair(output: Path, header: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines of an earlier run, without the last one if a kill has cut it."""
    text = output.read_text("utf-8") if output.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if not whole:
        output.write_text(json.dumps(header) + "\n", "utf-8")
        return []
    if whole != text:
        output.write_text(whole, "utf-8")
    found, lines = read_lines(output)
    if found != header:
        raise click.ClickException(f"{output} was made with other settings: {found}.")
    return lines


def _parse(settings: tuple[str, ...]) -> dict[str, Any]:
    """``("epochs=20", 'optimizer="sgd"')`` -> keyword arguments."""
    options = {}
    for text in settings:
        name, _, value = text.partition("=")
        try:
            options[name] = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            options[name] = value
    return options


@click.command(context_settings={"show_default": True})
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="JSON lines.")
@click.option("--cells", "n_cells", default=2_532, help="The first so many of the shuffled cells.")
@click.option("--seeds", "n_seeds", default=3, help="Trainings of a cell.")
@click.option("--workers", "n_workers", default=1, help="Processes, of one thread each.")
@click.option("--set", "config", multiple=True, help="Of TrainingConfig, such as epochs=20.")
@click.option("--data", multiple=True, help="Of TrainingData.digits, such as n_train=300.")
@click.option("--pilot", is_flag=True, help="Print statistics of the cells, and write nothing.")
@click.option("--one-by-one", is_flag=True, help="A pass for every seed, to compare times.")
def main(
    output: Path | None,
    n_cells: int,
    n_seeds: int,
    n_workers: int,
    config: tuple[str, ...],
    data: tuple[str, ...],
    pilot: bool,
    one_by_one: bool,
) -> None:
    """Train cells, or try out the settings on some of them."""
    if pilot == (output is not None):
        raise click.UsageError("Give either --output or --pilot.")
    settings = Settings(
        config=TrainingConfig(**_parse(config)),
        seeds=tuple(range(n_seeds)),
        data=tuple(_parse(data).items()),
    )
    cells = shuffled_cells()[:n_cells]
    if output is not None:
        gained = build(output, cells, settings, n_workers)
        click.echo(f"{output}: {gained} cells more.")
        return
    lines = list(train_cells(cells, settings, n_workers, in_one_pass=not one_by_one))
    for name, value in statistics(lines).items():
        click.echo(f"{name:36} {value:.4g}")


if __name__ == "__main__":
    main()
