"""What the package logs, as the tests of `DNASSampler` read it."""

from collections.abc import Callable
from collections.abc import Iterator

import optuna
import pytest


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """What the package has logged at WARNING or above."""
    optuna.logging.enable_propagation()
    yield lambda: [
        r.getMessage() for r in caplog.records if r.name.startswith("optuna.optuna_dnas")
    ]
    optuna.logging.disable_propagation()
