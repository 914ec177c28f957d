"""The paper's controller behind the interface of all controllers."""

import numpy as np

from optuna_dnas.controller._config import ControllerConfig
from optuna_dnas.controller._config import SemiSupervisedConfig
from optuna_dnas.controller._constraints import ConstraintPredictors
from optuna_dnas.controller._controller import Controller
from optuna_dnas.controller._controller import FittedController
from optuna_dnas.controller._controller import Labelled
from optuna_dnas.controller._disentangled import DisentangledLatent
from optuna_dnas.controller._features import Features
from optuna_dnas.controller._semi_supervised import JointFit
from optuna_dnas.controller._semi_supervised import Regression
from optuna_dnas.controller._semi_supervised import SemiSupervisedController
from optuna_dnas.controller.predictors import PredictorConfig
from optuna_dnas.encoding import Vocabulary


class JointController(Controller):
    """Encoder, decoder and predictors are trained together, from new weights at every round.

    Args:
        vocabulary: Of the search space.
        config: Sizes of encoder and decoder.
        semi_supervised: Loss weights and schedule.
        predictor: Of constraints that only an evaluation tells; the paper has none of them.
        device: Where to train.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        config: ControllerConfig,
        semi_supervised: SemiSupervisedConfig,
        *,
        predictor: PredictorConfig,
        device: str,
    ) -> None:
        self._predictor = predictor
        self._trainer = SemiSupervisedController(
            vocabulary, semi_supervised, autoencoder_config=config, device=device
        )

    def fit(
        self,
        observed: Labelled,
        *,
        rng: np.random.Generator,
        pseudo: Labelled | None = None,
        start: FittedController | None = None,
    ) -> FittedController:
        labels = {}
        if pseudo is not None:
            labels = {
                "pseudo_tokens": pseudo.tokens,
                "pseudo_values": pseudo.values,
                "pseudo_costs": pseudo.costs,
            }
        fit = self._trainer.fit(
            observed.tokens,
            observed.values,
            observed.costs,
            start=None if start is None else _to_joint_fit(start),
            seed=int(rng.integers(2**63)),
            **labels,
        )
        features = Features(fit.latent)
        constraints = ConstraintPredictors.fit(
            self._predictor,
            features(observed.tokens),
            observed.constraints,
            layout=features.layout,
            rng=rng,
        )
        return FittedController(features, fit.objectives, fit.cost, constraints)


def _to_joint_fit(fitted: FittedController) -> JointFit:
    latent, objectives, costs = fitted.latent, fitted.objectives, fitted.costs
    assert isinstance(latent, DisentangledLatent)
    assert isinstance(objectives, Regression)
    assert costs is None or isinstance(costs, Regression)
    return JointFit(latent, objectives, costs)
