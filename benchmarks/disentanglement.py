"""How far latents are concepts: figures of latent spaces, beside those that they have to beat.

    python -m benchmarks.disentanglement --seeds 0:3

Weights and figures are kept in a folder: stop it and start it again as you like. With
`OPTUNA_DNAS_NASBENCH101` set to a table, the embedding of SemiNAS is compared, too.

N: architectures, D: latent dimensions, F: factors, S: seeds.
"""

from collections import defaultdict
from collections.abc import Iterator
import json
import os
from pathlib import Path
from typing import Any

import click
import numpy as np
from tqdm import tqdm

from benchmarks.options import POSITIVE
from benchmarks.options import seeds_option
from benchmarks.representations import Representation
from benchmarks.representations import REPRESENTATIONS
from benchmarks.representations import Request
from benchmarks.representations import training_tokens
from optuna_dnas.benchmarking import format_mean
from optuna_dnas.benchmarking import mean_and_error
from optuna_dnas.controller import ControllerConfig
from optuna_dnas.interpret import attribute_predictability
from optuna_dnas.interpret import basic_information
from optuna_dnas.interpret import controller_of
from optuna_dnas.interpret import dci
from optuna_dnas.interpret import information
from optuna_dnas.interpret import latent_controls
from optuna_dnas.interpret import latent_quality
from optuna_dnas.interpret import LatentControl
from optuna_dnas.interpret import LatentWithProbabilities
from optuna_dnas.interpret import mutual_information_gap
from optuna_dnas.interpret import separated_attribute_predictability
from optuna_dnas.interpret import ValidDecoding
from optuna_dnas.search_space import NASBench101Space


CONCEPTS = ("operation", "skip connection", "number of layers")
"""Those of the paper's Fig. 3."""

_N_BEST = 8  # Latents that know most, whose purity is averaged.
_SEED = 12_345  # Of the architectures that are measured.
_SPACE = NASBench101Space()

COLUMNS = {
    "reconstruction": "exact reconstruction",
    "validity": "valid",
    "repaired_validity": "valid, repaired",
    "uniqueness": "unique",
    "novelty": "novel",
    "mig": "MIG",
    "disentanglement": "DCI D",
    "completeness": "DCI C",
    "informativeness": "DCI I",
    "sap": "SAP",
    "purity": "purity",
    "purity_by_kind": "purity by kind",
}


@click.command(context_settings={"show_default": True})
@seeds_option("0:3")
@click.option(
    "--representation",
    "names",
    type=click.Choice(list(REPRESENTATIONS)),
    multiple=True,
    help="Only these; all by default.",
)
@click.option("--cells", "n_cells", type=POSITIVE, default=2_000, help="Architectures to measure.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("benchmarks/disentanglement")
)
def main(seeds: range, names: tuple[str, ...], n_cells: int, output: Path) -> None:
    """Print Markdown: figures by representation, and the latents that control a concept.

    Novel is what is not among the 20,000 architectures of training without guidance. Purity is
    that of the 8 latents that know most: the share of their traversals' steps that
    change exactly one factor, or one kind of factor. Means and standard errors are over seeds of
    the training; what is measured is always the same random architectures.
    """
    wanted = [(name, seed) for name, kind in _chosen(names) for seed in _seeds_of(kind, seeds)]
    path = output / "figures.jsonl"
    known = {(r["representation"], r["seed"], r["cells"]) for r in read_figures(path)}
    for name, seed in tqdm(wanted, unit="latent space"):
        if (name, seed, n_cells) not in known:
            _append(path, measure(_make(name, seed, output), name, seed, n_cells))
    figures = [
        r
        for r in read_figures(path)
        if (r["representation"], r["seed"]) in wanted and r["cells"] == n_cells
    ]
    click.echo(format_table(figures))
    click.echo("\n" + format_concepts(figures))


def _chosen(names: tuple[str, ...]) -> Iterator[tuple[str, Representation]]:
    has_table = "OPTUNA_DNAS_NASBENCH101" in os.environ
    for name, kind in REPRESENTATIONS.items():
        if (not names and (has_table or not kind.needs_table)) or name in names:
            yield name, kind


def _seeds_of(kind: Representation, seeds: range) -> range:
    return seeds if kind.has_seeds else range(1)


