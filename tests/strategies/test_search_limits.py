import numpy as np
import pytest
from scipy.stats import chisquare

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.strategies import propose_random
from optuna_dnas.strategies import SearchConfig
from optuna_dnas.strategies import token_keys

from .toy import bowl
from .toy import CELLS
from .toy import CONFIG
from .toy import FLAT
from .toy import heavy
from .toy import keys_of
from .toy import QUEUE
from .toy import Run


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
@pytest.mark.parametrize("column", [0, 1])
def test_cost_limits_are_never_broken(config: SearchConfig, column: int) -> None:
    everything = CELLS.enumerate_tokens()
    limit = float(np.quantile(CELLS.token_costs(everything)[:, column], 0.3))
    limits = CostLimits().replaced({f"max_{CELLS.cost_names[column]}": limit})
    used = []
    for seed in range(3):
        run = Run(CELLS, heavy, config, seed=seed, cost_limits=limits).steps(40)
        costs = [CELLS.cost(spec) for spec in CELLS.tokens_to_architectures(run.tokens)]
        measured = np.array([[cost.flops, cost.params] for cost in costs])
        assert (measured[:, column] <= limit).all()
        used.append(np.median(measured[10:, column] / limit))
    assert np.median(used) > 0.8  # and the budget is used


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_cost_limits_hold_beside_fixed_tokens(config: SearchConfig) -> None:
    """Fixed tokens keep the cell as written, with vertices that will be pruned."""
    everything = CELLS.enumerate_tokens()
    limit = float(np.quantile(CELLS.token_costs(everything)[:, 1], 0.3))
    limits = CostLimits({"params": limit})
    run = Run(CELLS, heavy, config, cost_limits=limits, fixed={0: 1}).steps(30)
    for proposal in run.proposals:
        assert proposal.tokens[0] == 1
        params = CELLS.tokens_to_params(proposal.tokens[None])[0]
        assert CELLS.cost(CELLS.params_to_architecture(params)).params <= limit


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_limits_hold_when_what_is_within_them_is_exhausted(config: SearchConfig) -> None:
    space = NASBench101Space(max_vertices=3)
    params = np.sort(space.token_costs(space.enumerate_tokens())[:, 1])
    limits = CostLimits({"params": params[2]})

    def objective(tokens: TokenArray) -> FloatArray:
        return -space.token_costs(tokens)[:, 1:]

    run = Run(space, objective, config, cost_limits=limits).steps(8)
    assert len(set(keys_of(run.proposals, space))) == np.count_nonzero(params <= params[2])
    assert (space.token_costs(run.tokens)[:, 1] <= params[2]).all()


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_fixed_tokens_are_honoured(config: SearchConfig) -> None:
    op_1 = list(CELLS.distributions).index("op_1")
    fixed = {0: 1, 1: 0, op_1: 2}
    run = Run(CELLS, heavy, config, fixed=fixed).steps(16)
    for proposal in run.proposals:
        assert {t: int(proposal.tokens[t]) for t in fixed} == fixed
    assert len(set(keys_of(run.proposals, CELLS))) == 16
    flat = Run(FLAT, bowl, config, fixed={1: 0.5}).steps(12)
    assert all(p.tokens[1] == 0.5 for p in flat.proposals)


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
@pytest.mark.parametrize("n", [0, 8])
def test_fixed_tokens_that_allow_no_cell_give_none(config: SearchConfig, n: int) -> None:
    run = Run(CELLS, heavy, config).steps(n)
    no_edge = dict.fromkeys(range(10), 0)
    assert run.search.propose(run.query(fixed=no_edge)) is None


def test_random_proposals_are_new_and_within_limits() -> None:
    everything = CELLS.enumerate_tokens()
    costs = CELLS.token_costs(everything)
    limits = CostLimits({"params": np.sort(costs[:, 1])[9]})
    allowed = everything[limits.allow(costs, CELLS.cost_names)]
    query = Run(CELLS, heavy, CONFIG, cost_limits=limits).query(taken=set(token_keys(allowed[1:])))
    proposal = propose_random(CELLS, query, np.random.default_rng(0), source="x")
    assert proposal is not None
    np.testing.assert_array_equal(proposal.tokens, allowed[0])
    assert (proposal.source, proposal.prediction) == ("x", None)


def test_the_last_architecture_of_a_small_space_is_found() -> None:
    everything = CELLS.enumerate_tokens()
    query = Run(CELLS, heavy, CONFIG).query(taken=set(token_keys(everything[:-1])))
    for seed in range(20):
        proposal = propose_random(CELLS, query, np.random.default_rng(seed), source="x")
        assert proposal is not None
        np.testing.assert_array_equal(proposal.tokens, everything[-1])


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_bands_are_never_left(config: SearchConfig) -> None:
    costs = CELLS.token_costs(CELLS.enumerate_tokens())
    low, high = np.quantile(costs[:, 0], [0.5, 0.55])
    limits = CostLimits({"flops": (low, high)})
    run = Run(CELLS, heavy, config, cost_limits=limits).steps(30)
    measured = np.array(
        [CELLS.cost(spec).flops for spec in CELLS.tokens_to_architectures(run.tokens)]
    )
    assert ((low <= measured) & (measured <= high)).all()
    assert len(set(keys_of(run.proposals, CELLS))) == 30


def test_random_proposals_are_uniform_in_a_narrow_band() -> None:
    everything = CELLS.enumerate_tokens()
    costs = CELLS.token_costs(everything)
    flops = np.quantile(costs[:, 0], 0.6)  # of more cells than one
    limits = CostLimits({"flops": (flops - 1, flops + 1)})
    allowed = token_keys(everything[limits.allow(costs, CELLS.cost_names)])
    query = Run(CELLS, heavy, CONFIG, cost_limits=limits).query()
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(300):
        proposal = propose_random(CELLS, query, rng, source="x")
        assert proposal is not None
        drawn += token_keys(proposal.tokens[None])
    assert 10 < len(allowed) < 60
    counts = [drawn.count(key) for key in allowed]
    assert sum(counts) == 300
    assert chisquare(counts).pvalue > 0.001


def test_a_thousandth_of_a_large_space_is_found() -> None:
    space = NASBench101Space()
    flops = space.token_costs(space.sample_tokens(2_000, np.random.default_rng(0)))[:, 0]
    low, high = np.quantile(flops, [0.5, 0.501])
    limits = CostLimits({"flops": (low, high)})
    query = Run(CELLS, heavy, CONFIG, cost_limits=limits).query(taken=frozenset())
    for seed in range(3):
        proposal = propose_random(space, query, np.random.default_rng(seed), source="x")
        assert proposal is not None
        assert low <= space.token_costs(proposal.tokens[None])[0, 0] <= high
