import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.samplers import RandomSampler
import pytest
from scipy.stats import wilcoxon

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas.search_space import CostLimits
from optuna_dnas.search_space import MobileNetSpace
from tests.mobilenets import nine_layers
from tests.search_space.planted import below_median
from tests.search_space.planted import best_allowed
from tests.search_space.planted import Planted


SMALL = MobileNetSpace(nine_layers(8))


def run(sampler: BaseSampler, objective: Planted, n_trials: int) -> optuna.Study:
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=n_trials)
    return study


@pytest.mark.parametrize(
    "limits",
    [
        CostLimits({"flops": 800_000}),
        CostLimits({"flops": (1_500_000, None), "params": 110_000}),
    ],
)
def test_nothing_is_proposed_that_breaks_a_limit(config: DNASConfig, limits: CostLimits) -> None:
    space = MobileNetSpace(SMALL.shape, limits=limits)
    sampler = DNASSampler(space=space, seed=0, config=config, n_startup_trials=8)
    study = run(sampler, Planted(space, 0), 24)
    costs = [space.cost(space.params_to_architecture(t.params)) for t in study.trials]
    amounts = np.array([[cost.flops, cost.params] for cost in costs])
    assert limits.allow(amounts, ("flops", "params")).all()
    assert len({tuple(t.params.values()) for t in study.trials}) == 24


def test_the_paper_s_space_is_searched_as_it_is_recognised(config: DNASConfig) -> None:
    space = MobileNetSpace()
    sampler = DNASSampler(seed=0, config=config, n_startup_trials=5)
    study = run(sampler, Planted(space, 0), 12)
    # Before the first trial nobody knows the space. Only who does puts skipped layers last.
    proposed = [trial.params for trial in study.trials[1:]]
    assert proposed == [
        space.architecture_to_params(space.params_to_architecture(params)) for params in proposed
    ]
    assert "startup" not in [trial.user_attrs["dnas:source"] for trial in study.trials[5:]]


@pytest.mark.slow
def test_it_beats_random_search_within_a_limit() -> None:
    space = below_median(SMALL)
    gains = []
    for seed in range(8):
        objective = Planted(space, seed)
        found = run(DNASSampler(space=space, seed=seed), objective, 45)
        random = run(RandomSampler(seed=seed), objective, 45)
        gains.append(best_allowed(found) - best_allowed(random))
    assert wilcoxon(gains, alternative="greater").pvalue < 0.01
