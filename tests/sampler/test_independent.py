"""`DNASSampler` for the parameters that another sampler does not sample itself."""

from collections.abc import Callable

import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial
from optuna.trial import Trial
import pytest

from optuna_dnas import DNASSampler


class _Fixed(RandomSampler):
    """Samples ``x`` itself, and leaves everything else to another sampler."""

    def __init__(self, other: BaseSampler) -> None:
        super().__init__(seed=0)
        self._other = other

    def sample_independent(self, study, trial, param_name, param_distribution):  # type: ignore[no-untyped-def]
        if param_name == "x":
            return super().sample_independent(study, trial, param_name, param_distribution)
        return self._other.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._other.before_trial(study, trial)


N = 6


def _objective(trial: Trial) -> float:
    """The best categories depend on what the other sampler has chosen."""
    x = trial.suggest_float("x", 0.0, 1.0)
    ops = [trial.suggest_categorical(f"op_{k}", list(range(4))) for k in range(N)]
    return float(np.sum([(op != (3 if x > 0.5 else 0)) for op in ops]))


def test_as_an_independent_sampler_it_models_what_it_is_asked_for(
    messages: Callable[[], list[str]],
) -> None:
    means = []
    for other in (DNASSampler(seed=0), RandomSampler(seed=1)):
        study = optuna.create_study(sampler=_Fixed(other))
        study.optimize(_objective, n_trials=70)
        means.append(np.mean([trial.value for trial in study.trials[40:]]))
    assert messages() == []
    assert means[1] > 4.0
    assert means[0] < 0.75 * means[1]


def test_cma_es_with_it_beside() -> None:
    def objective(trial: Trial) -> float:
        x, y = (trial.suggest_float(name, -1.0, 1.0) for name in "xy")
        return x**2 + y**2 + (trial.suggest_categorical("op", list("abcdefgh")) != "c")

    sampler = optuna.samplers.CmaEsSampler(
        seed=0, independent_sampler=DNASSampler(seed=0), warn_independent_sampling=False
    )
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=60)
    chosen = [trial.params["op"] for trial in study.trials[30:]]
    assert chosen.count("c") > 15  # by chance one of eight


def test_constraints_func_is_kept_as_optuna_keeps_it() -> None:
    def constraints(trial: FrozenTrial) -> tuple[float]:
        return (trial.params["x"] - 0.5,)

    with pytest.warns(FutureWarning, match="`constraints_func` is deprecated.*set_constraint"):
        sampler = DNASSampler(seed=0, constraints_func=constraints)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=40)
    assert [t.constraints for t in study.trials] == [
        {"0": t.params["x"] - 0.5} for t in study.trials
    ]
    feasible = [t.params["x"] <= 0.5 for t in study.trials[20:]]
    assert np.mean(feasible) > 0.6
    assert 0.45 < study.best_value <= 0.5
