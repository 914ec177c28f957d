"""Constraints rank what was observed and limit what is proposed."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import Trial
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas.strategies import SamplingStrategy
from optuna_dnas.strategies import SearchState

from .toy import CELLS
from .toy import make_sampler
from .toy import n_different_cells


class _Spy(SamplingStrategy):
    """Remembers the best architectures that strategies are shown."""

    source = "spy"
    n_elite = 4
    elites: ClassVar[list[list[float]]] = []

    def propose(self, state: SearchState, n: int, rng: np.random.Generator) -> np.ndarray:
        self.elites.append(state.elite[:, 0].tolist())
        return state.latent.sample_prior(n, rng)


def test_infeasible_trials_rank_behind_all_feasible_ones() -> None:
    """Less violation is better; among the feasible ones the value decides."""
    config = DNASConfig()
    config = replace(config, flat=replace(config.flat, strategies=(_Spy(share=1.0),)))
    study = optuna.create_study(
        direction="maximize", sampler=DNASSampler(seed=0, config=config, n_startup_trials=8)
    )
    _Spy.elites.clear()
    observed: list[float] = []
    for k in range(20):
        trial = study.ask({"x": FloatDistribution(0.0, 1.0)})
        if k >= 8:
            ranked = sorted(observed, key=lambda x: (max(x - 0.5, 0.0), -x))
            np.testing.assert_allclose(_Spy.elites[-1], ranked[:4])
        x = trial.params["x"]
        trial.set_constraint("limit", x - 0.5)
        study.tell(trial, x)
        observed.append(x)
        assert study.trials[k].constraints == {"limit": x - 0.5}
    assert len(_Spy.elites) == 12
    assert max(observed) > 0.5  # or else nothing was infeasible


@pytest.mark.parametrize("name", ["params", "flops"])
def test_a_cost_limit_is_never_broken_once_it_is_known(name: str, config: DNASConfig) -> None:
    costs = [getattr(CELLS.cost(c), name) for c in CELLS.sample(np.random.default_rng(0), 99)]
    limit = float(np.median(costs))  # half of all cells are above

    def objective(trial: Trial) -> float:
        cost = getattr(CELLS.cost(CELLS.suggest(trial)), name)
        trial.set_constraint(f"max_{name}", cost - limit)
        return -cost

    study = optuna.create_study(sampler=make_sampler("cell", config))
    study.optimize(objective, n_trials=30)
    excess = [t.constraints[f"max_{name}"] for t in study.trials]
    assert max(excess[1:]) <= 0
    assert n_different_cells(study) == 30


def test_a_cost_limit_holds_for_partly_enqueued_cells() -> None:
    limit = 1_000_000

    def objective(trial: Trial) -> float:
        cost = CELLS.cost(CELLS.suggest(trial)).params
        trial.set_constraint("max_params", cost - limit)
        return float(cost)

    excess = []
    for seed in range(10):
        study = optuna.create_study(sampler=DNASSampler(seed=seed, space=CELLS))
        study.optimize(objective, n_trials=1)
        for _ in range(10):
            study.enqueue_trial({"edge_0_2": 1, "edge_2_4": 1, "op_2": "conv1x1-bn-relu"})
        study.optimize(objective, n_trials=10)
        excess += [t.constraints["max_params"] for t in study.trials[1:]]
    assert max(excess) <= 0
