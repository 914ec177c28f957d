"""The only place that names private parts of Optuna."""

from collections.abc import Callable
from collections.abc import Container
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
import itertools
import json
import logging
import sys
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

import optuna
from optuna._hypervolume import compute_hypervolume as compute_hypervolume
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
from optuna.samplers import PartialFixedSampler
from optuna.samplers._base import _process_constraints_after_trial
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.study._optimize import _logger as _optimize_logger
from optuna.study._optimize import _run_trial
from optuna.trial import BaseTrial
from optuna.trial import FrozenTrial
from optuna.trial import TrialState


_RELATIVE_PARAMS_KEY = "dnas:relative_params"
# An RDB storage keeps at most 2045 characters in one system attribute.
_MAX_ATTR_LENGTH = 2045

_ENTROPY_KEY = "dnas:entropy"

_next_number = itertools.count()
_storage_numbers: WeakKeyDictionary[BaseStorage, int] = WeakKeyDictionary()


def get_trials(
    study: Study, *, states: Container[TrialState] | None = None, use_cache: bool
) -> list[FrozenTrial]:
    """The trials of a study without copies: read them, do not change them.

    Args:
        study: The study, or Hyperband's wrapper of it, which does not filter this list.
        states: Only trials of these states.
        use_cache: Allow a list that was read earlier in the same ask.
    """
    return study._get_trials(deepcopy=False, states=states, use_cache=use_cache)


def study_key(study: Study) -> tuple[Any, ...]:
    """What tells one study from another within a process.

    Storages are numbered: the `id` of one that is gone may come back.
    """
    number = _storage_numbers.setdefault(study._storage, next(_next_number))
    return study._study_id, study.study_name, number


def storage_of(study: Study) -> tuple[BaseStorage, int]:
    """Where a study is kept, and its id there."""
    return study._storage, study._study_id


def trial_id(trial: FrozenTrial) -> int:
    """The id of a trial in its storage."""
    return trial._trial_id


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a distribution can take an (external) value."""
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except (TypeError, ValueError):
        return False


def suggest(trial: BaseTrial, name: str, distribution: BaseDistribution) -> Any:
    """`suggest_*` by distribution."""
    d = distribution
    if isinstance(d, CategoricalDistribution):
        return trial.suggest_categorical(name, d.choices)
    if isinstance(d, IntDistribution):
        return trial.suggest_int(name, d.low, d.high, step=d.step, log=d.log)
    if isinstance(d, FloatDistribution):
        return trial.suggest_float(name, d.low, d.high, step=d.step, log=d.log)
    raise ValueError(f"Unknown kind of distribution: {d}.")


def fixed_params(study: Study, trial: FrozenTrial) -> dict[str, Any]:
    """The parameters of a trial that are not ours to choose.

    They were enqueued, already suggested, or are held by a `PartialFixedSampler` around us.
    """
    params: dict[str, Any] = {}
    sampler = study.sampler
    while isinstance(sampler, PartialFixedSampler):
        params.update(sampler._fixed_params)
        sampler = sampler._base_sampler
    params.update(trial.system_attrs.get("fixed_params", {}))
    params.update(trial.params)
    return params


def publish_params(study: Study, trial: FrozenTrial, params: Mapping[str, Any]) -> None:
    """Show a running trial's whole proposal to other workers.

    It replaces the one that ``trial``, as it was last read, has published before. Others see
    either of them whole, or none, while it is written.
    """
    text = json.dumps(params, default=repr)  # In memory, a category may be any object.
    starts = range(0, len(text), _MAX_ATTR_LENGTH)
    parts = [text[start : start + _MAX_ATTR_LENGTH] for start in starts]
    old = [key for key in trial.system_attrs if key.startswith(f"{_RELATIVE_PARAMS_KEY}:")]
    n_old = max((int(key.rpartition(":")[2]) + 1 for key in old), default=0)
    parts += [""] * (n_old - len(parts))
    # A proposal counts as soon as its first part is there, which is therefore written last.
    writes = list(enumerate(parts))[::-1]
    if old and len(parts) > 1:
        writes.insert(0, (0, ""))
    for k, part in writes:
        study._storage.set_trial_system_attr(trial._trial_id, f"{_RELATIVE_PARAMS_KEY}:{k}", part)


def published_params(trial: FrozenTrial) -> dict[str, Any]:
    """The parameters of a running trial, those included that it will only suggest later."""
    parts: list[str] = []
    # What is empty was withdrawn.
    while part := trial.system_attrs.get(f"{_RELATIVE_PARAMS_KEY}:{len(parts)}"):
        parts.append(part)
    try:
        params: dict[str, Any] = json.loads("".join(parts)) if parts else {}
    except json.JSONDecodeError:  # An earlier version wrote the first part first.
        params = {}
    params.update(trial.system_attrs.get("fixed_params", {}))
    params.update(trial.params)
    return params


SOURCE_KEY = "dnas:source"
"""User attribute: which part of the search proposed a trial."""

_ERROR_KEY = "dnas:error"


def process_constraints(
    constraints_func: Callable[[FrozenTrial], Sequence[float]],
    study: Study,
    trial: FrozenTrial,
    state: TrialState,
) -> None:
    """Keep the constraints of a trial that is about to end, as Optuna's own samplers do."""
    _process_constraints_after_trial(constraints_func, study, trial, state)


