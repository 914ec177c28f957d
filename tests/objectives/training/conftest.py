from collections.abc import Iterator

import pytest

from optuna_dnas._torch_scope import torch_scope


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks as small as these are slower on several threads."""
    with torch_scope(n_threads=1):
        yield
