import os

import numpy as np
import pytest

from optuna_dnas.objectives._nasbench101_table import NASBench101Table

from .toy import ABSENT
from .toy import CELLS


TABLE = os.environ.get("OPTUNA_DNAS_NASBENCH101")


@pytest.mark.slow
@pytest.mark.skipif(TABLE is None, reason="needs OPTUNA_DNAS_NASBENCH101, the path of the table")
def test_all_cells_of_the_table() -> None:
    assert TABLE is not None
    cells = NASBench101Table.open(TABLE)._cells
    tokens = table_tokens(cells)
    canonical, valid = CELLS[7].canonicalize(tokens)
    assert valid.all()
    assert len(np.unique(canonical, axis=0)) == len(cells) == CELLS[7].size
    n_different = 0
    for start in range(0, len(cells), 10_000):
        rows = slice(start, start + 10_000)
        params = CELLS[7].token_costs(tokens[rows])[:, 1]
        n_different += int((params != cells["trainable_parameters"][rows]).sum())
    assert n_different == 0
    for index in np.random.default_rng(0).integers(0, len(cells), 200):
        (spec,) = CELLS[7].tokens_to_architectures(canonical[index : index + 1])
        assert bytes.fromhex(spec.hash()) == cells["hash"][index].tobytes()


def table_tokens(cells: np.ndarray) -> np.ndarray:
    """Cells of the store -> (N, 26) tokens as written, the output moved to the last slot."""
    n_vertices = cells["n_vertices"].astype(int)
    adjacency = np.zeros((len(cells), 7, 7), dtype=np.int64)
    rows = np.arange(len(cells))
    for j in range(1, 7):
        slot = np.where(j == n_vertices - 1, 6, j)
        for i in range(j):
            adjacency[rows, i, slot] |= cells["adjacency"] >> (i + j * (j - 1) // 2) & 1
    edges = [adjacency[:, i, j] for j in range(1, 7) for i in range(j)]
    ops = np.minimum(cells["ops"].astype(np.int64), ABSENT)
    return np.concatenate([np.stack(edges, axis=1), ops], axis=1)
