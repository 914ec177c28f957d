"""Where a user's own space went wrong."""

from typing import Any

from optuna_dnas.exceptions import InvalidSpaceError
from optuna_dnas.search_space._base import SearchSpace


def method_of_space(error: Exception, space: SearchSpace[Any]) -> str | None:
    """``Class.method`` of a user's space that raised an error, or returned what led to it.

    `None` where it was none, and for the spaces of this package.
    """
    if len(space.parts) > 1:
        places = (method_of_space(error, part) for part in space.parts)
        return next((place for place in places if place is not None), None)
    kind = type(space)
    if not space.has_own_code:
        return None
    if isinstance(error, InvalidSpaceError):
        return error.method
    found = None
    place = error.__traceback__
    while place is not None:
        code = place.tb_frame.f_code
        if isinstance(place.tb_frame.f_locals.get("self"), kind):
            found = f"{kind.__name__}.{code.co_name}"
        place = place.tb_next
    return found
