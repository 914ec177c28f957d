"""What all tests share: a cache directory of the session's own, and a quiet Optuna."""

from collections.abc import Iterator

import optuna
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas.controller import ControllerConfig


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Autoencoders are trained once a session, in worker processes of the tests too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def quiet_optuna() -> None:
    """Before each test: what a test runs may have made Optuna say less, or more."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(scope="session")
def config() -> DNASConfig:
    """The default, with an autoencoder that trains in a second and decodes many valid cells."""
    controller = ControllerConfig(
        latent_dim=8, hidden_dim=16, n_cells=300, n_steps=150, batch_size=64, learning_rate=1e-2
    )
    return DNASConfig(controller=controller)
