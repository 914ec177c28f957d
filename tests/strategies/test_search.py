from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
import pytest

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller import Controller
from optuna_dnas.controller import FittedController
from optuna_dnas.controller import FrozenController
from optuna_dnas.controller import GaussianProcessConfig
from optuna_dnas.controller import IdentityLatent
from optuna_dnas.controller import Labelled
from optuna_dnas.controller import Latent
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies import CostEdge
from optuna_dnas.strategies import DenseRegions
from optuna_dnas.strategies import LatentGradient
from optuna_dnas.strategies import LatentSearch
from optuna_dnas.strategies import Neighbourhood
from optuna_dnas.strategies import Observations
from optuna_dnas.strategies import Proposal
from optuna_dnas.strategies import propose_random
from optuna_dnas.strategies import Query
from optuna_dnas.strategies import SearchConfig
from optuna_dnas.strategies import token_keys
from optuna_dnas.strategies import WholeSpace


Objective = Callable[[TokenArray], FloatArray]
"""(N, T) canonical tokens -> (N, M) values, minimised."""

CONFIG = SearchConfig(
    n_startup_trials=6,
    round_size=5,
    from_queue=False,
    n_candidates=150,
    strategies=(
        DenseRegions(share=0.3),
        Neighbourhood(share=0.4),
        WholeSpace(share=0.2),
        LatentGradient(share=0.1),
        CostEdge(share=0.2),
    ),
    predictor=GaussianProcessConfig(max_iterations=10),
)
QUEUE = replace(CONFIG, from_queue=True)
CELLS = NASBench101Space(max_vertices=5)
SMALL = FlatSpace({"x": IntDistribution(0, 3), "op": CategoricalDistribution("abc")})
FLAT = FlatSpace(
    {
        "x": FloatDistribution(0.0, 1.0),
        "n": IntDistribution(1, 9),
        "op": CategoricalDistribution("abc"),
    }
)


class TokenLatent(Latent):
    """Codes are the tokens of a space with a vocabulary; decoding rounds to legal choices."""

    def __init__(self, space: SearchSpace[Any]) -> None:
        assert space.vocabulary is not None
        self._highest = space.vocabulary.legal.sum(axis=1) - 1.0

    @property
    def is_categorical(self) -> BoolArray:
        return np.zeros(len(self._highest), dtype=bool)

    @property
    def typical_distance(self) -> FloatArray:
        return (self._highest + 1) ** 2 / 6

    @property
    def half_width(self) -> FloatArray:
        return np.full(len(self._highest), 0.6)

    def encode(self, tokens: TokenArray) -> FloatArray:
        return np.asarray(tokens, dtype=float)

    def decode(self, codes: FloatArray) -> TokenArray:
        return np.clip(np.rint(codes), 0, self._highest).astype(np.int64)

    def sample_prior(self, n: int, rng: np.random.Generator) -> FloatArray:
        return rng.uniform(-0.5, self._highest + 0.5, (n, len(self._highest)))

    def perturb(self, codes: FloatArray, rng: np.random.Generator) -> FloatArray:
        return codes + 0.4 * rng.standard_normal(codes.shape)


