"""One training from start to end: go on from a checkpoint, train, measure, write."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from dataclasses import dataclass
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from optuna_dnas._progress import progress_bar
from optuna_dnas.objectives.supernet._checkpoint import Checkpoint
from optuna_dnas.objectives.supernet._checkpoint import values_read
from optuna_dnas.objectives.supernet._config import OptimizationConfig
from optuna_dnas.objectives.supernet._distribution import accelerate_scope
from optuna_dnas.objectives.supernet._engine import Arguments
from optuna_dnas.objectives.supernet._engine import Engine
from optuna_dnas.objectives.supernet._evaluation import evaluate
from optuna_dnas.objectives.supernet.data import ImageData
from optuna_dnas.objectives.training import run_on_device
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpec


_EVALUATION_BATCH = 256


@dataclass(frozen=True, eq=False, kw_only=True)
class Job:
    """A training.

    Args:
        kind: Of the checkpoint.
        shape: Of the networks.
        build: Makes the network, without weights.
        data: What to train on.
        config: How to train.
        n_steps: In all.
        arguments_of: What a step calls the network with beside the images.
        path: The checkpoint.
        spec: The architecture, if there is but one.
        epoch_steps: Steps between two validations at least; `None`: nothing is validated.
        validation_interval: Epochs between two validations.
    """

    kind: str
    shape: MobileNetShape
    build: Callable[[], nn.Module]
    data: ImageData
    config: OptimizationConfig
    n_steps: int
    arguments_of: Callable[[int], Arguments]
    path: Path
    spec: MobileNetSpec | None = None
    epoch_steps: int | None = None
    validation_interval: int = 1

    def run(self, *, device: str, n_threads: int, progress: bool) -> float:
        """Train until the end; images a second, 0 if nothing was left to do."""
        self._check_data()
        self._check_path()
        what = f"The training of the {self.kind}"
        return run_on_device(
            lambda target: self._run(target, progress), what, device=device, n_threads=n_threads
        )

    def _run(self, device: torch.device, progress: bool) -> float:
        generators = _generators_kept(device) if self.config.dropout > 0 else nullcontext()
        with accelerate_scope(), generators:
            engine = Engine(
                self.build(),
                self.data,
                self.config,
                n_steps=self.n_steps,
                arguments_of=self.arguments_of,
                device=device,
            )
            results = self._resume(engine)
            with self._bar(engine, progress) as bar:
                while engine.step < self.n_steps:
                    engine.run(self._next_stop(engine.step), bar)
                    self._measure(engine, results)
                    self._write(engine, results)
            return engine.images_per_second

    def _next_stop(self, step: int) -> int:
        intervals = [self.config.checkpoint_interval, self.epoch_steps or self.n_steps]
        stops = [(step // interval + 1) * interval for interval in intervals]
        return min(*stops, self.n_steps)

    def _measure(self, engine: Engine, results: dict[str, Any]) -> None:
        """Validate, and test at the end."""
        if self.epoch_steps is None or engine.step % self.epoch_steps:
            return
        epoch, is_end = engine.step // self.epoch_steps, engine.step == self.n_steps
        results["epoch"] = epoch
        if is_end or epoch % self.validation_interval == 0:
            results["validations"][str(epoch)] = self._accuracy(engine, "validation")
        if is_end:
            results["accuracies"] = {
                "validation": results["validations"][str(epoch)],
                "test": self._accuracy(engine, "test"),
            }

    def _accuracy(self, engine: Engine, part: str) -> list[float]:
        network = engine.trained.eval()
        batches = self.data.batches(
            part, batch_size=_EVALUATION_BATCH, device=engine.distribution.device
        )
        return list(evaluate(network, batches, precision=self.config.precision))

    def _write(self, engine: Engine, results: dict[str, Any]) -> None:
        if engine.distribution.is_main:
            engine.checkpoint(self.kind, self._state | results).save(self.path)
        engine.distribution.wait()

    def _resume(self, engine: Engine) -> dict[str, Any]:
        """The results until now."""
        results = {"epoch": 0, "validations": {}, "accuracies": {}} if self.epoch_steps else {}
        if self.path.exists():
            checkpoint = Checkpoint.load(self.path, self.kind)
            with values_read(self.path):
                known = self._known(checkpoint.state)
            self._check_same(known)
            with values_read(self.path):
                engine.restore(checkpoint)
                results = {name: checkpoint.state[name] for name in results}
        return results

    @property
    def _state(self) -> dict[str, Any]:
        standardisation = self.data.standardisation
        return {
            "shape": asdict(self.shape),
            "config": asdict(self.config),
            "data": self.data.digest(),
            "standardisation": None if standardisation is None else asdict(standardisation),
            "spec": str(self.spec) if self.spec else None,
        }

    def _known(self, state: dict[str, Any]) -> dict[str, Any]:
        """What decides the outcome of the training of a checkpoint."""
        known = type(self.config).from_dict(state["config"]).identity
        known |= {"shape": MobileNetShape.from_dict(state["shape"])}
        return known | {"architecture": state["spec"], "data": state["data"]}

    def _check_same(self, known: dict[str, Any]) -> None:
        """Only a training of the same kind can be gone on with."""
        wanted = self.config.identity | {"shape": self.shape}
        wanted |= {"architecture": self._state["spec"], "data": self.data.digest()}
        for name, value in wanted.items():
            if known[name] != value:
                raise ValueError(
                    f"{self.path} holds another training: its `{name}` is {known[name]}, not "
                    f"{value}. Choose another output, or delete it."
                )

    def _check_data(self) -> None:
        for name in ("image_size", "image_channels", "n_classes"):
            wanted, found = getattr(self.shape, name), getattr(self.data, name)
            if wanted != found:
                raise ValueError(
                    f"`{name}` of `shape` must be {found}, that of the images, but got {wanted}."
                )

    def _check_path(self) -> None:
        """Where nothing can be written, a training would be lost at its first checkpoint."""
        if self.path.is_dir():
            raise IsADirectoryError(f"`output` must be a file, but {self.path} is a folder.")
        folder = self.path.parent
        if not folder.is_dir():
            raise FileNotFoundError(f"`output` must be in a folder, but there is no {folder}.")
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"`output` must be in a folder to write to, not in {folder}.")

    def _bar(self, engine: Engine, progress: bool) -> "tqdm[Any]":
        return progress_bar(
            total=self.n_steps,
            initial=engine.step,
            desc=self.kind,
            unit="step",
            disable=not (progress and engine.distribution.is_main),
        )


def _generators_kept(device: torch.device) -> Any:
    """What dropout draws is not taken from the user's generators."""
    n_gpus = torch.cuda.device_count() if device.type == "cuda" else 0
    return torch.random.fork_rng(devices=range(n_gpus))
