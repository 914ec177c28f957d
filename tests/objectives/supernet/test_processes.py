"""What accelerate keeps for a process, and what a GPU may mean."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
import os
from pathlib import Path
from typing import Any

from accelerate import Accelerator
import pytest
import torch

from optuna_dnas.objectives.supernet import _job
from optuna_dnas.objectives.supernet._checkpoint import Checkpoint
from optuna_dnas.objectives.supernet._distribution import accelerate_scope
from optuna_dnas.objectives.supernet._distribution import Distribution

from .toy import BRIEF
from .toy import BRIEF_RETRAIN
from .toy import CPU
from .toy import fit
from .toy import fit_one
from .toy import images_in_memory
from .toy import same_content


def test_trainings_in_threads_are_those_of_one_after_the_other(tmp_path: Path) -> None:
    """Also of different number formats; dropout draws from the generator of the process."""
    configs = [replace(BRIEF, seed=k, precision=p) for k in (0, 1) for p in ("single", "bfloat16")]
    alone = [fit(tmp_path / f"alone {k}", config).digest() for k, config in enumerate(configs)]
    paths = [tmp_path / f"thread {k}" for k in range(len(configs))]
    with ThreadPoolExecutor(len(configs)) as executor:
        together = list(executor.map(lambda *a: fit(*a).digest(), paths, configs))
    assert together == alone


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4"),
        ("ACCELERATE_MIXED_PRECISION", "bf16"),
        ("ACCELERATE_USE_MEGATRON_LM", "true"),
        ("ACCELERATE_USE_FSDP", "true"),
    ],
)
def test_environment_does_not_change_a_training(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(tmp_path / "expected")
    monkeypatch.setenv(name, value)
    fit(tmp_path / "ckpt")
    assert same_content(tmp_path / "ckpt", tmp_path / "expected", "supernet")
    assert os.environ[name] == value


def test_accelerator_of_the_user_works_while_we_train() -> None:
    mine = Accelerator(mixed_precision="bf16", cpu=True)
    before = mine.state
    with accelerate_scope():
        ours = Distribution(CPU, "single")
        assert mine.mixed_precision == "bf16"
        assert mine.num_processes == 1
        assert ours.precision == "single"
    assert mine.state is before
    assert Accelerator(cpu=True).mixed_precision == "bf16"


class ScaledDistribution(Distribution):
    """As on a GPU that has no bfloat16: gradients are scaled."""

    _scaler = torch.amp.GradScaler("cpu", init_scale=4.0)

    @property
    def scaler(self) -> torch.amp.GradScaler:
        """A new one begins with its first scale."""
        return self._scaler

    @property
    def precision(self) -> str:
        """What "auto" means there."""
        return "float16"


@pytest.mark.parametrize("is_scaled_first", [False, True])
def test_training_goes_on_where_auto_is_another_format(
    is_scaled_first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: list[Any] = [Distribution, ScaledDistribution]
    warnings: list[str] = []
    monkeypatch.setattr("optuna_dnas.objectives.supernet._engine._logger.warning", warnings.append)
    for kind, n_steps in zip(kinds[:: -1 if is_scaled_first else 1], (3, 7), strict=True):
        monkeypatch.setattr("optuna_dnas.objectives.supernet._engine.Distribution", kind)
        stop = n_steps
        monkeypatch.setattr(_job.Job, "_next_stop", lambda self, step: stop)  # noqa: B023
        if n_steps == 3:
            _train_until(tmp_path / "ckpt", 3, monkeypatch)
        else:
            assert fit(tmp_path / "ckpt").step == 7
    before, now = ("float16", "single")[:: 1 if is_scaled_first else -1]
    assert [f"precision {before} until now, and goes on in {now}" in w for w in warnings] == [True]


def _train_until(path: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class StoppedError(Exception):
        pass

    save = Checkpoint.save

    def stop(self: Checkpoint, path: Path) -> None:
        save(self, path)
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", stop)
        with pytest.raises(StoppedError):
            fit(path)
    assert Checkpoint.load(path, "supernet").state["step"] == step


def test_a_network_is_measured_in_the_precision_of_its_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    evaluate = _job.evaluate

    def spy(*args: Any, precision: str) -> Any:
        seen.append(precision)
        return evaluate(*args, precision=precision)

    monkeypatch.setattr(_job, "evaluate", spy)
    fit_one(tmp_path / "ckpt", replace(BRIEF_RETRAIN, precision="bfloat16"))
    assert seen == ["bfloat16"] * 3
    assert images_in_memory().n_images("test") == 12
