"""Build the table of the problem `regression`: kernel ridge regression, really cross-validated.

    python -m benchmarks.build_regression

The data are scikit-learn's diabetes (442 patients, 10 measurements), the value is the mean
absolute error of five folds. Some minutes; the result is the same on every machine but for
rounding.
"""

from collections.abc import Callable
import itertools
from pathlib import Path

import click
import numpy as np
from sklearn.datasets import load_diabetes
from tqdm import tqdm

from benchmarks.flat_problems import REGRESSION_GRID
from benchmarks.flat_problems import REGRESSION_TABLE


_N_FOLDS = 5

_KERNELS: dict[str, Callable[[np.ndarray, np.ndarray, float], np.ndarray]] = {
    "rbf": lambda a, b, gamma: np.exp(-gamma * ((a[:, None] - b) ** 2).sum(axis=2)),
    "laplace": lambda a, b, gamma: np.exp(-gamma * np.abs(a[:, None] - b).sum(axis=2)),
    "quadratic": lambda a, b, gamma: (1 + gamma * a @ b.T) ** 2,
    "cubic": lambda a, b, gamma: (1 + gamma * a @ b.T) ** 3,
}
_SCALINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda x: x,
    "standard": lambda x: (x - x.mean(axis=0)) / x.std(axis=0),
    "range": lambda x: (x - x.min(axis=0)) / np.ptp(x, axis=0),
    "ranks": lambda x: x.argsort(axis=0).argsort(axis=0) / (len(x) - 1),
}
_TARGETS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], ...]] = {
    "plain": (lambda y: y, lambda y: y),
    "log": (np.log, lambda y: np.exp(np.minimum(y, 10))),
    "root": (np.sqrt, lambda y: np.maximum(y, 0) ** 2),
}


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=REGRESSION_TABLE)
def main(output: Path) -> None:
    """Build the table."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    fold = np.random.default_rng(0).permutation(len(y)) % _N_FOLDS
    grid = REGRESSION_GRID
    errors = np.empty([len(values) for values in grid.values()])
    points = list(itertools.product(*(enumerate(grid[n]) for n in ("kernel", "scaling"))))
    for (k, kernel), (s, scaling) in tqdm(points):
        scaled = _SCALINGS[scaling](x)
        scaled = scaled - scaled.mean(axis=0)
        axes = np.linalg.svd(scaled, full_matrices=False)[2]
        for c, n_components in enumerate(grid["components"]):
            inputs = scaled @ axes[:n_components].T
            for g, gamma in enumerate(grid["gamma"]):
                gram = _KERNELS[kernel](inputs, inputs, gamma / n_components)
                errors[k, s, :, c, g] = _cross_validate(gram, y, fold)
    np.savez_compressed(output, errors=errors.astype(np.float32))


def _cross_validate(gram: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """(N, N) kernel, (N,) targets, (N,) folds -> (targets, alphas) mean absolute errors."""
    alphas = np.array(REGRESSION_GRID["alpha"])
    transforms = [_TARGETS[name] for name in REGRESSION_GRID["target"]]
    errors = np.zeros((len(transforms), len(alphas)))
    for held_out in (fold == f for f in range(_N_FOLDS)):
        values, vectors = np.linalg.eigh(gram[np.ix_(~held_out, ~held_out)])
        onto = gram[np.ix_(held_out, ~held_out)] @ vectors  # (test, train)
        for t, (forward, backward) in enumerate(transforms):
            target = forward(y[~held_out])
            projected = vectors.T @ (target - target.mean())
            weights = projected / (np.maximum(values, 0) + alphas[:, None])  # (alphas, train)
            predicted = backward(onto @ weights.T + target.mean())  # (test, alphas)
            errors[t] += np.abs(predicted - y[held_out, None]).sum(axis=0)
    return errors / len(y)


if __name__ == "__main__":
    main()
