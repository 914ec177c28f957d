"""Tau is measured as it should be, on made-up losses; the table is the one of known numbers."""

import numpy as np
import pytest

from benchmarks.predictor_quality import Cells
from benchmarks.predictor_quality import format_table
from benchmarks.predictor_quality import PREDICTORS
from benchmarks.predictor_quality import Ranking
from benchmarks.predictor_quality import tau
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.search_space import NASBench101Space


SPACE = NASBench101Space()


@pytest.fixture(scope="module")
def cells() -> Cells:
    """The more 3x3 convolutions and the fewer poolings, the better."""
    tokens = SPACE.sample_tokens(160, np.random.default_rng(0))
    ops = tokens[:, 21:]
    return Cells(tokens, 0.3 - 0.02 * (ops == 0).sum(axis=1) + 0.01 * (ops == 2).sum(axis=1))


@pytest.mark.parametrize("name", PREDICTORS)
def test_predictors_rank_unseen_cells(cells: Cells, name: str) -> None:
    assert tau(PREDICTORS[name], cells, 60, 100, seed=0) > 0.1


def test_tau_sees_the_first_cells_and_ranks_the_last(cells: Cells) -> None:
    def oracle(sign: float) -> Ranking:
        def rank(known: Cells, new: IntArray, rng: np.random.Generator) -> FloatArray:
            np.testing.assert_array_equal(known.losses, cells.losses[:5])
            np.testing.assert_array_equal(new, cells.tokens[-50:])
            return sign * cells.losses[-50:]

        return rank

    assert tau(oracle(2.0), cells, 5, 50, seed=0) == pytest.approx(1)
    assert tau(oracle(-1.0), cells, 5, 50, seed=0) == pytest.approx(-1)


def test_table_of_known_numbers() -> None:
    taus = {"ours": np.array([[0.7, 0.8], [0.72, 0.86]])}
    table = format_table((100, 50), taus).splitlines()
    assert table[:4] == [
        "| predictor | 100 labels | 50 labels |",
        "| --- | --- | --- |",
        "| ours | 0.710 ± 0.010 | 0.830 ± 0.030 |",
        "| NAO (published) | 0.50 | - |",
    ]
    assert "| ours | 0.7 | 0.8 |" in format_table((100, 50), {"ours": np.array([[0.7, 0.8]])})
