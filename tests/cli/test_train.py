"""``optuna-dnas search --train``."""

from pathlib import Path
import sys

import optuna
from optuna.trial import TrialState
import pytest

from .command import assert_is_message
from .command import next_commands
from .command import run
from .command import type_in


STORAGE = "sqlite:///optuna-dnas.db"


def test_training_gives_what_the_table_says(folder: Path) -> None:
    """On other processors rounding differs, and training amplifies it."""
    assert run("search", "--trials", 1, "--seed", 0).exit_code == 0
    result = run("search", "--train", "--trials", 1, "--seed", 0)
    assert result.exit_code == 0, result.output
    looked_up, trained = (
        optuna.load_study(study_name=name, storage=STORAGE).trials[0]
        for name in ("digits", "digits-trained")
    )
    assert trained.params == looked_up.params
    assert trained.value == pytest.approx(looked_up.value, abs=0.05)
    assert list(trained.intermediate_values) == list(range(1, 21))
    assert " of 2,532\n" in result.output
    assert next_commands(result.output)[0][2] == "--train"


@pytest.mark.slow
def test_20_trials_with_a_pruner(folder: Path) -> None:
    result = run("search", "--train", "--seed", 0)
    assert result.exit_code == 0, result.output
    study = optuna.load_study(study_name="digits-trained", storage=STORAGE)
    pruned = study.get_trials(states=[TrialState.PRUNED])
    assert len(study.trials) == 20
    assert 0 < len(pruned) < 20
    assert all(t.last_step in (5, 10) for t in pruned)
    assert f"{20 - len(pruned)} architectures evaluated, {len(pruned)} pruned" in result.output

    assert type_in([*next_commands(result.output)[0], "--trials", "1"]).exit_code == 0
    assert len(study.trials) == 21


def test_missing_scikit_learn_is_a_message(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    message = assert_is_message(run("search", "--train"))
    assert "pip install" in message
    assert len(message.splitlines()) == 1
    assert not list(folder.iterdir())
    assert run("search", "--trials", 1).exit_code == 0
