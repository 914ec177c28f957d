"""What objectives have in common that run the networks of architectures."""

import abc
from collections.abc import Mapping
from collections.abc import Sequence
import hashlib
from typing import Any
from typing import TypeVar

import optuna
from optuna.trial import TrialState

from optuna_dnas.objectives._architecture_objective import ArchitectureObjective
from optuna_dnas.objectives._architecture_objective import LATENCY
from optuna_dnas.objectives.training._device import InsufficientMemoryError
from optuna_dnas.objectives.training._latency import LatencyMeter
from optuna_dnas.objectives.training._trainer import DivergedError
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import Limits
from optuna_dnas.search_space import SearchSpace


ArchitectureT = TypeVar("ArchitectureT")

_LATENCY = LATENCY.name


class NetworkObjective(ArchitectureObjective[ArchitectureT]):
    """Runs the network of an architecture, unless the study knows already what will come of it.

    Latency is measured first, if it is optimised or limited: what is slower than allowed is pruned
    without more. So is, with the reason in ``failure``, what diverges or needs too much memory.

    Args:
        space: The space of the architectures. Its limits are recorded as constraints.
        measured: The metrics that :meth:`_run` gives.
        metrics: What to optimise.
        digest_key: The user attribute of a trial that tells which results are comparable.
        latency_meter: Measures ``"latency"``; it may be `None` if nobody asks for that.
        limits: Of costs and of ``"latency"``, in milliseconds.
        cost_names: The costs that limits may be of; by default those that the space knows.
        reuse: Whether the study is asked first.
    """

    def __init__(
        self,
        space: SearchSpace[ArchitectureT],
        *,
        measured: Sequence[str],
        metrics: Sequence[str],
        digest_key: str,
        latency_meter: LatencyMeter[ArchitectureT] | None,
        limits: Limits | None,
        cost_names: Sequence[str] | None = None,
        reuse: bool = True,
    ) -> None:
        names = space.cost_names if cost_names is None else cost_names
        bounds = CostLimits(limits)
        bounds.check_names((*names, _LATENCY))
        self._cost_limits, self._latency_limits = bounds.of(names), bounds.of((_LATENCY,))
        super().__init__(
            space,
            measured=measured,
            metrics=metrics,
            limits=self._cost_limits if space.knows_costs else None,
        )
        is_asked_for = bool(self._latency_limits) or _LATENCY in metrics
        if is_asked_for and latency_meter is None:
            raise ValueError(
                "`latency_meter` must be given if latency is optimised or limited, but got None."
            )
        self._meter = latency_meter if is_asked_for else None
        self._digest_key = digest_key
        self._reuse = reuse

    @property
    def cost_limits(self) -> CostLimits:
        """Those of costs, also where the space does not know them."""
        return self._cost_limits

    @property
    def limits(self) -> dict[str, float]:
        """All of them, by the keys of their constraints."""
        return super().limits | self._latency_limits.by_key

    @property
    def latency_conditions(self) -> dict[str, Any]:
        """What must be equal for latencies to be compared; empty where none is measured."""
        return {} if self._meter is None else self._meter.conditions

    @abc.abstractmethod
    def _run(self, architecture: ArchitectureT, trial: optuna.Trial | None) -> dict[str, float]:
        """The metrics of an architecture by name; may report to the trial, and be pruned."""

    @abc.abstractmethod
    def _digest_text(self) -> str:
        """Differs for all that makes a difference to what :meth:`_run` gives."""

    def _measured_excesses(self, architecture: ArchitectureT) -> dict[str, float]:
        if self._meter is None or not self._latency_limits:
            return {}
        return self._latency_limits.excesses(self._measure_latency(architecture))

    def _measure(
        self, architecture: ArchitectureT, trial: optuna.Trial | None
    ) -> dict[str, float]:
        if trial is None:
            is_optimised = _LATENCY in self._metrics
            latency = self._measure_latency(architecture) if is_optimised else {}
            return latency | self._run(architecture, None)
        digest = self._digest()
        trial.set_user_attr(self._digest_key, digest)
        known = self._find_results(architecture, digest, trial) if self._reuse else None
        if known is not None:
            self._keep_latency(known, trial)
            return known
        try:
            latency = self._measure_latency(architecture)
            self._keep_latency(latency, trial)
            return latency | self._run(architecture, trial)
        except (DivergedError, InsufficientMemoryError) as error:
            trial.set_user_attr("failure", str(error))
            message = str(error)
        # Outside of the handler: the new error must not hold on to the old one's frames.
        raise optuna.TrialPruned(message)

    def _measure_latency(self, architecture: ArchitectureT) -> dict[str, float]:
        return {} if self._meter is None else {_LATENCY: self._latency(self._meter, architecture)}

    def _latency(self, meter: LatencyMeter[ArchitectureT], architecture: ArchitectureT) -> float:
        return meter.measure(architecture)

    def _keep_latency(self, results: Mapping[str, float], trial: optuna.Trial) -> None:
        """Before all else: what is too slow is not worth it."""
        if self._meter is None:
            return
        latency = results[_LATENCY]
        for name, value in ({_LATENCY: latency} | self._meter.conditions).items():
            trial.set_user_attr(name, value)
        excesses = self._latency_limits.excesses({_LATENCY: latency})
        for key, excess in excesses.items():
            trial.set_constraint(key, excess)
        broken = [key for key, excess in excesses.items() if excess > 0]
        if broken:
            bound = self._latency_limits.by_key[broken[0]]
            side = "more" if latency > bound else "less"
            raise optuna.TrialPruned(f"{latency:.4g} ms are {side} than {bound:.4g}.")

    def _find_results(
        self, architecture: ArchitectureT, digest: str, trial: optuna.Trial
    ) -> dict[str, float] | None:
        """The metrics of an equivalent architecture that the study has completed.

        The trial keeps the number of the one that measured them in ``reused_from``.
        """
        wanted = {"architecture_hash": self.space.hash(architecture), self._digest_key: digest}
        names = self._measured if self._meter is None else (*self._measured, _LATENCY)
        complete = trial.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        for other in complete:
            attrs = other.user_attrs
            if all(attrs.get(key) == value for key, value in wanted.items()):
                trial.set_user_attr("reused_from", attrs.get("reused_from", other.number))
                known = attrs | dict(zip(self._metrics, other.values, strict=True))
                return {name: known[name] for name in names}
        return None

    def _digest(self) -> str:
        """Of the machine that is at work, which may not be the one that the objective is from."""
        text = self._digest_text()
        if self._meter is not None:
            text += f" {self._meter.config} {self._meter.conditions}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]