def mark_error(study: Study, trial: FrozenTrial) -> None:
    """Keep, in a trial that is about to fail, that its own evaluation failed."""
    if not isinstance(_raised_by_objective(), KeyboardInterrupt):
        study._storage.set_trial_system_attr(trial._trial_id, _ERROR_KEY, True)


def was_interrupted(trial: FrozenTrial) -> bool:
    """Whether a trial failed for no reason of its own: Ctrl-C, or a heartbeat that has expired.

    Of trials that we did not propose, nobody knows.
    """
    is_failed = trial.state == TrialState.FAIL
    return is_failed and SOURCE_KEY in trial.user_attrs and _ERROR_KEY not in trial.system_attrs


def _raised_by_objective() -> BaseException | None:
    """What ended a trial, from within `after_trial`, which is not told."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code is not _run_trial.__code__:
        frame = frame.f_back
    error = None if frame is None else frame.f_locals.get("func_err")
    return error if isinstance(error, BaseException) else None


@contextmanager
def interrupts_unlogged() -> Iterator[None]:
    """Keep Optuna from logging the traceback of an interrupt as it does that of an error."""

    def is_no_interrupt(record: logging.LogRecord) -> bool:
        return not record.exc_info or record.exc_info[0] is not KeyboardInterrupt

    _optimize_logger.addFilter(is_no_interrupt)
    try:
        yield
    finally:
        _optimize_logger.removeFilter(is_no_interrupt)


def read_entropy(trials: Iterable[FrozenTrial]) -> int | None:
    """The entropy that the first of the trials keeps that keeps any."""
    keepers = (trial for trial in trials if _ENTROPY_KEY in trial.system_attrs)
    return next((trial.system_attrs[_ENTROPY_KEY] for trial in keepers), None)


def write_entropy(study: Study, trial: FrozenTrial, entropy: int) -> None:
    """Keep entropy with a running trial."""
    study._storage.set_trial_system_attr(trial._trial_id, _ENTROPY_KEY, entropy)


def set_user_attr(study: Study, trial: FrozenTrial, key: str, value: Any) -> None:
    """`Trial.set_user_attr`, from within a sampler."""
    study._storage.set_trial_user_attr(trial._trial_id, key, value)


def study_user_attrs(study: Study) -> dict[str, Any]:
    """``study.user_attrs``, also of Hyperband's wrapper of a study, and without a copy."""
    return study._storage.get_study_user_attrs(study._study_id)


def set_study_user_attr(study: Study, key: str, value: Any) -> None:
    """``study.set_user_attr``, also of Hyperband's wrapper of a study."""
    study._storage.set_study_user_attr(study._study_id, key, value)


def get_logger(name: str) -> Any:
    """A logger that obeys ``optuna.logging.set_verbosity``."""
    return optuna.logging.get_logger(f"optuna.{name}")
