"""``optuna-dnas space``."""

from pathlib import Path

import optuna
from optuna.trial import Trial
import pytest

from .command import assert_is_message
from .command import run


def _objective(trial: Trial) -> float:
    n = trial.suggest_int("n_layers", 1, 3)
    widths = [trial.suggest_categorical(f"layer_{k}_width", [16, 32]) for k in range(n)]
    return sum(widths) * trial.suggest_float("lr", 1e-3, 1.0)


@pytest.fixture
def storage(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/study.db"
    for name, objective in (("mlp", _objective), ("x", lambda t: t.suggest_float("x", 0.0, 1.0))):
        sampler = optuna.samplers.RandomSampler(seed=0)
        study = optuna.create_study(storage=url, study_name=name, sampler=sampler)
        study.optimize(objective, n_trials=20)
    optuna.create_study(storage=url, study_name="empty")
    return url


def test_the_declaration_of_a_study_is_printed(storage: str) -> None:
    result = run("space", storage, "mlp")
    assert result.exit_code == 0, result.output
    assert result.output == (
        "from optuna_dnas.search_space import ArchitectureSpace, Choice, Repeat\n\n"
        "space = ArchitectureSpace(\n"
        '    layers=Repeat(Choice(16, 32), depth=(1, 3), names="layer_{k}_width"),\n'
        ")\n"
        "# Searched together with it, as they are: lr.\n"
    )
    assert not optuna.load_study(storage=storage, study_name="mlp").user_attrs


@pytest.mark.parametrize(
    ("name", "message"),
    [("empty", "has no completed trial"), ("x", "No parameter is a choice"), ("none", "none")],
)
def test_what_cannot_be_declared_is_a_message(storage: str, name: str, message: str) -> None:
    assert message in assert_is_message(run("space", storage, name))
