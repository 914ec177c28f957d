import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
import pytest

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.strategies import Proposal
from optuna_dnas.strategies import SearchConfig
from optuna_dnas.strategies import token_keys

from .toy import CONFIG
from .toy import keys_of
from .toy import line
from .toy import QUEUE
from .toy import Run
from .toy import SMALL


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_no_architecture_twice_until_the_space_is_exhausted(config: SearchConfig) -> None:
    run = Run(SMALL, line, config).steps(12)
    assert len(set(keys_of(run.proposals, SMALL))) == 12 == SMALL.size
    run.steps(8)
    assert set(keys_of(run.proposals, SMALL)) == set(token_keys(SMALL.enumerate_tokens()))


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_no_cell_twice_until_the_space_is_exhausted(config: SearchConfig) -> None:
    space = NASBench101Space(max_vertices=4)
    target = space.sample_tokens(1, np.random.default_rng(5))

    def objective(tokens: TokenArray) -> FloatArray:
        return (tokens != target).sum(axis=1, keepdims=True)

    run = Run(space, objective, config).steps(91)
    assert len(set(keys_of(run.proposals, space))) == 91
    assert run.step() is not None


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_running_architectures_are_not_proposed(config: SearchConfig) -> None:
    run = Run(SMALL, line, config).steps(8)
    running: set[bytes] = set()
    for number in range(8, 12):
        proposal = run.search.propose(run.query(taken=run.taken | running, number=number))
        assert proposal is not None
        (key,) = keys_of([proposal], SMALL)
        assert key not in run.taken | running
        running.add(key)


def test_conditions_are_learned_and_inactive_parameters_do_not_make_it_new() -> None:
    ranges: dict[str, BaseDistribution] = {
        "a": FloatDistribution(0.0, 1.0),
        "b": IntDistribution(0, 2),
        "x": CategoricalDistribution((False, True)),
    }
    space = FlatSpace(ranges)

    class Conditional(Run):
        def step(self) -> Proposal:
            """An objective asks for a and b only if x; what a proposal lacks is drawn."""
            proposal = super().step()
            drawn = space.sample_tokens(1, np.random.default_rng(len(self.tokens)))[0]
            filled = np.where(np.isnan(self.tokens[-1]), drawn, self.tokens[-1])
            asked = [filled[2] == 1, filled[2] == 1, True]
            self.tokens[-1] = np.where(asked, filled, np.nan)
            return proposal

    def objective(tokens: TokenArray) -> FloatArray:
        return np.where(np.isnan(tokens[:, :1]), 0.5, tokens[:, :1])

    run = Conditional(space, objective, CONFIG).steps(30)
    inactive = np.isnan(run.tokens[:, 0])
    assert inactive.any()
    assert not inactive[6:].any()  # The only one without a and b is known by then.
    assert run.observations.values.min() < 0.05
