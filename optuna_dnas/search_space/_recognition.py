"""Built-in spaces, recognised by their parameters, or read from what a study says."""

from collections.abc import Iterator
from collections.abc import Mapping
from functools import lru_cache
import json
from typing import Any

from optuna.distributions import BaseDistribution

from optuna_dnas.search_space._base import SearchSpace
from optuna_dnas.search_space._declared import ArchitectureSpace
from optuna_dnas.search_space._mobilenet import MobileNetSpace
from optuna_dnas.search_space._nasbench101 import NASBench101Space
from optuna_dnas.search_space._nasbench101_unique import N_UNIQUE_CELLS


def recognize(distributions: Mapping[str, BaseDistribution]) -> SearchSpace[Any] | None:
    """The built-in space that has exactly these parameters; `None` if there is none."""
    spaces = (space for space in _built_in() if space.distributions == distributions)
    return next(spaces, None)


def recognize_part(distributions: Mapping[str, BaseDistribution]) -> SearchSpace[Any] | None:
    """The largest built-in space whose parameters are among these; `None` if there is none."""
    parts = [s for s in _built_in() if s.distributions.items() <= distributions.items()]
    return max(parts, key=lambda space: len(space.distributions), default=None)


def space_to_json(space: SearchSpace[Any]) -> str | None:
    """For `space_from_json`; `None` where a space does not say how it was made."""
    if type(space) not in _KINDS.values() or space.declaration is None:
        return None
    return json.dumps({"kind": type(space).__name__} | space.declaration, sort_keys=True)


@lru_cache(maxsize=16)  # Every ask reads it.
def space_from_json(text: str) -> SearchSpace[Any]:
    """A space as it was declared.

    Raises:
        ValueError: The text does not declare one.
    """
    try:
        declaration = json.loads(text)
        return _KINDS[declaration.pop("kind")].from_declaration(declaration)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"No search space is declared by {text!r}: {error!r}.") from error


_KINDS: dict[str, type[NASBench101Space] | type[MobileNetSpace] | type[ArchitectureSpace]] = {
    "ArchitectureSpace": ArchitectureSpace,
    "NASBench101Space": NASBench101Space,
    "MobileNetSpace": MobileNetSpace,
}


def _built_in() -> Iterator[SearchSpace[Any]]:
    for max_vertices in N_UNIQUE_CELLS:
        yield NASBench101Space(max_vertices=max_vertices)
    yield MobileNetSpace()
