"""What the tests of the search share: spaces, objectives, and a study without Optuna."""

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller import Controller
from optuna_dnas.controller import Features
from optuna_dnas.controller import FittedController
from optuna_dnas.controller import FrozenController
from optuna_dnas.controller import GaussianProcessConfig
from optuna_dnas.controller import IdentityLatent
from optuna_dnas.controller import Labelled
from optuna_dnas.controller import Latent
from optuna_dnas.search_space import CostLimits
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
    def relevance_group(self) -> IntArray:
        return np.arange(len(self._highest))

    @property
    def half_width(self) -> FloatArray:
        return np.full(len(self._highest), 0.6)

    def encode(self, tokens: TokenArray) -> FloatArray:
        return np.asarray(tokens, dtype=float)

    def decode(self, codes: FloatArray) -> TokenArray:
        return np.clip(np.rint(codes), 0, self._highest).astype(np.int64)

    def sample_prior(self, n: int, rng: np.random.Generator) -> FloatArray:
        return rng.uniform(-0.5, self._highest + 0.5, (n, len(self._highest)))

    def perturb(
        self, codes: FloatArray, rng: np.random.Generator, *, reach: float = 1.0
    ) -> FloatArray:
        return codes + 0.4 * reach * rng.standard_normal(codes.shape)


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
    features = Features(latent, space if config.with_descriptors else None)
    return FrozenController(features, config.predictor)


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
        cost_limits: CostLimits = CostLimits(),  # noqa: B008
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
            n_skipped=0,
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
