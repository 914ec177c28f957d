"""Which controller serves a search space."""

from typing import Any

from optuna_dnas.controller._config import ControllerConfig
from optuna_dnas.controller._config import SemiSupervisedConfig
from optuna_dnas.controller._controller import Controller
from optuna_dnas.controller._controller import FrozenController
from optuna_dnas.controller._features import Features
from optuna_dnas.controller._identity import IdentityLatent
from optuna_dnas.controller._latent import Latent
from optuna_dnas.controller._product import ProductLatent
from optuna_dnas.controller._weights import load_or_pretrain
from optuna_dnas.controller.predictors import PredictorConfig
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import ProductSpace
from optuna_dnas.search_space import SearchSpace


def make_controller(
    space: SearchSpace[Any],
    *,
    predictor: PredictorConfig,
    with_costs: bool,
    with_tokens: bool,
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
        with_tokens: Whether predictors see the tokens of an architecture beside its code.
        with_descriptors: Whether they see the descriptors of its space.
        config: The disentangled latent; `None`: the shipped one, or else a quick one.
        semi_supervised: Train everything jointly, as the paper does; `None`: do not.
        device: ``"cpu"``, ``"cuda"``, ``"mps"``.
    """
    if semi_supervised is not None and space.vocabulary is not None:
        from optuna_dnas.controller._joint import JointController

        sizes = config or ControllerConfig()
        return JointController(
            space.vocabulary, sizes, semi_supervised, predictor=predictor, device=device
        )
    latent = make_latent(space, config, device=device)
    if latent.learned is None:  # Codes are tokens already.
        return FrozenController(Features(latent), predictor, with_costs=with_costs)
    features = Features(
        latent,
        space,
        with_tokens=with_tokens,
        with_descriptors=with_descriptors,
    )
    return FrozenController(features, predictor, with_costs=with_costs)


def make_latent(
    space: SearchSpace[Any], config: ControllerConfig | None, *, device: str
) -> Latent:
    """The latent in which a space is searched.

    Args:
        space: The search space.
        config: The disentangled latent; `None`: the shipped one, or else a quick one.
        device: Where it runs.
    """
    if isinstance(space, FlatSpace):
        return IdentityLatent(space)
    if isinstance(space, ProductSpace):
        architectures = make_latent(space.architectures, config, device=device)
        return ProductLatent(space, architectures, IdentityLatent(space.others))
    return load_or_pretrain(space, config, device=device)
