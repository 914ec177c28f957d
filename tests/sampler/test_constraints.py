"""Constraints rank what was observed and limit what is proposed."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import Trial
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.strategies import SamplingStrategy
from optuna_dnas.strategies import SearchState

from .toy import CELLS
from .toy import make_sampler
from .toy import n_different_cells
from .toy import OBJECTIVES
from .toy import params_of


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
    assert max(excess[2:]) <= 0  # two trials tell it
    assert n_different_cells(study) == 30


def _band(share: float) -> CostLimits:
    """Of the median cell's multiply-adds, so much up and down."""
    flops = np.median(CELLS.token_costs(CELLS.enumerate_tokens())[:, 0])
    return CostLimits({"flops": (flops / (1 + share), flops * (1 + share))})


@pytest.mark.parametrize("n_workers", [1, 2])
def test_declared_limits_are_never_broken(n_workers: int, config: DNASConfig) -> None:
    """Not by the first trial, nor by workers that ask before any trial is finished."""
    space = NASBench101Space(max_vertices=5, limits=_band(0.1))

    def objective(trial: Trial) -> float:
        cost = space.cost(space.suggest(trial))
        for key, excess in space.limits.excesses(cost).items():
            trial.set_constraint(key, excess)
        return -cost.params

    for seed in range(2):
        study = optuna.create_study()
        samplers = [
            DNASSampler(seed=seed, space=space, config=config, n_startup_trials=8)
            for _ in range(n_workers)
        ]
        for _ in range(24 // n_workers):
            asked = []
            for study.sampler in samplers:
                asked.append(study.ask())
                space.suggest(asked[-1])
            for trial in asked:
                study.tell(trial, objective(trial))
        assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 24
        assert all(max(t.constraints.values()) <= 0 for t in study.trials)
        assert n_different_cells(study) == 24


def test_an_enqueued_trial_outside_of_the_limits_does_not_spoil_the_others(
    config: DNASConfig,
) -> None:
    limits = _band(0.1)
    space = NASBench101Space(max_vertices=5, limits=limits)
    sampler = DNASSampler(seed=0, space=space, config=config, n_startup_trials=4)
    study = optuna.create_study(sampler=sampler)
    dearest = space.enumerate_tokens()[-1:]
    study.enqueue_trial(space.tokens_to_params(dearest)[0])

    def objective(trial: Trial) -> float:
        cost = space.cost(space.suggest(trial))
        for key, excess in limits.excesses(cost).items():
            trial.set_constraint(key, excess)
        return -cost.params

    study.optimize(objective, n_trials=16)
    excess = [max(t.constraints.values()) for t in study.trials]
    assert max(excess[1:]) <= 0


def _flat_latency(trial: Trial) -> tuple[float, float]:
    x, y = trial.suggest_float("x", 0.0, 1.0), trial.suggest_float("y", 0.0, 1.0)
    op = trial.suggest_categorical("op", ["conv", "pool"])
    return x + y - 0.5 - 0.3 * (op == "pool"), -x - y


def _cell_latency(trial: Trial) -> tuple[float, float]:
    cell = CELLS.suggest(trial)
    return CELLS.cost(cell).params / 2e6 - len(cell.ops), -float(cell.matrix.sum())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["flat", "cell"])
@pytest.mark.parametrize("n_objectives", [1, 2])
def test_an_unknown_constraint_is_learned(
    kind: str, n_objectives: int, config: DNASConfig
) -> None:
    """The objective pulls to where the constraint is broken."""
    measure = {"flat": _flat_latency, "cell": _cell_latency}[kind]

    def objective(trial: Trial) -> tuple[float, ...]:
        latency, value = measure(trial)
        trial.set_constraint("latency", latency)
        return (value, latency)[:n_objectives]

    n_infeasible = []
    for n_startup_trials in (8, 99):  # 99: all of them are random
        count = 0
        for seed in range(2):
            sampler = make_sampler(kind, config, seed, n_startup_trials=n_startup_trials)
            study = optuna.create_study(directions=["minimize"] * n_objectives, sampler=sampler)
            study.optimize(objective, n_trials=28)
            count += sum(t.constraints["latency"] > 0 for t in study.trials[8:])
        n_infeasible.append(count)
    assert n_infeasible[0] < 0.75 * n_infeasible[1]


@pytest.mark.parametrize("kind", ["flat", "cell"])
def test_a_restart_changes_nothing_under_constraints(kind: str, config: DNASConfig) -> None:
    """Some trials lack a constraint, fail, or are pruned; one constraint appears late."""

    def objective(trial: Trial) -> float:
        value = OBJECTIVES[kind](trial)
        if trial.number % 3:
            trial.set_constraint("latency", value - 1.0)
        if trial.number > 12:
            trial.set_constraint("appears late", 1.0 - value)
        if trial.number % 5 == 4:
            raise optuna.TrialPruned
        if trial.number == 9:
            raise RuntimeError
        return value

    studies = []
    for restart in (False, True):
        study = optuna.create_study(sampler=make_sampler(kind, config))
        for n_trials in (15, 13):
            study.optimize(objective, n_trials=n_trials, catch=RuntimeError)
            if restart:
                study.sampler = make_sampler(kind, config)
        studies.append(study)
    assert params_of(studies[0]) == params_of(studies[1])


def test_a_cost_limit_holds_for_partly_enqueued_cells() -> None:
    limit = 1_000_000

    def objective(trial: Trial) -> float:
        cost = CELLS.cost(CELLS.suggest(trial)).params
        trial.set_constraint("max_params", cost - limit)
        return float(cost)

    excess = []
    for seed in range(10):
        study = optuna.create_study(sampler=DNASSampler(seed=seed, space=CELLS))
        study.optimize(objective, n_trials=2)
        for _ in range(10):
            study.enqueue_trial({"edge_0_2": 1, "edge_2_4": 1, "op_2": "conv1x1-bn-relu"})
        study.optimize(objective, n_trials=10)
        excess += [t.constraints["max_params"] for t in study.trials[2:]]
    assert max(excess) <= 0
