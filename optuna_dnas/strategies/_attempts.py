"""Which architectures are not to be proposed again, and which failures may have been chance."""

from collections.abc import Iterable
from collections.abc import Mapping

from optuna_dnas._typing import BoolArray
from optuna_dnas.strategies._selection import token_keys
from optuna_dnas.strategies._state import Observations


# One architecture is tried so often, at most. With 30 % of all trials failing by chance, 1 in 400
# is lost for ever.
_MAX_ATTEMPTS = 5
# So many more second attempts may fail than succeed before there are no more of them. What fails
# by itself costs a study so many trials.
_MAX_FUTILE = 6


class Attempts:
    """Counts how evaluations of each architecture ended.

    An error says less than a value: a machine may have broken, memory may have been short. What
    failed may be tried again, as long as such attempts succeed now and then.
    """

    def __init__(self) -> None:
        self._evaluated: set[bytes] = set()
        self._failures: dict[bytes, int] = {}
        self._n_futile = 0  # second attempts that failed, less those that succeeded

    @classmethod
    def at(cls, observations: Observations) -> "Attempts":
        """As they are after some observations."""
        attempts = cls()
        attempts.add(token_keys(observations.tokens), observations.is_error)
        return attempts

    def add(self, keys: Iterable[bytes], is_error: BoolArray | None = None) -> None:
        """Take in evaluations in their order, by the keys of their architectures."""
        if is_error is None or not is_error.any():
            is_error = None
            if not self._failures:
                self._evaluated.update(keys)
                return
        for k, key in enumerate(keys):
            n_failures = self._failures.get(key, 0)
            if is_error is None or not is_error[k]:
                self._n_futile -= n_failures > 0
                self._failures.pop(key, None)
                self._evaluated.add(key)
            elif key not in self._evaluated:
                self._n_futile += n_failures > 0
                self._failures[key] = n_failures + 1

    @property
    def evaluated(self) -> set[bytes]:
        """Keys of all architectures that were evaluated, whatever came of it."""
        return self._evaluated.union(self._failures) if self._failures else self._evaluated

    @property
    def open(self) -> Mapping[bytes, int]:
        """Keys of those that failed but may be tried again, and how often they have failed."""
        if self._n_futile >= _MAX_FUTILE:
            return {}
        return {key: n for key, n in self._failures.items() if n < _MAX_ATTEMPTS}
