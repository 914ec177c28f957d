"""Which controller serves a search space."""

from typing import Any

from optuna_dnas.controller._config import ControllerConfig
from optuna_dnas.controller._config import SemiSupervisedConfig
from optuna_dnas.controller._controller import Controller
from optuna_dnas.controller._controller import FrozenController
from optuna_dnas.controller._features import Features
from optuna_dnas.controller._identity import IdentityLatent
from optuna_dnas.controller._weights import load_or_pretrain
from optuna_dnas.controller.predictors import PredictorConfig
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import SearchSpace


def make_controller(
    space: SearchSpace[Any],
    *,
    predictor: PredictorConfig,
    with_costs: bool,
    with_descriptors: bool,
    config: ControllerConfig | None,
    semi_supervised: SemiSupervisedConfig | None,
    device: str,
) -> Controller:
    """A space with structure gets the disentangled latent, a flat one the identity.

    Only the former imports torch.

    Args:
        space: The search space.
        predictor: How predictors on a frozen latent are fitted.
        with_costs: Whether strategies look at predicted costs.
        with_descriptors: Whether predictors see the space's descriptors beside the code.
        config: The disentangled latent; `None`: the shipped one, or else a quick one.
        semi_supervised: Train everything jointly, as the paper does; `None`: do not.
        device: ``"cpu"``, ``"cuda"``, ``"mps"``.
    """
    if space.vocabulary is None:
        assert isinstance(space, FlatSpace)
        return FrozenController(Features(IdentityLatent(space)), predictor, with_costs=with_costs)
    if semi_supervised is not None:
        from optuna_dnas.controller._joint import JointController

        sizes = config or ControllerConfig()
        return JointController(
            space.vocabulary, sizes, semi_supervised, predictor=predictor, device=device
        )
    latent = load_or_pretrain(space, config, device=device)
    features = Features(latent, space if with_descriptors else None)
    return FrozenController(features, predictor, with_costs=with_costs)
