"""`DNASSampler`: the adapter between an Optuna study and the search."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
import itertools
import secrets
import threading
from typing import Any
from typing import NamedTuple
import warnings

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from optuna_dnas._declaration import declare_space
from optuna_dnas._declaration import declared_space
from optuna_dnas._history import History
from optuna_dnas._history import keep
from optuna_dnas._history import ParameterUnion
from optuna_dnas._optuna_compat import contains
from optuna_dnas._optuna_compat import fixed_params
from optuna_dnas._optuna_compat import get_logger
from optuna_dnas._optuna_compat import get_trials
from optuna_dnas._optuna_compat import mark_error
from optuna_dnas._optuna_compat import process_constraints
from optuna_dnas._optuna_compat import publish_params
from optuna_dnas._optuna_compat import read_entropy
from optuna_dnas._optuna_compat import set_user_attr
from optuna_dnas._optuna_compat import SOURCE_KEY
from optuna_dnas._optuna_compat import study_key
from optuna_dnas._optuna_compat import write_entropy
from optuna_dnas.config import DNASConfig
from optuna_dnas.controller import Controller
from optuna_dnas.controller import make_controller
from optuna_dnas.controller import missing_weights
from optuna_dnas.exceptions import InvalidSpaceError
from optuna_dnas.search_space import AskedParameters
from optuna_dnas.search_space import check_space
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import method_of_space
from optuna_dnas.search_space import recognize
from optuna_dnas.search_space import recognize_part
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.search_space import space_to_json
from optuna_dnas.search_space import together
from optuna_dnas.strategies import LatentSearch
from optuna_dnas.strategies import Proposal
from optuna_dnas.strategies import propose_random
from optuna_dnas.strategies import Query


_logger = get_logger(__name__)

PREDICTION_KEY = "dnas:prediction"

_MAX_LISTED = 5  # names in a message
_MAX_PROPOSED = 1_024  # trials that may be running at once in one process
# Of the entropy of a study: any reader of JSON holds such a number exactly.
_ENTROPY_BITS = 53


class DNASSampler(BaseSampler):
    """Disentangled Neural Architecture Search.

    Architectures become points of a latent space, whose dimensions stand for a few meaningful
    factors. The sampler looks where those factors of the best architectures lie, screens what it
    finds there with predictors, and proposes what no trial has evaluated or is evaluating.

    It serves any study. The objectives of this package tell the study their space, and a built-in
    one is recognised by its parameters. Whatever an objective suggests beside them, a learning
    rate, say, is searched together with the architecture. Any other study is searched on the
    parameters themselves. Conditional parameters are learned to be conditional.

    A trial whose worker was killed keeps its architecture from other trials until it has been
    running for 30 minutes, and for five times as long as any complete trial of the study took.

    What failed, or was pruned before it reported anything, or has an infinitely bad value, is
    learned from, too: candidates that will probably end like it are postponed. What an error ended
    may be tried again, as long as such attempts succeed now and then; an interruption (Ctrl-C, an
    expired heartbeat) says nothing. A pruned trial counts by how it compared with others at the
    same step, or by its last report where complete trials show that this stands for a value.

    Every trial keeps where it came from (``dnas:source``: startup, dense, local, prior, gradient,
    edge, fallback, or enqueued) and what was predicted (``dnas:prediction``, one number an
    objective) as user attributes.

    Example::

        study = optuna.create_study(direction="maximize", sampler=DNASSampler(seed=0))
        study.optimize(objective, n_trials=150)

    Args:
        space: The architecture space; by default it is the one that the study tells, or it is
            recognised. No proposal breaks its limits. A limit of cost that it was not declared
            with (a constraint called ``max_params``, say) is known where all finished trials tell
            the same one; any other constraint is predicted, whatever its name. A space of
            your own is checked by `check_space` before the first trial, and a mistake in it is
            raised.
        seed: Of all draws. One seed gives the same trials, in another process too. Without one,
            the study keeps what its first worker drew: all workers go on from the same entropy,
            also after a restart.
        n_startup_trials: Random architectures before the model is first asked; by default 16
            for a built-in architecture space and 10 for any other.
        config: All other settings.
        independent_sampler: For parameters that the sampler cannot foresee; by default they are
            drawn uniformly.
        warn_independent_sampling: Whether to warn when that happens.
        constraints_func: As of Optuna's own samplers, and as deprecated: call
            ``trial.set_constraint`` in the objective instead.
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
        constraints_func: Callable[[FrozenTrial], Sequence[float]] | None = None,
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
        if constraints_func is not None:
            warnings.warn(
                "`constraints_func` is deprecated: call `trial.set_constraint(name, value)` in "
                "the objective, feasible where the value is not positive.",
                FutureWarning,
                stacklevel=2,
            )
        self._space = space
        self._n_startup_trials = n_startup_trials
        self._config = config or DNASConfig()
        self._independent_sampler = independent_sampler
        self._warn_independent_sampling = warn_independent_sampling
        self._constraints_func = constraints_func
        self._device = device
        self._seed = seed
        self._lock = threading.RLock()
        self._unions: dict[Any, ParameterUnion] = {}
        self._searches: dict[Any, _StudySearch] = {}
        self._told: set[Any] = set()  # what need not be said twice
        self._is_checked = space is None or not space.has_own_code
        self._proposed: dict[Any, dict[str, Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the lock, and the caches of studies."""
        caches: dict[str, Any] = {"_unions": {}, "_searches": {}, "_proposed": {}}
        return self.__dict__ | {"_lock": None} | caches

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
        """All parameters of the architecture space, and all that finished trials had."""
        with self._lock:
            _, distributions, other_ranges = self._asked(study)
        # A range may hold a single value where another one of the same parameter does not.
        several = {name: distributions[name] for name in other_ranges}
        return _without_single(distributions) | several

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Propose an architecture that fits what is already fixed."""
        with self._lock:
            self._remember(study, trial, {})
        if not search_space:
            set_user_attr(study, trial, SOURCE_KEY, "startup")
            return {}
        # Threads share a sampler: a proposal is published before the next one is made.
        with self._lock:
            try:
                search = self._search_for(study, search_space)
                trials = get_trials(study, use_cache=False)
                entropy = self._entropy(study, trial, trials)
                claim = self._claim(study, trial, trials, search, entropy)
            except _MistakeError as mistake:
                raise mistake.error from None
            except Exception as error:  # A study must not die of its sampler.
                self._warn_of_failure(trial, error)
                set_user_attr(study, trial, SOURCE_KEY, "fallback")
                return self._complete({}, search_space, [trial.number, 3])
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
        """Sample a parameter that no proposal holds.

        Asked by a sampler whose ``independent_sampler`` this one is, propose what fits the
        parameters that the trial has.
        """
        with self._lock:
            if self._recall(study, trial) is None:
                relative_space = self.infer_relative_search_space(study, trial)
                proposed = self.sample_relative(study, trial, relative_space)
                self._remember(study, trial, proposed)
            proposed = self._recall(study, trial) or {}
        if param_name in proposed and contains(param_distribution, proposed[param_name]):
            return proposed[param_name]
        if self._warn_independent_sampling and not proposed:
            self._warn_if_known(study, trial, param_name)
        if self._independent_sampler is not None:
            return self._independent_sampler.sample_independent(
                study, trial, param_name, param_distribution
            )
        entropy = self._entropy(study, trial, get_trials(study, use_cache=True))
        name = int.from_bytes(param_name.encode(errors="surrogatepass"), "little")
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
        """Keep why a trial failed, and tell the independent sampler."""
        if self._constraints_func is not None:
            process_constraints(self._constraints_func, study, trial, state)
        try:
            if state == TrialState.FAIL:
                mark_error(study, trial)
            if self._independent_sampler is None:
                return
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
        history = search.history
        withdrawn: set[bytes] = set()  # Each time another one: it ends.
        n_skipped = 0
        while True:
            history.update(trials)
            self._warn_if_incomplete(study, search)
            taken = history.taken(trials, but=trial.number) | withdrawn
            failed = history.open(trials, but=trial.number)
            query = Query(
                observations=history.observations,
                taken=taken,
                open={key: n for key, n in failed.items() if key not in withdrawn},
                fixed=search.space.fixed_tokens(fixed_params(study, trial)),
                cost_limits=history.cost_limits,
                number=trial.number,
                n_skipped=n_skipped,
                seed=entropy,
            )
            proposal = self._propose(search, trial, query)
            if proposal is None:
                return None
            active = search.space.tokens_to_params(proposal.tokens[None])[0]
            publish_params(study, trial, active)
            key = history.key(active)
            trials = get_trials(study, use_cache=False)
            history.update(trials)
            # If all is taken, a repetition is meant.
            is_meant = key in taken and key not in query.open
            free = history.open(trials, but=trial.number)
            if is_meant or key in free or key not in history.taken(trials, but=trial.number):
                return proposal, active
            withdrawn.add(key)
            # The others probably withdraw it, too: each takes another one of the next ones.
            running = history.running(trials)
            n_skipped = sum(k == key for number, k in running.items() if number < trial.number)
            trial = next(t for t in trials if t.number == trial.number)

    def _propose(
        self, search: "_StudySearch", trial: FrozenTrial, query: Query
    ) -> Proposal | None:
        try:
            proposal = search.core.propose(query)
        except Exception as error:  # A study must not die of its sampler.
            place = method_of_space(error, search.space)
            if place is not None:
                error.add_note(f"`{place}` failed: see `optuna_dnas.search_space.check_space`.")
                raise _MistakeError(error) from error
            self._warn_of_failure(trial, error)
            rng = np.random.default_rng([query.seed, 4, query.number])
            proposal = propose_random(search.space, query, rng, source="fallback")
        if proposal is None:
            _logger.warning(
                f"Trial {query.number} is sampled independently: no valid architecture that is "
                "within the limits has its fixed parameters."
            )
        return proposal

    def _warn_of_failure(self, trial: FrozenTrial, error: Exception) -> None:
        _logger.warning(
            f"Trial {trial.number} is sampled at random, because the model of "
            f"{type(self).__name__} failed: {type(error).__name__}: {error}"
        )
        _logger.debug(f"Where it failed in trial {trial.number}:", exc_info=error)

    def _check_own_space(self) -> None:
        """Raise a mistake in the user's own space before it costs an evaluation."""
        if self._is_checked or self._space is None:
            return
        try:
            check_space(self._space)
        except InvalidSpaceError as error:
            raise _MistakeError(error) from error
        self._is_checked = True

    def _search_for(
        self, study: Study, search_space: Mapping[str, BaseDistribution]
    ) -> "_StudySearch":
        """The search in the space in which the asked parameters make an architecture."""
        self._check_own_space()
        space, distributions, other_ranges = self._asked(study)
        if not _includes(distributions, search_space):
            space, distributions, other_ranges = None, dict(search_space), {}
        # By name: choices that cannot be hashed are no key. What is unchanged is the same object.
        declaration = None if space is None else space_to_json(space)
        key = study_key(study), declaration, tuple(distributions)
        search = self._searches.get(key)
        if search is not None and search.parameters == (distributions, other_ranges):
            return search
        self._searches.pop(key, None)
        if space is not None and declared_space(study) is None:
            declare_space(study, space)  # For plots, and for workers that are not told.
        space = self._compose(study, space, distributions, other_ranges)
        core = self._new_core(space)
        history = History(space, study.directions)
        new = _StudySearch(space, history, core, (distributions, other_ranges))
        return keep(self._searches, key, lambda: new)

    def _asked(
        self, study: Study
    ) -> tuple[
        SearchSpace[Any] | None,
        Mapping[str, BaseDistribution],
        Mapping[str, Sequence[BaseDistribution]],
    ]:
        """The declared space, if any, and all parameters with their distributions.

        The order does not change when a trial has shown the parameters of the space, too.
        """
        space, known = self._declared_for(study), self._known_parameters(study)
        if space is None:
            return None, known.distributions, known.other_ranges
        own = space.distributions
        if self._is_joint_trained:
            return space, own, {}
        others = {name: r for name, r in known.other_ranges.items() if name not in own}
        return space, own | known.distributions | own, others

    def _declared_for(self, study: Study) -> SearchSpace[Any] | None:
        """The space of the sampler, or the one that the study's objective declares."""
        return self._space or declared_space(study)

    def _compose(
        self,
        study: Study,
        space: SearchSpace[Any] | None,
        distributions: Mapping[str, BaseDistribution],
        other_ranges: Mapping[str, Sequence[BaseDistribution]],
    ) -> SearchSpace[Any]:
        """A declared space, or a built-in one that has some of the parameters, and all others."""
        if space is None and not self._is_joint_trained:
            space = recognize_part(distributions)
        elif space is None:
            space = recognize(distributions)
        composed = together(space, distributions, other_ranges)
        for beside in composed.parts[1:]:
            names = sorted(beside.distributions)
            if self._is_news(study, ("beside", *names)):
                _logger.info(
                    f"The architectures of {type(space).__name__} are searched together with "
                    f"{_listed(names)}."
                )
        return composed

    def _new_core(self, space: SearchSpace[Any]) -> LatentSearch:
        config = self._config.search_in(space)
        if self._n_startup_trials is not None:
            config = replace(config, n_startup_trials=self._n_startup_trials)

        def controller() -> Controller:
            return make_controller(
                space,
                predictor=config.predictor,
                with_tokens=config.with_tokens,
                with_descriptors=config.with_descriptors,
                with_costs=any(s.needs_cost_predictor for s in config.strategies),
                config=self._config.controller,
                semi_supervised=self._config.semi_supervised,
                device=self._device,
            )

        core = LatentSearch(space, controller, config)
        path = missing_weights(space.parts[0], self._config.controller)
        if path is not None and self._config.semi_supervised is None:
            if path not in self._told:
                self._told.add(path)
                _logger.info(
                    f"The autoencoder of {type(space.parts[0]).__name__} is trained once, while "
                    f"the first trials run, and kept in {path.parent}."
                )
            core.prepare()
        return core

    @property
    def _is_joint_trained(self) -> bool:
        """Whether encoder, decoder and predictors learn together, as in the paper."""
        return self._config.semi_supervised is not None

    def _known_parameters(self, study: Study) -> AskedParameters:
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
            known = self._known_parameters(study)
            if param_name not in known.distributions:
                return
            space = self._declared_for(study)
            is_left_out = (
                self._is_joint_trained
                and space is not None
                and param_name not in space.distributions
            )
            if is_left_out and not self._is_news(study, ("beside", param_name)):
                return
        if not is_left_out and not known.foretells_range(param_name):
            return
        independent = self._independent_sampler
        how = "drawn uniformly" if independent is None else f"left to {type(independent).__name__}"
        if is_left_out:
            _logger.warning(
                f"`{param_name}` is {how}, in this trial ({trial.number}) and in all others: it "
                f"is no parameter of the declared {type(space).__name__}, and the search of the "
                "paper models only those."
            )
        else:
            _logger.warning(
                f"`{param_name}` of trial {trial.number} is {how}: its range is not the one that "
                "was seen last, for which there is a proposal."
            )

    def _warn_if_incomplete(self, study: Study, search: "_StudySearch") -> None:
        trial = search.history.first_incomplete
        if trial is None or not self._is_news(study, "incomplete"):
            return
        missing = sorted(search.space.distributions.keys() - trial.params.keys())
        _logger.warning(
            f"Trial {trial.number} did not ask for {_listed(missing)}, which an architecture of "
            f"{type(search.space).__name__} has. Such a trial counts for the whole architecture "
            "that was proposed to it; if none was, it teaches nothing. Ask for all parameters "
            "(`space.suggest(trial)`), or leave out `space=`: which of them exist is then learned."
        )

    def _is_news(self, study: Study, what: Any) -> bool:
        """Whether something is said for the first time of a study."""
        key = study_key(study), what
        is_news = key not in self._told
        self._told.add(key)
        return is_news

    def _remember(self, study: Study, trial: FrozenTrial, proposed: dict[str, Any]) -> None:
        while len(self._proposed) >= _MAX_PROPOSED:
            del self._proposed[next(iter(self._proposed))]
        self._proposed[study_key(study), trial.number] = proposed

    def _recall(self, study: Study, trial: FrozenTrial) -> dict[str, Any] | None:
        """What was proposed to a sampler that asks for single parameters.

        Nothing to a trial that has the whole of its proposal; `None`: nobody has asked yet.
        """
        return self._proposed.get((study_key(study), trial.number))


class _StudySearch(NamedTuple):
    """What is kept for one study and one space; a cache, never more."""

    space: SearchSpace[Any]
    history: History
    core: LatentSearch
    parameters: tuple[Mapping[str, BaseDistribution], Mapping[str, Sequence[BaseDistribution]]]
    """Distributions, and other ranges: what the space was made for."""


class _MistakeError(Exception):
    """A mistake in a user's space, which is raised."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def _listed(names: Sequence[str]) -> str:
    shown = [f"`{name}`" for name in names[:_MAX_LISTED]]
    if len(names) > _MAX_LISTED:
        shown.append(f"{len(names) - _MAX_LISTED} more")
    return ", ".join(shown)


def _includes(
    distributions: Mapping[str, BaseDistribution], asked: Mapping[str, BaseDistribution]
) -> bool:
    return all(distributions.get(name) == d for name, d in asked.items())


def _without_single(distributions: Mapping[str, BaseDistribution]) -> dict[str, BaseDistribution]:
    return {name: d for name, d in distributions.items() if not d.single()}
