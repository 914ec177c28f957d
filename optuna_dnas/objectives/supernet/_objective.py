"""The objective that evaluates subnets with inherited weights."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Protocol
from typing import TypeVar

import optuna

from optuna_dnas.objectives._architecture_objective import ArchitectureObjective
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import COST_NAMES
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import SearchSpace


ArchitectureT = TypeVar("ArchitectureT")

_ACCURACY = "validation_accuracy"
_DIGEST_KEY = "supernet_digest"


class WeightSharingModel(Protocol[ArchitectureT]):
    """What any weight-sharing model has to offer, to be searched by `SupernetObjective`.

    A model of your own, whose layers can be switched off::

        class SwitchedModel:
            def __init__(self, network, images, labels):
                self.network, self.images, self.labels = network, images, labels
                names = [f"use_{k}" for k in range(len(network.layers))]
                self.space = FlatSpace({n: CategoricalDistribution((True, False)) for n in names})

            def activate(self, architecture):
                self.network.active = [architecture[name] for name in self.space.distributions]

            def cost(self):
                n = sum(p.numel() for p in self.network.active_parameters())
                return Cost(flops=self.network.count_multiply_adds(), params=n)

            def evaluate(self):
                hits = self.network(self.images).argmax(dim=1) == self.labels
                return {"validation_accuracy": hits.float().mean().item()}

            def digest(self):
                return "switched, trained on Monday"
    """

    @property
    def space(self) -> SearchSpace[ArchitectureT]:
        """Its architectures; `FlatSpace` for parameters without structure."""

    def activate(self, architecture: ArchitectureT) -> None:
        """Make this the subnet that the other methods are about."""

    def cost(self) -> Cost | None:
        """Of the active subnet; asked only if the space does not know it. `None`: unknown."""

    def evaluate(self) -> Mapping[str, float]:
        """``validation_accuracy`` of the active subnet, on data held out from training.

        It should be the same whatever was evaluated before. Test data are not for a search.
        """

    def digest(self) -> str:
        """Equal only for equal weights, data, and way to evaluate."""


class SupernetObjective(ArchitectureObjective[ArchitectureT]):
    """What a subnet achieves with the weights of its supernet, and what it costs.

    Every trial keeps, as user attributes: ``architecture``, ``architecture_hash``, ``flops``
    (multiply-adds) and ``params`` where they are known, ``validation_accuracy`` unless it is
    optimised, and ``supernet_digest``. A subnet that the study has evaluated with the same digest
    is not evaluated again: the trial names the other one's number in ``reused_from``.

    Several GPUs: start a process for each, on one storage, with a model on its own device.

    Args:
        model: The supernet; see `WeightSharingModel`.
        metrics: What to optimise: any of ``"validation_accuracy"``, ``"flops"``, ``"params"``.
        max_flops: The most multiply-adds allowed. Every limit is recorded as a constraint of its
            name. If the space knows costs, the sampler that is given the objective's ``space``
            proposes nothing beyond; else it predicts what will break a limit.
        max_params: The most parameters allowed.
        min_flops: The least multiply-adds allowed.
        min_params: The least parameters allowed.

    Raises:
        ValueError: An argument is not what it should be; the message names it.
    """

    def __init__(
        self,
        model: WeightSharingModel[ArchitectureT],
        *,
        metrics: Sequence[str] = (_ACCURACY,),
        max_flops: float | None = None,
        max_params: float | None = None,
        min_flops: float | None = None,
        min_params: float | None = None,
    ) -> None:
        self._limits = CostLimits.by_name(
            max_flops=max_flops,
            max_params=max_params,
            min_flops=min_flops,
            min_params=min_params,
        )
        space = model.space
        super().__init__(
            space.within(self._limits) if space.knows_costs else space,
            measured=(_ACCURACY,),
            metrics=metrics,
            offered=(_ACCURACY, *COST_NAMES),
        )
        self.model = model

    @property
    def cost_limits(self) -> CostLimits:
        """Those of multiply-adds and parameters."""
        return self._limits

    def _cost(self, architecture: ArchitectureT) -> Cost | None:
        cost = self.space.cost(architecture)
        if cost is None:
            self.model.activate(architecture)
            cost = self.model.cost()
        if cost is None and (self._limits.is_bounded or set(self._metrics) & set(COST_NAMES)):
            raise ValueError("`model` must know its cost, which is limited or optimised.")
        return cost

    def _measure(
        self, architecture: ArchitectureT, trial: optuna.Trial | None
    ) -> dict[str, float]:
        if trial is not None:
            conditions = {_DIGEST_KEY: self.model.digest()}
            for name, value in conditions.items():
                trial.set_user_attr(name, value)
            known = self._find_equal(
                architecture, trial, conditions=conditions, names=(_ACCURACY,)
            )
            if known is not None:
                return known
        self.model.activate(architecture)
        return {_ACCURACY: _accuracy(self.model.evaluate())}


def _accuracy(results: Mapping[str, Any]) -> float:
    if _ACCURACY not in results:
        raise ValueError(f"`model.evaluate()` must give {_ACCURACY!r}, but got {dict(results)}.")
    return float(results[_ACCURACY])
