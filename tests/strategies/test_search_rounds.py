from dataclasses import replace
import itertools
from typing import Any

import numpy as np
import pytest

from optuna_dnas.controller import Controller
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies import LatentSearch
from optuna_dnas.strategies import Observations
from optuna_dnas.strategies import SearchConfig
from optuna_dnas.strategies import WholeSpace

from .toy import bowl
from .toy import CELLS
from .toy import CONFIG
from .toy import FLAT
from .toy import heavy
from .toy import keys_of
from .toy import make_controller
from .toy import make_search
from .toy import Objective
from .toy import QUEUE
from .toy import Run
from .toy import same
from .toy import Spy


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
@pytest.mark.parametrize(("space", "objective"), [(FLAT, bowl), (CELLS, heavy)])
def test_one_seed_gives_one_search(
    space: SearchSpace[Any], objective: Objective, config: SearchConfig
) -> None:
    one, other, third = (Run(space, objective, config, seed=seed).steps(18) for seed in (3, 3, 4))
    assert all(map(same, one.proposals, other.proposals))
    assert not any(map(same, one.proposals, third.proposals))


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
@pytest.mark.parametrize(("space", "objective"), [(FLAT, bowl), (CELLS, heavy)])
def test_a_new_object_goes_on_in_the_same_way(
    space: SearchSpace[Any], objective: Objective, config: SearchConfig
) -> None:
    """At the boundary of a round and within it."""
    run = Run(space, objective, config)
    for _ in range(18):
        query = run.query()
        taken_up = make_search(space, config).propose(query)
        assert taken_up is not None
        assert same(taken_up, run.step())


def test_asking_changes_nothing() -> None:
    for config in (CONFIG, QUEUE):
        run = Run(FLAT, bowl, config).steps(9)
        query = run.query()
        one, other = run.search.propose(query), run.search.propose(query)
        assert one is not None
        assert other is not None
        assert same(one, other)


@pytest.mark.parametrize("space", [FLAT, CELLS])
def test_workers_at_the_same_moment_take_different_ones_from_the_queue(
    space: SearchSpace[Any],
) -> None:
    """As many as there may be, also more than a round has evaluations."""
    n = 2 * QUEUE.round_size
    run = Run(space, bowl if space is FLAT else heavy, QUEUE).steps(8)
    proposals = []
    for k in range(n):
        worker = make_search(space, QUEUE)
        proposal = worker.propose(run.query(number=8 + k, n_skipped=k))
        assert proposal is not None
        assert proposal.source != "startup"
        proposals.append(proposal)
    assert len(set(keys_of(proposals, space))) == n


@pytest.mark.parametrize(
    ("growth", "n_evaluations"),
    [
        (1.0, [1, 2, 4, 5, 5, 5, 5]),
        (0.5, [1, 1, 1, 2, 3, 4, 5]),
        (0.1, [1, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_rounds_grow_with_what_is_known(growth: float, n_evaluations: list[int]) -> None:
    config = replace(QUEUE, n_startup_trials=1, round_growth=growth)
    starts = [config.round_start(n) for n in range(1, 100)]
    ends = sorted(set(starts))
    assert list(np.diff(ends))[: len(n_evaluations)] == n_evaluations
    assert all(start <= n for n, start in enumerate(starts, start=1))
    for start, end in itertools.pairwise(ends):
        assert 1 <= end - start <= config.round_size
        assert end - start <= max(1, growth * start)


@pytest.mark.parametrize("space", [FLAT, CELLS])
def test_random_proposals_at_the_same_moment_differ(space: SearchSpace[Any]) -> None:
    run = Run(space, bowl if space is FLAT else heavy, CONFIG)
    proposals = [run.search.propose(run.query(number=number)) for number in range(6)]
    assert all(p is not None and p.source == "startup" for p in proposals)
    assert len({p.tokens.tobytes() for p in proposals if p is not None}) == 6


def test_the_controller_is_made_once_it_is_needed() -> None:
    made: list[Controller] = []

    def make() -> Controller:
        made.append(make_controller(FLAT, CONFIG))
        return made[-1]

    run = Run(FLAT, bowl, CONFIG)
    run.search = LatentSearch(FLAT, make, CONFIG)
    assert len(run.steps(6).proposals) == 6
    assert made == []
    run.steps(11)
    assert len(made) == 1


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_a_round_fits_once_to_what_was_there_at_its_beginning(config: SearchConfig) -> None:
    spy = Spy(make_controller(FLAT, config))
    run = Run(FLAT, bowl, config)
    run.search = LatentSearch(FLAT, lambda: spy, config)
    run.steps(18)
    assert [len(observed.tokens) for observed in spy.observed] == [6, 11, 16]
    for observed in spy.observed:
        np.testing.assert_array_equal(observed.tokens, run.tokens[: len(observed.tokens)])
        np.testing.assert_array_equal(observed.values, bowl(observed.tokens))


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_evaluations_within_a_round_count_unless_there_is_a_queue(config: SearchConfig) -> None:
    # The candidates and their noise do not depend on the evaluations: only the predictors do.
    config = replace(config, strategies=(WholeSpace(share=1.0),), noise=0.0)
    run = Run(FLAT, bowl, config).steps(9)
    observations = run.observations
    values = observations.values.copy()
    values[CONFIG.n_startup_trials :] = 5.0  # since the round began
    proposals = [
        make_search(FLAT, config).propose(
            run.query(observations=observations._replace(values=v), taken=set(), number=9)
        )
        for v in (observations.values, values)
    ]
    one, other = proposals
    assert one is not None
    assert other is not None
    assert np.array_equal(one.tokens, other.tokens) == config.from_queue


def test_the_working_set_is_bounded() -> None:
    config = replace(CONFIG, max_observations=12)
    tokens = FLAT.sample_tokens(61, np.random.default_rng(0))
    run = Run(FLAT, bowl, config)
    run.tokens = tokens
    spy = Spy(make_controller(FLAT, config))
    run.search = LatentSearch(FLAT, lambda: spy, config)
    run.step()
    (observed,) = spy.observed
    assert len(observed.tokens) == 12
    rows = [int(np.flatnonzero((tokens == row).all(axis=1))[0]) for row in observed.tokens]
    assert rows == sorted(set(rows))
    best = np.argsort(bowl(tokens)[:, 0])[:6].tolist()
    latest = [row for row in range(61) if row not in best][-6:]
    assert rows == sorted(best + latest)


def test_infeasible_architectures_are_not_among_the_best() -> None:
    config = replace(CONFIG, max_observations=10)
    run = Run(FLAT, bowl, config)
    run.tokens = FLAT.sample_tokens(41, np.random.default_rng(0))
    violations = np.ones(41)
    violations[:5] = 0.0
    spy = Spy(make_controller(FLAT, config))
    query = run.query(observations=Observations(run.tokens, bowl(run.tokens), violations))
    assert LatentSearch(FLAT, lambda: spy, config).propose(query) is not None
    np.testing.assert_array_equal(spy.observed[0].tokens[:5], run.tokens[:5])