class Spy(Controller):
    """Remembers what it was fitted to."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self.observed: list[Labelled] = []
        self.pseudo: list[Labelled | None] = []

    def fit(
        self,
        observed: Labelled,
        *,
        rng: np.random.Generator,
        pseudo: Labelled | None = None,
        start: FittedController | None = None,
    ) -> FittedController:
        self.observed.append(observed)
        self.pseudo.append(pseudo)
        return self._controller.fit(observed, rng=rng, pseudo=pseudo, start=start)


def make_controller(space: SearchSpace[Any], config: SearchConfig) -> Controller:
    latent = IdentityLatent(space) if isinstance(space, FlatSpace) else TokenLatent(space)
    return FrozenController(latent, config.predictor)


def make_search(space: SearchSpace[Any], config: SearchConfig) -> LatentSearch:
    return LatentSearch(space, lambda: make_controller(space, config), config)


class Run:
    """A study without Optuna: asks one by one, and tells what the objective says."""

    def __init__(
        self,
        space: SearchSpace[Any],
        objective: Objective,
        config: SearchConfig,
        *,
        seed: int = 0,
        cost_limits: FloatArray | None = None,
        fixed: Mapping[int, Any] | None = None,
    ) -> None:
        self.space, self.objective = space, objective
        self.search = make_search(space, config)
        self.seed, self.cost_limits, self.fixed = seed, cost_limits, fixed or {}
        self.tokens = space.sample_tokens(0, np.random.default_rng(0))
        self.proposals: list[Proposal] = []

    @property
    def observations(self) -> Observations:
        # The number of objectives shows on any architecture.
        probe = self.space.sample_tokens(1, np.random.default_rng(0))
        values = self.objective(np.concatenate([probe, self.tokens]))[1:]
        return Observations(self.tokens, values, np.zeros(len(values)))

    @property
    def taken(self) -> set[bytes]:
        return set(token_keys(self.tokens))

    def query(self, **changes: Any) -> Query:
        query = Query(
            self.observations,
            self.taken,
            self.fixed,
            self.cost_limits,
            number=len(self.tokens),
            seed=self.seed,
        )
        return query._replace(**changes)

    def step(self) -> Proposal:
        proposal = self.search.propose(self.query())
        assert proposal is not None
        self.proposals.append(proposal)
        canonical, valid = self.space.canonicalize(proposal.tokens[None])
        assert valid.all()
        self.tokens = np.concatenate([self.tokens, canonical])
        return proposal

    def steps(self, n: int) -> "Run":
        for _ in range(n):
            self.step()
        return self


def bowl(tokens: TokenArray) -> FloatArray:
    """Of `FLAT`."""
    offset = np.array([0.3, 0.0, 0.5])[tokens[:, 2].astype(int)]
    return ((tokens[:, 0] - 0.7) ** 2 + (tokens[:, 1] - 0.25) ** 2 + offset)[:, None]


def line(tokens: TokenArray) -> FloatArray:
    """Of `SMALL`."""
    return (tokens[:, 0] + tokens[:, 1])[:, None]


def heavy(tokens: TokenArray) -> FloatArray:
    """The more parameters a cell has, the better: at odds with every limit."""
    return -CELLS.token_costs(tokens)[:, 1:]


def keys_of(proposals: list[Proposal], space: SearchSpace[Any]) -> list[bytes]:
    return token_keys(space.canonicalize(np.array([p.tokens for p in proposals]))[0])


def same(one: Proposal, other: Proposal) -> bool:
    """To the last bit."""
    predictions = (one.prediction, other.prediction)
    if (predictions[0] is None) != (predictions[1] is None):
        return False
    return (
        np.array_equal(one.tokens, other.tokens)
        and one.source == other.source
        and (predictions[0] is None or np.array_equal(*predictions))
    )


# -- New architectures


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


# -- What a search remembers


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
@pytest.mark.parametrize(("space", "objective"), [(FLAT, bowl), (CELLS, heavy)])
def test_one_seed_gives_one_search(
    space: SearchSpace[Any], objective: Objective, config: SearchConfig
) -> None:
    one, other, third = (
        Run(space, objective, config, seed=seed).steps(18) for seed in (3, 3, 4)
    )
    assert all(map(same, one.proposals, other.proposals))
    assert not any(map(same, one.proposals, third.proposals))


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        pytest.param(
            QUEUE,
            marks=pytest.mark.xfail(
                strict=True, reason="a queue depends on what is taken when it is made"
            ),
        ),
    ],
)
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
    run = Run(space, bowl if space is FLAT else heavy, QUEUE).steps(8)
    proposals = []
    for number in range(8, 8 + QUEUE.round_size):
        worker = make_search(space, QUEUE)
        proposal = worker.propose(run.query(number=number))
        assert proposal is not None
        assert proposal.source != "startup"
        proposals.append(proposal)
    assert len(set(keys_of(proposals, space))) == QUEUE.round_size


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
    query = run.query(
        observations=Observations(run.tokens, bowl(run.tokens), violations)
    )
    assert LatentSearch(FLAT, lambda: spy, config).propose(query) is not None
    np.testing.assert_array_equal(spy.observed[0].tokens[:5], run.tokens[:5])


# -- Proposals


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_sources_and_predictions(config: SearchConfig) -> None:
    run = Run(FLAT, bowl, config).steps(25)
    assert {p.source for p in run.proposals[:6]} == {"startup"}
    assert all(p.prediction is None for p in run.proposals[:6])
    later = run.proposals[6:]
    assert {p.source for p in later} <= {"dense", "local", "prior", "gradient"}
    assert len({p.source for p in later}) > 1
    values = run.observations.values
    for k, proposal in enumerate(later):
        assert proposal.prediction is not None
        assert proposal.prediction.shape == (1,)
        assert values[: 6 + k].min() <= proposal.prediction[0] <= values[: 6 + k].max()


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_predictions_follow_the_values(config: SearchConfig) -> None:
    run = Run(FLAT, bowl, config).steps(60)
    later = run.proposals[20:]
    predicted = [p.prediction[0] for p in later if p.prediction is not None]
    assert np.corrcoef(predicted, run.observations.values[20:, 0])[0, 1] > 0.3


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_the_search_is_better_than_chance(config: SearchConfig) -> None:
    """A random search of 40 has a median regret of about 0.018."""
    regrets = [
        Run(FLAT, bowl, config, seed=seed).steps(40).observations.values.min()
        for seed in range(5)
    ]
    assert np.median(regrets) < 0.001


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_infinite_values_do_no_harm(config: SearchConfig) -> None:
    def objective(tokens: TokenArray) -> FloatArray:
        return np.where(tokens[:, :1] > 0.5, np.inf, bowl(tokens))

    run = Run(FLAT, objective, config).steps(20)
    assert np.isfinite(run.observations.values[12:]).mean() > 0.5
    for proposal in run.proposals[6:]:
        assert proposal.prediction is not None
        assert np.isfinite(proposal.prediction).all()


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_several_objectives_are_searched_in_several_directions(config: SearchConfig) -> None:
    def objective(tokens: TokenArray) -> FloatArray:
        return np.stack([tokens[:, 0], 1 - tokens[:, 0] + (tokens[:, 1] - 0.5) ** 2], axis=1)

    run = Run(FLAT, objective, config).steps(40)
    values = run.observations.values[15:]
    prediction = run.proposals[-1].prediction
    assert prediction is not None
    assert prediction.shape == (2,)
    assert values[:, 0].min() < 0.15
    assert values[:, 0].max() > 0.85
    assert np.median(values.sum(axis=1)) < 1.05  # on the front it is 1


# -- Limits and fixed tokens


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
@pytest.mark.parametrize("column", [0, 1])
def test_cost_limits_are_never_broken(config: SearchConfig, column: int) -> None:
    everything = CELLS.enumerate_tokens()
    limits = np.full(2, np.inf)
    limits[column] = np.quantile(CELLS.token_costs(everything)[:, column], 0.3)
    run = Run(CELLS, heavy, config, cost_limits=limits).steps(40)
    costs = [CELLS.cost(spec) for spec in CELLS.tokens_to_architectures(run.tokens)]
    measured = np.array([[cost.flops, cost.params] for cost in costs])
    assert (measured <= limits).all()
    within = measured[10:, column] / limits[column]
    assert np.median(within) > 0.8  # and the budget is used


@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_cost_limits_hold_beside_fixed_tokens(config: SearchConfig) -> None:
    """Fixed tokens keep the cell as written, with vertices that will be pruned."""
    everything = CELLS.enumerate_tokens()
    limits = np.array([np.inf, np.quantile(CELLS.token_costs(everything)[:, 1], 0.3)])
    run = Run(CELLS, heavy, config, cost_limits=limits, fixed={0: 1}).steps(30)
    for proposal in run.proposals:
        assert proposal.tokens[0] == 1
        params = CELLS.tokens_to_params(proposal.tokens[None])[0]
        assert CELLS.cost(CELLS.params_to_architecture(params)).params <= limits[1]


@pytest.mark.xfail(strict=True, reason="an old architecture is repeated without regard to limits")
@pytest.mark.parametrize("config", [CONFIG, QUEUE])
def test_limits_hold_when_what_is_within_them_is_exhausted(config: SearchConfig) -> None:
    space = NASBench101Space(max_vertices=3)
    params = np.sort(space.token_costs(space.enumerate_tokens())[:, 1])
    limits = np.array([np.inf, params[2]])

    def objective(tokens: TokenArray) -> FloatArray:
        return -space.token_costs(tokens)[:, 1:]

    run = Run(space, objective, config, cost_limits=limits).steps(8)
    assert len(set(keys_of(run.proposals, space))) == np.count_nonzero(params <= limits[1])
    assert (space.token_costs(run.tokens) <= limits).all()


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
    limits = np.array([np.inf, np.sort(costs[:, 1])[9]])
    allowed = everything[(costs <= limits).all(axis=1)]
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


# -- Pseudo-labels


def test_pseudo_labels_are_new_valid_and_predicted() -> None:
    pool = (WholeSpace(share=0.5), DenseRegions(share=0.5))
    config = replace(QUEUE, n_pseudo_labelled=300, pool_strategies=pool)
    spy = Spy(make_controller(CELLS, config))
    run = Run(CELLS, heavy, config)
    run.search = LatentSearch(CELLS, lambda: spy, config)
    run.steps(7)
    assert [pseudo is None for pseudo in spy.pseudo] == [True, False]
    pseudo = spy.pseudo[1]
    assert pseudo is not None
    assert 30 < len(pseudo.tokens) <= 300
    canonical, valid = CELLS.canonicalize(pseudo.tokens)
    assert valid.all()
    np.testing.assert_array_equal(canonical, pseudo.tokens)
    keys = set(token_keys(canonical))
    assert len(keys) == len(canonical)
    assert not keys & set(token_keys(run.tokens[:6]))
    assert pseudo.values.shape == (len(canonical), 1)
    np.testing.assert_array_equal(pseudo.costs, CELLS.token_costs(canonical))
    assert np.corrcoef(pseudo.values[:, 0], heavy(canonical)[:, 0])[0, 1] > 0.2


# -- Settings


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("round_size", 0, "`round_size` must be positive, but got 0"),
        ("n_candidates", 0, "`n_candidates` must be positive, but got 0"),
        ("n_directions", -1, "`n_directions` must be positive, but got -1"),
        ("max_observations", 0, "`max_observations` must be positive, but got 0"),
        ("n_startup_trials", -1, "`n_startup_trials` must not be negative, but got -1"),
        ("noise", -0.1, "`noise` must not be negative, but got -0.1"),
        ("n_pseudo_labelled", -1, "`n_pseudo_labelled` must not be negative, but got -1"),
        ("n_pseudo_labelled", 5, "`pool_strategies` must not be empty"),
        ("strategies", (), "`strategies` must not be empty"),
    ],
)
def test_bad_settings_are_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **{name: value})


def test_without_startup_trials_the_first_one_is_random() -> None:
    run = Run(FLAT, bowl, replace(CONFIG, n_startup_trials=0)).steps(3)
    assert [p.source == "startup" for p in run.proposals] == [True, False, False]
