"""What a study has evaluated, as arrays: where figures and reports begin.

N: trials, T: tokens, M: objectives, K: costs.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple
from typing import TYPE_CHECKING

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from optuna_dnas._declaration import declared_metrics
from optuna_dnas._declaration import declared_space
from optuna_dnas._history import ParameterUnion
from optuna_dnas._metric import Metric
from optuna_dnas._optuna_compat import get_logger
from optuna_dnas._optuna_compat import get_trials
from optuna_dnas._optuna_compat import SOURCE_KEY
from optuna_dnas._trials import is_feasible
from optuna_dnas._trials import read_tokens
from optuna_dnas._trials import signs_of
from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller import ControllerConfig
from optuna_dnas.controller import Latent
from optuna_dnas.controller import make_latent
from optuna_dnas.controller import missing_weights
from optuna_dnas.interpret._presets import guided_config
from optuna_dnas.search_space import recognize_part
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.search_space import together


if TYPE_CHECKING:
    from optuna_dnas.controller import DisentangledLatent


_logger = get_logger(__name__)


class Evaluated(NamedTuple):
    """The completed trials of a study whose parameters make an architecture, in their order."""

    space: SearchSpace[Any]
    metric_names: tuple[str, ...]  # M
    signs: FloatArray  # (M,) times the values: minimised
    trials: tuple[FrozenTrial, ...]  # N
    tokens: TokenArray  # (N, T), canonical
    values: FloatArray  # (N, M), finite, in the study's directions
    cost_names: tuple[str, ...]  # K; none where costs are unknown
    costs: FloatArray  # (N, K) as the trials tell, or else the space
    is_feasible: BoolArray  # (N,)
    sources: tuple[str, ...]  # N
    units: Mapping[str, str]  # of what its objective measures, by name

    @property
    def numbers(self) -> IntArray:
        """(N,) numbers of the trials."""
        return np.array([trial.number for trial in self.trials], dtype=np.int64)

    @property
    def losses(self) -> FloatArray:
        """(N, M) values to be minimised."""
        return self.values * self.signs

    @property
    def improvements(self) -> BoolArray:
        """(N,) feasible trials that no earlier one is as good as in every objective."""
        losses = np.where(self.is_feasible[:, None], self.losses, np.inf)
        improves = self.is_feasible.copy()
        for n in range(1, len(losses)):
            improves[n] &= not (losses[:n] <= losses[n]).all(axis=1).any()
        return improves

    def objective(self, target: str | None) -> int:
        """The column of an objective, by default the first one.

        Raises:
            ValueError: There is no such objective.
        """
        if target is None:
            return 0
        if target not in self.metric_names:
            raise ValueError(f"`target` must be one of {self.metric_names}, but got {target!r}.")
        return self.metric_names.index(target)

    def best_rows(self, n: int, column: int) -> IntArray:
        """At most ``n`` rows, of different architectures, the best in one objective first."""
        ranking = self.ranking(column)
        _, first = np.unique(self.tokens[ranking], axis=0, return_index=True)
        return ranking[np.sort(first)[:n]]

    def architectures(self, rows: IntArray) -> list[Any]:
        """The canonical architectures of some rows."""
        params = self.space.tokens_to_params(self.tokens[rows])
        return [self.space.params_to_architecture(p) for p in params]

    def ranking(self, column: int) -> IntArray:
        """(N,) rows, the best in one objective first; what breaks a constraint comes last."""
        return np.lexsort((self.numbers, self.losses[:, column], ~self.is_feasible))

    def latent(self, config: ControllerConfig | None = None) -> Latent:
        """The latent space in which the sampler searches. Only a space with structure needs torch.

        Args:
            config: What the sampler's ``DNASConfig.controller`` was.
        """
        return make_latent(self.space, config, device="cpu")

    def of_architectures(self) -> "Evaluated":
        """The same without the parameters beside the architecture."""
        return self._replace(
            space=self.space.parts[0], tokens=self.space.architecture_tokens(self.tokens)
        )

    def explanatory_latent(self) -> "DisentangledLatent":
        """A latent space to explain architectures by, without the parameters beside them.

        The one that is told the factors of the space (`guided_config`) where its weights ship
        with the package, else that of the search.

        Raises:
            ValueError: The space is not declared: its latents are the parameters themselves.
        """
        from optuna_dnas.controller import DisentangledLatent

        space = self.space.parts[0]
        guided = guided_config(space)
        is_known = guided is not None and missing_weights(space, guided) is None
        latent = make_latent(space, guided if is_known else None, device="cpu")
        if not isinstance(latent, DisentangledLatent):
            raise ValueError("`study` has a space without a decoder: its latents are parameters.")
        return latent


def evaluated(study: Study, space: SearchSpace[Any] | None = None) -> Evaluated:
    """Read a study.

    Args:
        study: Any study.
        space: Its architecture space; by default the one that the study keeps, or else it is
            recognized as the sampler does. The parameters beside it are there, too.

    Raises:
        ValueError: No trial is completed.
    """
    trials = _finite(get_trials(study, states=(TrialState.COMPLETE,), use_cache=False))
    known = ParameterUnion().update(trials)
    space = space or declared_space(study) or recognize_part(known.distributions)
    if known.distributions:
        space = together(space, known.distributions, known.other_ranges)
    if space is not None:
        rows, tokens = read_tokens(
            space, [trial.params for trial in trials], [trial.distributions for trial in trials]
        )
        trials = [trials[row] for row in rows]
    if space is None or not trials:
        raise ValueError(f"The study {study.study_name!r} has no completed trial.")
    metrics = declared_metrics(study)
    costs = _costs(space, trials, tokens, metrics)
    return Evaluated(
        space=space,
        metric_names=metric_names(study),
        signs=signs_of(study.directions),
        trials=tuple(trials),
        tokens=tokens,
        values=np.array([trial.values for trial in trials]),
        cost_names=costs.names,
        costs=costs.amounts,
        is_feasible=np.array([is_feasible(trial) for trial in trials]),
        sources=tuple(source_of(trial) for trial in trials),
        units={metric.name: metric.unit for metric in metrics},
    )


def metric_names(study: Study) -> tuple[str, ...]:
    """The names of the objectives; ``value``, or ``value 0`` and so on, if they have none."""
    if study.metric_names is not None:
        return tuple(study.metric_names)
    n = len(study.directions)
    return ("value",) if n == 1 else tuple(f"value {k}" for k in range(n))


def source_of(trial: FrozenTrial) -> str:
    """Which part of the search proposed a trial; ``independent`` if it was no `DNASSampler`."""
    return str(trial.user_attrs.get(SOURCE_KEY, "independent"))


def _finite(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    finite = [trial for trial in trials if np.isfinite(trial.values).all()]
    if len(finite) < len(trials):
        _logger.warning(f"{len(trials) - len(finite)} trials with infinite values are left out.")
    return finite


class _Costs(NamedTuple):
    names: tuple[str, ...]  # K
    amounts: FloatArray  # (N, K)


def _costs(
    space: SearchSpace[Any],
    trials: Sequence[FrozenTrial],
    tokens: TokenArray,
    metrics: Sequence[Metric],
) -> _Costs:
    """What was recorded is of the architecture as it was written, and of the network it was in.

    Of a space that knows no costs, those are costs that all trials have recorded, and that are
    better the less they are.
    """
    minimized = [metric.name for metric in metrics if metric.direction == "minimize"]
    recorded = tuple(
        name
        for name in space.cost_names or minimized
        if all(name in trial.user_attrs for trial in trials)
    )
    known = space.cost_names or recorded
    if recorded == known:
        amounts = np.array([[trial.user_attrs[name] for name in known] for trial in trials])
        return _Costs(known, amounts)
    costs = space.token_costs(tokens)
    assert costs is not None
    return _Costs(known, costs)
