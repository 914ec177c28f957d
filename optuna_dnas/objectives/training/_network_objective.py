"""What objectives have in common that run the networks of architectures."""

import abc
from collections.abc import Mapping
from collections.abc import Sequence
import hashlib
import math
from typing import Any
from typing import TypeVar

import optuna
from optuna.trial import TrialState

from optuna_dnas.objectives._architecture_objective import ArchitectureObjective
from optuna_dnas.objectives._architecture_objective import Offered
from optuna_dnas.objectives.training._device import InsufficientMemoryError
from optuna_dnas.objectives.training._latency import LatencyMeter
from optuna_dnas.objectives.training._trainer import DivergedError
from optuna_dnas.search_space import SearchSpace


ArchitectureT = TypeVar("ArchitectureT")

_LATENCY = "latency"
_LATENCY_LIMIT = "max_latency"


class NetworkObjective(ArchitectureObjective[ArchitectureT]):
    """Runs the network of an architecture, unless the study knows already what will come of it.

    Latency is measured first, if it is optimised or limited: what is slower than allowed is pruned
    without more. So is, with the reason in ``failure``, what diverges or needs too much memory.

    Args:
        space: The space of the architectures. Its limits are recorded as constraints.
        measured: The metrics that :meth:`_run` gives.
        metrics: What to optimise.
        offered: What `metrics` may be of.
        digest_key: The user attribute of a trial that tells which results are comparable.
        latency_meter: Measures ``"latency"``; it may be `None` if nobody asks for that.
        max_latency: The most milliseconds allowed.
        reuse: Whether the study is asked first.
    """

    def __init__(
        self,
        space: SearchSpace[ArchitectureT],
        *,
        measured: Sequence[str],
        metrics: Sequence[str],
        offered: Offered,
        digest_key: str,
        latency_meter: LatencyMeter[ArchitectureT] | None,
        max_latency: float | None,
        reuse: bool = True,
    ) -> None:
        super().__init__(space, measured=measured, metrics=metrics, offered=offered)
        if max_latency is not None and not 0 < max_latency < math.inf:
            raise ValueError(f"`max_latency` must be positive and finite, but got {max_latency}.")
        is_asked_for = max_latency is not None or _LATENCY in metrics
        if is_asked_for and latency_meter is None:
            raise ValueError(
                "`latency_meter` must be given if latency is optimised or limited, but got None."
            )
        self._meter = latency_meter if is_asked_for else None
        self._max_latency = max_latency
        self._digest_key = digest_key
        self._reuse = reuse

    @property
    def limits(self) -> dict[str, float]:
        """All of them, by the keys of their constraints."""
        measured = {} if self._max_latency is None else {_LATENCY_LIMIT: self._max_latency}
        return super().limits | measured

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
        if self._meter is None or self._max_latency is None:
            return {}
        return {_LATENCY_LIMIT: self._latency(self._meter, architecture) - self._max_latency}

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
        if self._max_latency is None:
            return
        trial.set_constraint(_LATENCY_LIMIT, latency - self._max_latency)
        if latency > self._max_latency:
            raise optuna.TrialPruned(f"{latency:.4g} ms are more than {self._max_latency:.4g}.")

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
