"""`DNASSampler`: the adapter between an Optuna study and the search."""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
import itertools
import secrets
import threading
from typing import Any
from typing import NamedTuple

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from optuna_dnas._history import History
from optuna_dnas._history import keep
from optuna_dnas._history import ParameterUnion
from optuna_dnas._optuna_compat import fixed_params
from optuna_dnas._optuna_compat import get_logger
from optuna_dnas._optuna_compat import get_trials
from optuna_dnas._optuna_compat import INDEPENDENT_SAMPLING_WARNING
from optuna_dnas._optuna_compat import publish_params
from optuna_dnas._optuna_compat import read_entropy
from optuna_dnas._optuna_compat import set_user_attr
from optuna_dnas._optuna_compat import study_key
from optuna_dnas._optuna_compat import write_entropy
from optuna_dnas.config import DNASConfig
from optuna_dnas.controller import Controller
from optuna_dnas.controller import make_controller
from optuna_dnas.controller import missing_weights
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import recognize
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies import LatentSearch
from optuna_dnas.strategies import Proposal
from optuna_dnas.strategies import propose_random
from optuna_dnas.strategies import Query


_logger = get_logger(__name__)

SOURCE_KEY = "dnas:source"
PREDICTION_KEY = "dnas:prediction"

# Of the entropy of a study: any reader of JSON holds such a number exactly.
_ENTROPY_BITS = 53


