"""Checks of settings: each names the argument and its value."""

from collections.abc import Iterable


def check_positive(config: object, *names: str) -> None:
    """Raise `ValueError` unless the named attributes are positive."""
    for name, value in _named(config, names):
        if not value > 0:
            raise ValueError(f"`{name}` must be positive, but got {value}.")


def check_not_negative(config: object, *names: str) -> None:
    """Raise `ValueError` unless the named attributes are not negative."""
    for name, value in _named(config, names):
        if not value >= 0:
            raise ValueError(f"`{name}` must not be negative, but got {value}.")


def check_share(config: object, *names: str) -> None:
    """Raise `ValueError` unless the named attributes are in [0, 1]."""
    for name, value in _named(config, names):
        if not 0 <= value <= 1:
            raise ValueError(f"`{name}` must be in [0, 1], but got {value}.")


def _named(config: object, names: Iterable[str]) -> list[tuple[str, float]]:
    return [(name, getattr(config, name)) for name in names]
