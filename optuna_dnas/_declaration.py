"""A study says what space its objective evaluates architectures of.

Parameters alone do not: the cost of an architecture is that of the network around it.
"""

from typing import Any

from optuna.study import Study

from optuna_dnas._optuna_compat import get_logger
from optuna_dnas._optuna_compat import set_study_user_attr
from optuna_dnas._optuna_compat import study_user_attrs
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.search_space import space_from_json
from optuna_dnas.search_space import space_to_json


SPACE_KEY = "dnas:space"
"""User attribute of a study: its space, as JSON."""

_logger = get_logger(__name__)


def declare_space(study: Study, space: SearchSpace[Any]) -> None:
    """Keep a space with a study; one that cannot be written down is left out."""
    text = space_to_json(space)
    if text is not None and study_user_attrs(study).get(SPACE_KEY) != text:
        set_study_user_attr(study, SPACE_KEY, text)


def declared_space(study: Study) -> SearchSpace[Any] | None:
    """The space that is kept with a study, with its costs and limits; `None`: there is none."""
    text = study_user_attrs(study).get(SPACE_KEY)
    if text is None:
        return None
    try:
        return space_from_json(text)
    except ValueError as error:  # Another version of this package wrote it.
        _logger.debug(str(error))
        return None
