"""A mistake in a user's own space is named, and not hidden by random search."""

from collections.abc import Callable

import numpy as np
import optuna
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.exceptions import InvalidSpaceError
from optuna_dnas.search_space import NASBench101Space

from .toy import cell_objective
from .toy import make_sampler
from .toy import sources_of


class _WrongShape(NASBench101Space):
    def descriptors(self, tokens: TokenArray) -> FloatArray:
        return np.zeros(len(tokens))


class _NotFinite(NASBench101Space):
    def descriptors(self, tokens: TokenArray) -> FloatArray:
        return np.full((len(tokens), 2), np.nan)


class _Raises(NASBench101Space):
    """Only a model asks for so many at once."""

    def canonicalize(self, tokens: TokenArray) -> tuple[TokenArray, BoolArray]:
        if len(tokens) > 100:
            raise KeyError("kernel")
        return super().canonicalize(tokens)


@pytest.mark.parametrize("space", [_WrongShape, _NotFinite])
def test_a_mistake_is_raised_before_anything_is_evaluated(
    space: type[NASBench101Space], config: DNASConfig
) -> None:
    sampler = DNASSampler(seed=0, space=space(max_vertices=5), config=config)
    study = optuna.create_study(sampler=sampler)
    with pytest.raises(InvalidSpaceError, match=f"`{space.__name__}.descriptors` must return"):
        study.optimize(cell_objective, n_trials=20)
    assert len(study.trials) == 1
    assert study.trials[0].value is None


def test_a_mistake_that_shows_only_later_is_raised_then(config: DNASConfig) -> None:
    sampler = DNASSampler(seed=0, space=_Raises(max_vertices=5), config=config, n_startup_trials=8)
    study = optuna.create_study(sampler=sampler)
    with pytest.raises(KeyError) as raised:
        study.optimize(cell_objective, n_trials=20)
    assert "`_Raises.canonicalize` failed" in raised.value.__notes__[0]
    assert sources_of(study)[:8] == ["startup"] * 8
    assert len(study.trials) == 9


def test_the_spaces_of_the_package_never_end_a_study(
    config: DNASConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of memory, say."""

    def fail(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(NASBench101Space, "descriptors", fail)
    study = optuna.create_study(sampler=make_sampler("cell", config))
    study.optimize(cell_objective, n_trials=14)
    assert sources_of(study) == ["startup"] * 8 + ["fallback"] * 6


def test_an_unreadable_history_does_not_end_a_study(
    config: DNASConfig, monkeypatch: pytest.MonkeyPatch, messages: Callable[[], list[str]]
) -> None:
    def fail(*args: object) -> None:
        raise OverflowError("too large")

    sampler = make_sampler("flat", config)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=4)
    monkeypatch.setattr("optuna_dnas._history.History.update", fail)
    study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=4)
    assert sources_of(study)[4:] == ["fallback"] * 4
    assert len({trial.params["x"] for trial in study.trials}) == 8
    assert all("OverflowError: too large" in message for message in messages())
    assert len(messages()) == 4