def _make(name: str, seed: int, output: Path) -> LatentWithProbabilities:
    kind = REPRESENTATIONS[name]
    with tqdm(total=kind.n_steps, unit="step", desc=f"{name}, seed {seed}", leave=False) as bar:

        def show(step: int, loss: float) -> None:
            bar.update(step - bar.n)

        return kind.make(Request(_SPACE, seed, output, show))


def measure(latent: LatentWithProbabilities, name: str, seed: int, n_cells: int) -> dict[str, Any]:
    """All figures of a latent space, as a record."""
    rng, model = np.random.default_rng(_SEED), _SPACE.factor_model
    tokens = _SPACE.sample_tokens(n_cells, rng)
    codes, factors = latent.encode(tokens), model.measure(tokens)
    basic = factors[:, model.basic]
    nominal = tuple(model.factors[f].is_nominal for f in model.basic)
    quality = latent_quality(
        latent,
        _SPACE,
        unseen=tokens,
        trained=training_tokens(_SPACE, ControllerConfig().n_cells),
        n_samples=n_cells,
        rng=rng,
    )
    controls = latent_controls(ValidDecoding(latent, _SPACE), model, codes, factors)
    best = controls[:_N_BEST]
    shared = basic_information(information(codes, factors), model)
    return {
        "representation": name,
        "seed": seed,
        "cells": n_cells,
        **quality._asdict(),
        **dci(codes, basic)._asdict(),
        "mig": mutual_information_gap(shared),
        "sap": separated_attribute_predictability(attribute_predictability(codes, basic, nominal)),
        "purity": _mean_of_known([c.purity for c in best]),
        "purity_by_kind": _mean_of_known([c.purity_by_kind for c in best]),
        "latents": [_to_record(c) for c in controls],
        "concepts": {kind: _concept(kind, controls) for kind in CONCEPTS},
    }


def read_figures(path: Path) -> list[dict[str, Any]]:
    """The records of a file, without a last line that a kill has cut; none if there is no file."""
    if not path.exists():
        return []
    whole, _, _ = path.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def format_table(figures: list[dict[str, Any]]) -> str:
    """Markdown: mean and standard error over the seeds."""
    by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in figures:
        by_name[record["representation"]].append(record)
    rows = [["latent space", *COLUMNS.values()], ["---"] * (1 + len(COLUMNS))]
    for name, records in by_name.items():
        values = np.array([[record[key] for key in COLUMNS] for record in records])  # (S, columns)
        means, errors = mean_and_error(values)
        rows.append([name, *map(_format, means.tolist(), errors.tolist())])
    return _to_markdown(rows)


def format_concepts(figures: list[dict[str, Any]]) -> str:
    """Markdown: for each concept of the paper the latent that controls it, or none."""
    rows = [
        ["latent space", "seed", "concept", "latent", "controls", "control", "reach", "purity"],
        ["---"] * 8,
    ]
    for record in figures:
        for concept, found in record["concepts"].items():
            cells = ["-"] * 5
            if found is not None:
                shares = [f"{found[key]:.2f}" for key in ("control", "reach", "purity")]
                cells = [str(found["latent"]), found["controls"], *shares]
            rows.append([record["representation"], str(record["seed"]), concept, *cells])
    return _to_markdown(rows)


def _mean_of_known(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _concept(kind: str, controls: list[LatentControl]) -> dict[str, Any] | None:
    best = controller_of(kind, controls)
    return None if best is None else _to_record(best)


def _to_record(control: LatentControl) -> dict[str, Any]:
    controls = control.controls
    return {
        "latent": control.latent,
        "knows": control.knows.name,
        "knowledge": control.knowledge,
        "controls": None if controls is None else controls.name,
        "control": control.control,
        "reach": control.reach,
        "purity": control.purity,
        "is_read_out": control.is_read_out,
    }


def _format(mean: float, error: float) -> str:
    """Without any step in its traversals a latent space has no purity."""
    return "-" if np.isnan(mean) else format_mean(mean, error)


def _append(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        kept = path.read_bytes().rpartition(b"\n")[0]
        file.truncate(len(kept) + 1 if kept else 0)
        file.write(json.dumps(record) + "\n")


def _to_markdown(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
