"""`DNASConfig`: all settings of the sampler in one place."""

from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any

from optuna_dnas.controller import ControllerConfig
from optuna_dnas.controller import GaussianProcessConfig
from optuna_dnas.controller import SemiSupervisedConfig
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.strategies import CostEdge
from optuna_dnas.strategies import DenseRegions
from optuna_dnas.strategies import LatentGradient
from optuna_dnas.strategies import Mutations
from optuna_dnas.strategies import Neighbourhood
from optuna_dnas.strategies import SearchConfig
from optuna_dnas.strategies import WholeSpace


def _declared_search() -> SearchConfig:
    return SearchConfig(
        n_startup_trials=16,
        round_size=5,
        round_growth=1 / 16,
        from_queue=True,
        n_candidates=3_333,
        strategies=(
            DenseRegions(share=0.45, top_k=10),
            Neighbourhood(share=0.40, top_k=16),
            WholeSpace(share=0.10),
            LatentGradient(share=0.05),
            CostEdge(share=0.40),  # on top, where there is a limit
        ),
        # Two groups, code and descriptors, may differ more than the parameters of a flat space.
        predictor=GaussianProcessConfig(relevance_deviation=1.5),
    )


def _flat_search() -> SearchConfig:
    return SearchConfig(
        n_startup_trials=10,
        round_size=10,
        round_growth=1 / 5,
        from_queue=False,
        n_candidates=1_000,
        strategies=(
            DenseRegions(share=0.25),
            Neighbourhood(share=0.55),
            WholeSpace(share=0.20),
        ),
        predictor=GaussianProcessConfig(main_effects=True, half_ranks=True),
        improvement_share=1 / 3,
        avoids_ties=True,
    )


def _joint_search() -> SearchConfig:
    """Asks see the latest evaluations: numbers can be improved in ever smaller steps.

    Predictors see tokens beside the code, each by its relevance and its main effect: on spaces of
    a few categories, they know more than a code that took seconds to learn.
    """
    return replace(
        _declared_search(),
        n_startup_trials=10,
        from_queue=False,
        n_candidates=1_500,
        strategies=(
            DenseRegions(share=0.225, top_k=10),
            Neighbourhood(share=0.20, top_k=16),
            Mutations(share=0.50, top_k=16),
            WholeSpace(share=0.05),
            LatentGradient(share=0.025),
            CostEdge(share=0.40),  # on top, where there is a limit
        ),
        predictor=GaussianProcessConfig(
            relevance_deviation=1.5, main_effects=True, half_ranks=True
        ),
        with_tokens=True,
        improvement_share=1 / 2,
        weighs_noise=True,
    )


@dataclass(frozen=True, kw_only=True)
class DNASConfig:
    """Settings of :class:`~optuna_dnas.DNASSampler`; the defaults are what measures best.

    Args:
        declared: The search of the built-in spaces, on the disentangled latent.
        joint: The search of spaces that a user has declared, and of any architectures together
            with other parameters.
        flat: The search of any other space, on the identity latent.
        controller: The disentangled latent, and its pre-training without labels. `None` is
            ``ControllerConfig()`` for a space whose weights ship with the package, and
            `ControllerConfig.quick`, some seconds of training, for any other.
        semi_supervised: Train the whole controller with labels in every round (the paper);
            `None` keeps the pre-trained encoder and decoder, and fits predictors only.
    """

    declared: SearchConfig = field(default_factory=_declared_search)
    joint: SearchConfig = field(default_factory=_joint_search)
    flat: SearchConfig = field(default_factory=_flat_search)
    controller: ControllerConfig | None = None
    semi_supervised: SemiSupervisedConfig | None = None

    def search_in(self, space: SearchSpace[Any]) -> SearchConfig:
        """The search that serves a space."""
        config: SearchConfig = getattr(self, space.search)
        return config

    @classmethod
    def paper(cls) -> "DNASConfig":
        """The paper to the letter (arXiv 2009.13266, Algorithm 1), on NASBench-101.

        N = 100 random architectures, then rounds: train encoder, decoder and predictors on them;
        sample M = 10,000 architectures, in the regions of the top 3 and from the whole space, and
        pseudo-label them; train again; move the best along the gradient, of the cost, too, if
        there is a limit. What the paper leaves open is SemiNAS's, but for the schedule (see
        `SemiSupervisedConfig`).
        """
        declared = replace(
            _declared_search(),
            n_startup_trials=100,
            round_size=50,
            round_growth=1.0,
            n_candidates=2_000,
            strategies=(LatentGradient(share=1.0, top_k=100, cost_weight=1.0),),
            n_pseudo_labelled=10_000,
            pool_strategies=(DenseRegions(share=0.8, top_k=3, uniform=True),),
            noise=0.0,
            with_descriptors=False,
        )
        return cls(declared=declared, joint=declared, semi_supervised=SemiSupervisedConfig())
