"""Small cells and data that train within a moment."""

from typing import Any

import numpy as np

from optuna_dnas.objectives.training import TrainingConfig
from optuna_dnas.objectives.training import TrainingData
from optuna_dnas.search_space import ModelSpec


CONV3, CONV1, POOL = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"

CHAIN = ModelSpec.parse(f"{CONV3}|010/001/000")
SKIP = ModelSpec.parse(f"{CONV3},{POOL}|0111/0011/0001/0000")
WIDE = ModelSpec.parse(f"{CONV3},{CONV1},{POOL}|01110/00001/00001/00001/00000")
# Vertex 1 is as wide as the widest of where its edges go: the others truncate it.
TRUNCATED = ModelSpec.parse(
    f"{CONV1},{CONV3},{CONV3},{POOL},{CONV1}"
    "|0100001/0011000/0000110/0000001/0000001/0000001/0000000"
)
SPECS = [ModelSpec.parse("|01/00"), CHAIN, SKIP, WIDE, TRUNCATED]

QUICK = TrainingConfig(stem_channels=6, n_stacks=2, epochs=2, batch_size=16)


def stripes(n: int, seed: int, n_classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """(n, 6, 6) noisy images whose class is the row that is bright, and (n,) labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    images = rng.normal(0, 0.3, (n, 6, 6))
    images[np.arange(n), 2 * labels] += 1.0
    return images, labels


def toy_data(**options: Any) -> TrainingData:
    return TrainingData.from_arrays(stripes(64, 0), stripes(30, 1), **options)
