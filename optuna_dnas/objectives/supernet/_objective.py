"""The objective that evaluates subnets with inherited weights."""

from collections.abc import Mapping
from collections.abc import Sequence
import math
from typing import Protocol
from typing import TypeVar

import optuna

from optuna_dnas._metric import Metric
from optuna_dnas._metric import SHARE
from optuna_dnas.objectives._architecture_objective import cost_metrics
from optuna_dnas.objectives._architecture_objective import LATENCY
from optuna_dnas.objectives._turns import exclusive
from optuna_dnas.objectives.training import DivergedError
from optuna_dnas.objectives.training import LatencyMeter
from optuna_dnas.objectives.training import NetworkObjective
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import Limits
from optuna_dnas.search_space import SearchSpace


ArchitectureT = TypeVar("ArchitectureT")

_COSTS = ("flops", "params")
_ACCURACY = Metric("validation_accuracy", unit=SHARE)


class WeightSharingModel(Protocol[ArchitectureT]):
    """What any weight-sharing model has to offer, to be searched by `SupernetObjective`.

    It needs no locks: objectives use a model in one thread at a time, also those of several
    studies.

    For example a network of one hidden layer, of which the first neurons are used::

        import torch
        from optuna.distributions import IntDistribution
        from optuna_dnas.search_space import Cost, FlatSpace

        class SlimmableModel:
            space = FlatSpace({"width": IntDistribution(1, 64)})

            def __init__(self, hidden, output, images, labels):
                self.hidden, self.output = hidden, output  # two layers, trained at all widths
                self.images, self.labels = images, labels  # held out from that training

            def activate(self, architecture):
                self.width = architecture["width"]

            def cost(self):
                n_weights = self.width * (self.hidden.in_features + self.output.out_features)
                n_biases = self.width + self.output.out_features
                return Cost(flops=n_weights, params=n_weights + n_biases)

            @torch.no_grad()
            def evaluate(self):
                neurons = self.hidden(self.images).relu()[:, : self.width]
                logits = neurons @ self.output.weight[:, : self.width].T + self.output.bias
                hits = logits.argmax(dim=1) == self.labels
                return {"validation_accuracy": hits.float().mean().item()}

            def digest(self):
                return "2,000 steps, seed 0"

        objective = SupernetObjective(SlimmableModel(...), limits={"flops": 2_000})
    """

    @property
    def space(self) -> SearchSpace[ArchitectureT]:
        """Its architectures; `FlatSpace` for parameters without structure."""

    def activate(self, architecture: ArchitectureT) -> None:
        """Make this the subnet that the other methods are about.

        Raises:
            OutOfDomainError: It is none of the model's: the trial is pruned.
        """

    def cost(self) -> Cost | None:
        """Of the active subnet; asked only if the space does not know it. `None`: unknown."""

    def evaluate(self) -> Mapping[str, float]:
        """What is offered of the active subnet, as a rule its ``validation_accuracy`` on data held
        out from training.

        It should be the same whatever was evaluated before. Test data are not for a search. What
        else it gives is kept as user attributes of the trial.

        Accuracy of logits that are NaN would look like any other: give NaN, or raise
        `DivergedError`, and the trial is pruned with the reason.
        """

    def digest(self) -> str:
        """Equal only for equal weights, data, and way to evaluate. Asked for at every trial."""


class SupernetObjective(NetworkObjective[ArchitectureT]):
    """What a subnet achieves with the weights of its supernet, and what it costs.

    Every trial keeps, as user attributes: ``architecture``, ``architecture_hash``, ``flops``
    (multiply-adds), ``params`` or other costs where they are known, ``validation_accuracy`` or
    what else is offered, unless it is optimised, and ``supernet_digest``, which is equal for equal
    digests of the model. A subnet that the study has evaluated with the same one is not evaluated
    again: the trial names the other one's number in ``reused_from``.

    If latency is optimised or limited, it is measured before the evaluation, and kept as
    ``latency`` (milliseconds), with ``latency_batch_size`` and ``latency_device``. What breaks
    its limit is pruned without being evaluated.

    Threads (``n_jobs``) take turns at a model: they gain nothing but what the sampler takes.
    Several GPUs: start a process for each, on one storage, with a model on its own device.

    Args:
        model: The supernet; see `WeightSharingModel`.
        metrics: What to optimise: names of what is ``offered``, of costs, or ``"latency"``.
        offered: What ``model.evaluate()`` measures.
        cost_names: The costs that ``model.cost()`` knows; by default those of its space, or, if
            that knows none, ``"flops"`` and ``"params"``.
        limits: The most of a cost or of ``"latency"``, or a pair of the least and the most. Each
            is recorded as a constraint, ``max_flops`` or ``min_flops``, say. If the space knows
            costs, the sampler that is given the objective's ``space`` proposes nothing beyond;
            else, and of latency, it predicts what will break a limit.
        latency_meter: Measures the networks of subnets. It is needed if latency is optimised or
            limited.

    Raises:
        ValueError: An argument is not what it should be; the message names it.
    """

    offered = (_ACCURACY, *cost_metrics(_COSTS), LATENCY)

    def __init__(
        self,
        model: WeightSharingModel[ArchitectureT],
        *,
        metrics: Sequence[str] = (_ACCURACY.name,),
        offered: Sequence[Metric] = (_ACCURACY,),
        cost_names: Sequence[str] | None = None,
        limits: Limits | None = None,
        latency_meter: LatencyMeter[ArchitectureT] | None = None,
    ) -> None:
        space = model.space
        names = space.cost_names or _COSTS if cost_names is None else cost_names
        self._evaluated = tuple(metric.name for metric in offered)
        self.offered = (*offered, *cost_metrics(names), LATENCY)
        super().__init__(
            space,
            measured=self._evaluated,
            metrics=metrics,
            digest_key="supernet_digest",
            latency_meter=latency_meter,
            limits=limits,
            cost_names=names,
        )
        self.model = model
        self._needed = (set(metrics) & set(names)) | set(self.cost_limits)

    def _cost(self, architecture: ArchitectureT) -> Cost | None:
        cost = self.space.cost(architecture)
        if cost is None:
            with exclusive(self.model) as model:
                model.activate(architecture)
                cost = model.cost()
        missing = self._needed - set(cost or ())
        if missing:
            raise ValueError(
                f"`model.cost()` must give {', '.join(sorted(missing))}, limited or optimised, "
                f"but got {cost}."
            )
        return cost

    def _run(self, architecture: ArchitectureT, trial: optuna.Trial | None) -> dict[str, float]:
        # As one: between the two, another thread would make another subnet the active one.
        with exclusive(self.model) as model:
            model.activate(architecture)
            results = {name: float(value) for name, value in model.evaluate().items()}
        measured = {}
        for name in self._evaluated:
            if name not in results:
                raise ValueError(f"`model.evaluate()` must give {name!r}, but got {results}.")
            measured[name] = results.pop(name)
            if not math.isfinite(measured[name]):
                raise DivergedError(f"The {name} of the subnet is {measured[name]}.")
        if trial is not None:
            _keep(results, trial)
        return measured

    def _latency(self, meter: LatencyMeter[ArchitectureT], architecture: ArchitectureT) -> float:
        # What the meter builds may be of the model, and be evaluated by another thread.
        with exclusive(self.model):
            return super()._latency(meter, architecture)

    def _digest_text(self) -> str:
        with exclusive(self.model) as model:
            return model.digest()


def _keep(results: Mapping[str, float], trial: optuna.Trial) -> None:
    for name, value in results.items():
        trial.set_user_attr(name, value)
