"""How well predictors rank the cells of NASBench-101: Kendall's tau.

    python -m benchmarks.predictor_quality

Labels are the mean test accuracy of random unique cells; tau is between predicted and real mean
test accuracy of other ones. Both are drawn uniformly, and anew for every seed.

n: labelled cells, N: cells to rank, T: tokens, S: seeds.
"""

from collections.abc import Callable
from typing import NamedTuple

import click
import numpy as np
from scipy.stats import kendalltau
from tqdm import tqdm

from benchmarks.options import open_table
from benchmarks.options import POSITIVE
from benchmarks.options import seeds_option
from benchmarks.peers._mlp_ensemble import predict_by_ensemble
from benchmarks.peers._path_encoding import encode_paths
from benchmarks.workers import map_unordered
from optuna_dnas import DNASConfig
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.benchmarking import format_mean
from optuna_dnas.benchmarking import mean_and_error
from optuna_dnas.controller import EnsembleConfig
from optuna_dnas.controller import Labelled
from optuna_dnas.controller import make_controller
from optuna_dnas.controller import PredictorConfig
from optuna_dnas.objectives import NASBench101Table
from optuna_dnas.search_space import NASBench101Space


# With 100, 172 and 424 labels, as their authors and PINAT (Lu et al., 2023) published them.
PUBLISHED = {
    "NAO": (0.50, 0.57, 0.67),
    "D-VAE": (0.53, 0.55, 0.63),
    "GATES": (0.61, 0.66, 0.69),
    "PINAT, ranking loss": (0.72, 0.76, 0.81),
}
_N_LABELS = (100, 172, 424)


class Cells(NamedTuple):
    """Cells with their losses."""

    tokens: IntArray  # (N, T) canonical
    losses: FloatArray  # (N,) one minus the mean test accuracy


Ranking = Callable[[Cells, IntArray, np.random.Generator], FloatArray]
"""(n,) labelled cells and (N, T) new ones -> (N,) predicted losses, of any unit."""

_SPACE = NASBench101Space()


def _of_controller(predictor: PredictorConfig, *, with_descriptors: bool) -> Ranking:
    """The sampler's way from cells to predictions."""

    def rank(known: Cells, new: IntArray, rng: np.random.Generator) -> FloatArray:
        controller = make_controller(
            _SPACE,
            predictor=predictor,
            with_costs=False,
            with_tokens=False,
            with_descriptors=with_descriptors,
            config=None,
            semi_supervised=None,
            device="cpu",
        )
        observed = Labelled(known.tokens, known.losses[:, None], None)
        fitted = controller.fit(observed, rng=rng)
        predicted: FloatArray = fitted.objectives.predict(fitted.features(new))[0][:, 0]
        return predicted

    return rank


def _by_paths(known: Cells, new: IntArray, rng: np.random.Generator) -> FloatArray:
    """The predictor of BANANAS."""
    losses = (known.losses - known.losses.mean()) / known.losses.std()
    predicted = predict_by_ensemble(
        encode_paths(_SPACE, known.tokens),
        losses,
        encode_paths(_SPACE, new),
        seed=int(rng.integers(2**63)),
    )
    mean: FloatArray = predicted.mean(axis=0)
    return mean


_DEFAULT = DNASConfig().declared.predictor

PREDICTORS: dict[str, Ranking] = {
    "DNASSampler": _of_controller(_DEFAULT, with_descriptors=True),
    "DNASSampler, latent code only": _of_controller(_DEFAULT, with_descriptors=False),
    "ranking ensemble": _of_controller(EnsembleConfig(), with_descriptors=True),
    "ranking ensemble, latent code only": _of_controller(EnsembleConfig(), with_descriptors=False),
    "BANANAS": _by_paths,
}


@click.command(context_settings={"show_default": True})
@click.option("--labels", "sizes", type=POSITIVE, multiple=True, default=_N_LABELS)
@click.option("--cells", "n_new", type=POSITIVE, default=2_000, help="Other cells, to rank.")
@seeds_option("0:20")
@click.option("--jobs", type=POSITIVE, default=1, help="Processes.")
def main(sizes: tuple[int, ...], n_new: int, seeds: range, jobs: int) -> None:
    """Print a Markdown table: mean and standard error over the seeds."""
    tasks = [(seed, sizes, n_new) for seed in seeds]
    measured = list(tqdm(map_unordered(_measure, tasks, jobs), total=len(tasks), unit="seed"))
    taus = {name: np.array([of_seed[name] for of_seed in measured]) for name in PREDICTORS}
    click.echo(format_table(sizes, taus))


def _measure(task: tuple[int, tuple[int, ...], int]) -> dict[str, list[float]]:
    """Tau of every predictor, for each number of labels."""
    seed, sizes, n_new = task
    rng = np.random.default_rng(seed)
    cells = sample_cells(open_table(), max(sizes) + n_new, rng)
    return {
        name: [tau(rank, cells, n_labels, n_new, seed) for n_labels in sizes]
        for name, rank in PREDICTORS.items()
    }


def sample_cells(table: NASBench101Table, n: int, rng: np.random.Generator) -> Cells:
    """``n`` different cells."""
    rows = rng.choice(len(table), n, replace=False)
    canonical, _ = _SPACE.canonicalize(table.tokens(rows))
    return Cells(canonical, 1.0 - table.mean("test_accuracy")[rows])


def tau(rank: Ranking, cells: Cells, n_labels: int, n_new: int, seed: int) -> float:
    """Of the last ``n_new`` cells, after the first ``n_labels`` were seen."""
    known = Cells(cells.tokens[:n_labels], cells.losses[:n_labels])
    predicted = rank(known, cells.tokens[-n_new:], np.random.default_rng([seed, n_labels]))
    return float(kendalltau(predicted, cells.losses[-n_new:]).statistic)


def format_table(
    sizes: tuple[int, ...],
    taus: dict[str, FloatArray],  # (S, number of sizes) each
) -> str:
    """Markdown; the published figures below ours where we have the same numbers of labels."""
    rows = [["predictor", *(f"{n} labels" for n in sizes)]]
    rows.append(["---"] * len(rows[0]))
    for name, values in taus.items():
        means, errors = mean_and_error(values)
        rows.append([name, *map(format_mean, means.tolist(), errors.tolist())])
    for name, published in PUBLISHED.items():
        known = dict(zip(_N_LABELS, published, strict=True))
        rows.append([f"{name} (published)", *(_published(known.get(n)) for n in sizes)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _published(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
