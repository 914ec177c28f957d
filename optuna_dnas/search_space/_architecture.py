"""An architecture in the words of its declaration."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any


class Architecture(Mapping[str, Any]):
    """The options chosen, by name: ``a.layers[2].width`` and ``a["head"]`` are both fine.

    A repeated block is a tuple with an entry for each block that exists.

    Args:
        values: Plain values, tuples, and further architectures.
    """

    __slots__ = ("_values",)

    def __init__(self, **values: Any) -> None:
        object.__setattr__(self, "_values", values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # of copy and pickle, before there are values
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            message = f"There is no {name!r}, only {', '.join(self._values)}."
            raise AttributeError(message) from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"An architecture cannot be changed: `{name}`.")

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        return f"Architecture({', '.join(f'{k}={v!r}' for k, v in self._values.items())})"

    def __reduce__(self) -> tuple[Callable[..., "Architecture"], tuple[dict[str, Any]]]:
        return _of_values, (self._values,)


def _of_values(values: dict[str, Any]) -> Architecture:
    return Architecture(**values)
