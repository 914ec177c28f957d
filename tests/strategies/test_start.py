"""The first architectures, before there is a model."""

from dataclasses import replace

import numpy as np

from optuna_dnas.search_space import CostLimits
from optuna_dnas.strategies._start import radical_inverse

from .toy import CELLS
from .toy import heavy
from .toy import QUEUE
from .toy import Run


def both_costs(tokens: np.ndarray) -> np.ndarray:
    return CELLS.token_costs(tokens)


def test_radical_inverses_fill_the_interval_evenly() -> None:
    numbers = [radical_inverse(n) for n in range(1, 64)]
    assert numbers[:7] == [1 / 2, 1 / 4, 3 / 4, 1 / 8, 5 / 8, 3 / 8, 7 / 8]
    assert sorted(numbers) == [k / 64 for k in range(1, 64)]


def test_several_objectives_start_with_all_kinds_of_costs() -> None:
    config = replace(QUEUE, n_startup_trials=15)
    written = CELLS.sample_written_tokens(2_000, np.random.default_rng(9))
    everything = np.log(CELLS.token_costs(np.unique(written, axis=0)))
    low, high = np.quantile(everything[:, 0], [0.05, 0.95])
    gaps = []
    for objective in (both_costs, heavy):
        run = Run(CELLS, objective, config).steps(15)
        assert {proposal.source for proposal in run.proposals} == {"startup"}
        spread = np.sort(np.log(CELLS.token_costs(run.tokens)[:, 0]))
        gaps.append(np.diff(np.concatenate([[low], spread, [high]])).max() / (high - low))
    assert gaps[0] < 0.15  # 1 / 16, had every cost an architecture
    assert gaps[1] > 2 * gaps[0]


def test_several_objectives_start_with_simple_architectures_too() -> None:
    """Of 2,532 cells 91 have at most 4 vertices: of 15 uniform ones not even one."""
    run = Run(CELLS, both_costs, replace(QUEUE, n_startup_trials=15)).steps(15)
    n_vertices = [len(cell.ops) for cell in CELLS.tokens_to_architectures(run.tokens)]
    assert sum(n <= 4 for n in n_vertices) >= 5


def test_the_start_is_within_the_limits_and_spread_there() -> None:
    costs = CELLS.token_costs(CELLS.sample_tokens(500, np.random.default_rng(1)))
    limits = CostLimits({"flops": (np.quantile(costs[:, 0], 0.3), np.quantile(costs[:, 0], 0.6))})
    config = replace(QUEUE, n_startup_trials=7)
    run = Run(CELLS, both_costs, config, cost_limits=limits).steps(7)
    found = np.sort(CELLS.token_costs(run.tokens)[:, 0])
    assert limits.allow(CELLS.token_costs(run.tokens), CELLS.cost_names).all()
    assert len(set(found)) == 7