class DNASSampler(BaseSampler):
    """Disentangled Neural Architecture Search.

    Architectures become points of a latent space, whose dimensions stand for a few meaningful
    factors. The sampler looks where those factors of the best architectures lie, screens what it
    finds there with predictors, and proposes what no trial has evaluated or is evaluating.

    It serves any study. A built-in architecture space is recognised by its parameters; anything
    else, conditional parameters included, is searched on the parameters themselves.

    A trial whose worker was killed keeps its architecture from other trials until it has been
    running for 30 minutes, and for five times as long as any complete trial of the study took.

    What failed, or was pruned before it reported anything, or has an infinitely bad value, is
    learned from, too: candidates that will probably end like it are postponed.

    Every trial keeps where it came from (``dnas:source``: startup, dense, local, prior, gradient,
    edge, fallback, or enqueued) and what was predicted (``dnas:prediction``, one number an
    objective) as user attributes.

    Example::

        study = optuna.create_study(direction="maximize", sampler=DNASSampler(seed=0))
        study.optimize(objective, n_trials=150)

    Args:
        space: The architecture space; by default it is recognised. No proposal breaks its limits.
            Limits of cost that it was not declared with are read from the constraints of finished
            trials; any other constraint is predicted.
        seed: Of all draws. One seed gives the same trials, in another process too. Without one,
            the study keeps what its first worker drew: all workers go on from the same entropy,
            also after a restart.
        n_startup_trials: Random architectures before the model is first asked; by default 16
            for an architecture space and 10 for any other.
        config: All other settings.
        independent_sampler: For parameters that the sampler cannot foresee; by default they are
            drawn uniformly.
        warn_independent_sampling: Whether to warn when that happens.
        device: Of the controller: ``"cpu"``, ``"cuda"``, ``"mps"``.
    """

    def __init__(
        self,
        *,
        space: SearchSpace[Any] | None = None,
        seed: int | None = None,
        n_startup_trials: int | None = None,
        config: DNASConfig | None = None,
        independent_sampler: BaseSampler | None = None,
        warn_independent_sampling: bool = True,
        device: str = "cpu",
    ) -> None:
        if space is not None and not isinstance(space, SearchSpace):
            raise TypeError(f"`space` must be a SearchSpace, but got {space!r}.")
        if config is not None and not isinstance(config, DNASConfig):
            raise TypeError(f"`config` must be a DNASConfig, but got {config!r}.")
        if seed is not None and seed < 0:
            raise ValueError(f"`seed` must not be negative, but got {seed}.")
        if device.partition(":")[0] not in ("cpu", "cuda", "mps"):
            raise ValueError(f'`device` must be "cpu", "cuda" or "mps", but got {device!r}.')
        if n_startup_trials is not None and n_startup_trials < 0:
            raise ValueError(
                f"`n_startup_trials` must not be negative, but got {n_startup_trials}."
            )
        self._space = space
        self._n_startup_trials = n_startup_trials
        self._config = config or DNASConfig()
        self._independent_sampler = independent_sampler
        self._warn_independent_sampling = warn_independent_sampling
        self._device = device
        self._seed = seed
        self._lock = threading.RLock()
        self._unions: dict[Any, ParameterUnion] = {}
        self._searches: dict[Any, _StudySearch] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the lock, and the caches of studies."""
        return self.__dict__ | {"_lock": None, "_unions": {}, "_searches": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()

    def reseed_rng(self) -> None:
        """Give up the seed for the entropy that the study keeps."""
        self._seed = None
        if self._independent_sampler is not None:
            self._independent_sampler.reseed_rng()

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """All parameters of the architecture space, or all that finished trials had."""
        if self._space is not None:
            distributions = self._space.distributions
        else:
            with self._lock:
                distributions = self._known_parameters(study)
        return {name: d for name, d in distributions.items() if not d.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Propose an architecture that fits what is already fixed."""
        if not search_space:
            set_user_attr(study, trial, SOURCE_KEY, "startup")
            return {}
        # Threads share a sampler: a proposal is published before the next one is made.
        with self._lock:
            search = self._search_for(study, search_space)
            trials = get_trials(study, use_cache=False)
            entropy = self._entropy(study, trial, trials)
            claim = self._claim(study, trial, trials, search, entropy)
        if claim is None:
            set_user_attr(study, trial, SOURCE_KEY, "fallback")
            return {}
        proposal, active = claim
        set_user_attr(study, trial, SOURCE_KEY, proposal.source)
        if proposal.prediction is not None:
            prediction = search.history.signed(proposal.prediction)
            set_user_attr(study, trial, PREDICTION_KEY, prediction)
        return self._complete(active, search_space, [entropy, 3, trial.number])

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Sample a parameter that no proposal holds."""
        if self._warn_independent_sampling:
            self._warn_if_known(study, trial, param_name)
        if self._independent_sampler is not None:
            return self._independent_sampler.sample_independent(
                study, trial, param_name, param_distribution
            )
        name = int.from_bytes(param_name.encode(), "little")
        entropy = self._entropy(study, trial, get_trials(study, use_cache=True))
        rng = np.random.default_rng([entropy, 2, trial.number, name])
        return FlatSpace({param_name: param_distribution}).sample(rng, 1)[0][param_name]

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Mark an enqueued trial; a complete one never asks for a sample."""
        try:
            if trial.system_attrs.get("fixed_params"):
                set_user_attr(study, trial, SOURCE_KEY, "enqueued")
            if self._independent_sampler is not None:
                self._independent_sampler.before_trial(study, trial)
        except Exception as error:  # An error here would leave the trial running for ever.
            _logger.warning(f"`before_trial` of trial {trial.number} failed: {error!r}")

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tell the independent sampler."""
        if self._independent_sampler is None:
            return
        try:
            self._independent_sampler.after_trial(study, trial, state, values)
        except Exception as error:  # An error here would end the whole optimisation.
            _logger.warning(f"`after_trial` of trial {trial.number} failed: {error!r}")

    def _entropy(self, study: Study, trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> int:
        """The seed, or what workers without one agree on.

        Each trial that finds no entropy in the study keeps some, and what the first of them keeps
        is the study's. Whoever did not see that one yet does so at its next trial.
        """
        if self._seed is not None:
            return self._seed
        entropy = read_entropy(itertools.chain(trials, [trial]))
        if entropy is None:
            entropy = secrets.randbits(_ENTROPY_BITS)
            write_entropy(study, trial, entropy)
        return entropy

    def _claim(
        self,
        study: Study,
        trial: FrozenTrial,
        trials: Sequence[FrozenTrial],
        search: "_StudySearch",
        entropy: int,
    ) -> tuple[Proposal, dict[str, Any]] | None:
        """Publish a proposal that no other trial has; it is returned with its parameters.

        Workers propose at the same moment, too. So each looks again after it has published, and
        withdraws what another trial has published as well, or even finished: of two workers, the
        one that looks last sees the other's proposal.
        """
        withdrawn: set[bytes] = set()  # Each time another one: it ends.
        n_skipped = 0
        while True:
            search.history.update(trials)
            taken = search.history.taken(trials, but=trial.number) | withdrawn
            query = Query(
                observations=search.history.observations,
                taken=taken,
                fixed=search.space.fixed_tokens(fixed_params(study, trial)),
                cost_limits=search.history.cost_limits,
                number=trial.number,
                n_skipped=n_skipped,
                seed=entropy,
            )
            proposal = self._propose(search, query)
            if proposal is None:
                return None
            active = search.space.tokens_to_params(proposal.tokens[None])[0]
            publish_params(study, trial, active)
            key = search.history.key(active)
            trials = get_trials(study, use_cache=False)
            search.history.update(trials)
            # If all is taken, a repetition is meant.
            if key in taken or key not in search.history.taken(trials, but=trial.number):
                return proposal, active
            withdrawn.add(key)
            # The others probably withdraw it, too: each takes another one of the next ones.
            running = search.history.running(trials)
            n_skipped = sum(k == key for number, k in running.items() if number < trial.number)
            trial = next(t for t in trials if t.number == trial.number)

    def _propose(self, search: "_StudySearch", query: Query) -> Proposal | None:
        try:
            proposal = search.core.propose(query)
        except Exception as error:  # A study must not die of its sampler.
            _logger.warning(
                f"Trial {query.number} is sampled at random, because the model of "
                f"{type(self).__name__} failed: {type(error).__name__}: {error}"
            )
            rng = np.random.default_rng([query.seed, 4, query.number])
            proposal = propose_random(search.space, query, rng, source="fallback")
        if proposal is None:
            _logger.warning(
                f"Trial {query.number} is sampled independently: no valid architecture that is "
                "within the limits has its fixed parameters."
            )
        return proposal

    def _search_for(
        self, study: Study, search_space: Mapping[str, BaseDistribution]
    ) -> "_StudySearch":
        """The search in the space in which the asked parameters make an architecture."""
        space = self._space
        if space is not None and _includes(space.distributions, search_space):
            distributions = space.distributions
        else:
            space = None
            distributions = self._known_parameters(study)
            if not _includes(distributions, search_space):
                distributions = dict(search_space)
        key = study_key(study), tuple(distributions.items())
        return keep(
            self._searches,
            key,
            lambda: self._new_search(
                study, space or recognize(distributions) or FlatSpace(distributions)
            ),
        )

    def _new_search(self, study: Study, space: SearchSpace[Any]) -> "_StudySearch":
        config = self._config.flat if space.vocabulary is None else self._config.declared
        if self._n_startup_trials is not None:
            config = replace(config, n_startup_trials=self._n_startup_trials)

        def controller() -> Controller:
            return make_controller(
                space,
                predictor=config.predictor,
                with_descriptors=config.with_descriptors,
                with_costs=any(s.needs_cost_predictor for s in config.strategies),
                config=self._config.controller,
                semi_supervised=self._config.semi_supervised,
                device=self._device,
            )

        core = LatentSearch(space, controller, config)
        path = missing_weights(space, self._config.controller)
        if path is not None and self._config.semi_supervised is None:
            _logger.info(
                f"The autoencoder of {type(space).__name__} is trained once, while the first "
                f"trials run, and kept in {path.parent}."
            )
            core.prepare()
        return _StudySearch(space, History(space, study.directions), core)

    def _known_parameters(self, study: Study) -> dict[str, BaseDistribution]:
        union = keep(self._unions, study_key(study), ParameterUnion)
        return union.update(get_trials(study, use_cache=True))

    def _complete(
        self,
        params: dict[str, Any],
        search_space: dict[str, BaseDistribution],
        seeds: Sequence[int],
    ) -> dict[str, Any]:
        """Exactly the asked parameters; those thought inactive are drawn, in case they are not."""
        if not search_space.keys() <= params.keys():
            rng = np.random.default_rng(seeds)
            params = FlatSpace(search_space).sample(rng, 1)[0] | params
        return {name: params[name] for name in search_space}

    def _warn_if_known(self, study: Study, trial: FrozenTrial, param_name: str) -> None:
        """Follow Optuna: a parameter's first appearance is no reason to warn."""
        with self._lock:
            is_known = param_name in self._known_parameters(study)
        if not is_known:
            return
        independent = self._independent_sampler
        reason = "its range differs from the one that was seen last"
        if self._space is not None and param_name not in self._space.distributions:
            reason = "it is no parameter of the declared search space"
        _logger.warning(
            INDEPENDENT_SAMPLING_WARNING.format(
                param_name=param_name,
                trial_number=trial.number,
                independent_sampler_name=type(independent or self).__name__,
                sampler_name=type(self).__name__,
                fallback_reason=reason,
            )
        )


class _StudySearch(NamedTuple):
    """What is kept for one study and one space; a cache, never more."""

    space: SearchSpace[Any]
    history: History
    core: LatentSearch


def _includes(
    distributions: Mapping[str, BaseDistribution], asked: Mapping[str, BaseDistribution]
) -> bool:
    return all(distributions.get(name) == d for name, d in asked.items())
