"""Built-in spaces, recognised by their parameters."""

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution

from optuna_dnas.search_space._base import SearchSpace
from optuna_dnas.search_space._mobilenet import MobileNetSpace
from optuna_dnas.search_space._nasbench101 import NASBench101Space
from optuna_dnas.search_space._nasbench101_unique import N_UNIQUE_CELLS


def recognize(distributions: Mapping[str, BaseDistribution]) -> SearchSpace[Any] | None:
    """The built-in space that has exactly these parameters; `None` if there is none."""
    spaces = (space for space in _built_in() if space.distributions == distributions)
    return next(spaces, None)


def _built_in() -> Iterator[SearchSpace[Any]]:
    for max_vertices in N_UNIQUE_CELLS:
        yield NASBench101Space(max_vertices=max_vertices)
    yield MobileNetSpace()
