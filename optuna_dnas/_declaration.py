"""A study says what space its objective evaluates architectures of, and what it measures of them.

Parameters alone do not: the cost of an architecture is that of the network around it.
"""

from collections.abc import Sequence
from dataclasses import asdict
import json
from typing import Any

from optuna.study import Study

from optuna_dnas._metric import Metric
from optuna_dnas._optuna_compat import get_logger
from optuna_dnas._optuna_compat import set_study_user_attr
from optuna_dnas._optuna_compat import study_user_attrs
from optuna_dnas.search_space import SearchSpace
from optuna_dnas.search_space import space_from_json
from optuna_dnas.search_space import space_to_json


SPACE_KEY = "dnas:space"
"""User attribute of a study: its space, as JSON."""

METRICS_KEY = "dnas:metrics"
"""User attribute of a study: what its objective measures, as JSON."""

_logger = get_logger(__name__)


def declare_space(study: Study, space: SearchSpace[Any]) -> None:
    """Keep a space with a study; one that cannot be written down is left out."""
    text = space_to_json(space)
    if text is not None:
        _keep(study, SPACE_KEY, text)


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


def declare_metrics(study: Study, metrics: Sequence[Metric]) -> None:
    """Keep with a study what its objective measures."""
    _keep(study, METRICS_KEY, json.dumps([asdict(metric) for metric in metrics]))


def declared_metrics(study: Study) -> tuple[Metric, ...]:
    """What is kept with a study; nothing where no objective of this package has run."""
    text = study_user_attrs(study).get(METRICS_KEY)
    if text is None:
        return ()
    try:
        return tuple(Metric(**metric) for metric in json.loads(text))
    except (ValueError, TypeError) as error:  # Another version of this package wrote it.
        _logger.debug(f"No metrics are declared by {text!r}: {error!r}.")
        return ()


def _keep(study: Study, key: str, text: str) -> None:
    if study_user_attrs(study).get(key) != text:
        set_study_user_attr(study, key, text)
