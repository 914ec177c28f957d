"""A finite space is exhausted before anything is repeated."""

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import optuna
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
from optuna.trial import Trial
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import NASBench101Space

from .toy import n_different


@st.composite
def small_grids(draw: st.DrawFn) -> dict[str, BaseDistribution]:
    """Spaces of 4 to 60 points."""
    n_left = draw(st.integers(4, 60))
    space: dict[str, BaseDistribution] = {}
    while n_left > 1:
        n = draw(st.integers(2, n_left)) if n_left >= 4 else n_left
        n_left //= n
        name = f"p{len(space)}"
        space[name] = draw(
            st.sampled_from(
                [
                    CategoricalDistribution(tuple(range(n))),
                    IntDistribution(-1, n - 2),
                    IntDistribution(0, 3 * (n - 1), step=3),
                    IntDistribution(1, n, log=True),
                    FloatDistribution(0.0, round(0.1 * (n - 1), 1), step=0.1),
                ]
            )
        )
    return space


@given(space=small_grids())
@settings(derandomize=True, deadline=None, max_examples=15)
def test_a_discrete_space_is_exhausted_before_anything_is_repeated(
    space: dict[str, BaseDistribution],
) -> None:
    size = int(FlatSpace(space).size)
    assert 2 <= size <= 60
    study = optuna.create_study(sampler=DNASSampler(seed=0))
    for k in range(size + 3):
        trial = study.ask(space)
        study.tell(trial, sum(map(float, trial.params.values())))
        assert n_different(study) == min(k + 1, size)


@pytest.mark.parametrize("seed", range(5))
def test_a_conditional_space_is_exhausted_before_anything_is_repeated(seed: int) -> None:
    def objective(trial: Trial) -> float:
        name = trial.suggest_categorical("op", ["conv", "pool"])
        depth = trial.suggest_int("depth", 1, 3)
        return depth * trial.suggest_int(f"{name}_size", 1, 4)

    study = optuna.create_study(sampler=DNASSampler(seed=seed))
    study.optimize(objective, n_trials=24)
    assert n_different(study) == 24 == 2 * 3 * 4


def test_a_space_of_cells_is_exhausted_before_anything_is_repeated(config: DNASConfig) -> None:
    space = NASBench101Space(max_vertices=4)
    study = optuna.create_study(sampler=DNASSampler(seed=0, space=space, config=config))
    hashes = []
    for k in range(int(space.size) + 3):
        trial = study.ask()
        cell = space.suggest(trial)
        hashes.append(space.hash(cell))
        study.tell(trial, float(k % 7))
    assert len(set(hashes)) == len(set(hashes[:-3])) == space.size
