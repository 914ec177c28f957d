import os

import numpy as np
import pytest

from optuna_dnas.objectives._nasbench101_table import NASBench101Table

from .toy import CELLS


TABLE = os.environ.get("OPTUNA_DNAS_NASBENCH101")


@pytest.mark.slow
@pytest.mark.skipif(TABLE is None, reason="needs OPTUNA_DNAS_NASBENCH101, the path of the table")
def test_all_cells_of_the_table() -> None:
    assert TABLE is not None
    table = NASBench101Table.open(TABLE)
    cells = table._cells
    tokens = table.tokens(slice(None))
    canonical, valid = CELLS[7].canonicalize(tokens)
    assert valid.all()
    assert len(np.unique(canonical, axis=0)) == len(cells) == CELLS[7].size
    assert (table.mean("params") == cells["trainable_parameters"]).all()
    for index in np.random.default_rng(0).integers(0, len(cells), 200):
        (spec,) = CELLS[7].tokens_to_architectures(canonical[index : index + 1])
        assert bytes.fromhex(spec.hash()) == cells["hash"][index].tobytes()
