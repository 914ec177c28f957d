"""Processes and number formats: the only place that names accelerate.

Every process holds all weights and works off its share of each step; gradients are averaged.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import contextmanager
import os
import threading

import torch
from torch import nn

from optuna_dnas.objectives.training import precision_name
from optuna_dnas.objectives.training import resolve_precision


# Settings of a launcher, and of a shell in which something else has been trained.
_ENVIRONMENT = "ACCELERATE_"
_scope_lock = threading.RLock()

_FORMATS = {"single": "no", "float16": "fp16", "bfloat16": "bf16"}


class Distribution:
    """The processes that train together; one, unless started by a launcher.

    To be made within :func:`accelerate_scope`.

    Args:
        device: Where this process is to run. Of several processes, each has a GPU of its own.
        precision: As in `OptimizationConfig`.

    Raises:
        ValueError: The device cannot do that precision.
    """

    def __init__(self, device: torch.device, precision: str) -> None:
        from accelerate import Accelerator

        self._precision = precision_name(resolve_precision(precision, device))
        self._accelerator = Accelerator(
            mixed_precision=_FORMATS[self._precision], cpu=device.type == "cpu"
        )
        # accelerate knows kinds of devices, but for a single process not which one of several.
        self._device = device if self.n_processes == 1 else self._accelerator.device

    @property
    def device(self) -> torch.device:
        """Of this process."""
        return self._device

    @property
    def precision(self) -> str:
        """Of the training: never "auto"."""
        return self._precision

    @property
    def n_processes(self) -> int:
        """All of them."""
        return int(self._accelerator.num_processes)

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""
        return int(self._accelerator.process_index)

    @property
    def is_main(self) -> bool:
        """Whether this process writes and prints."""
        return bool(self._accelerator.is_main_process)

    @property
    def scaler(self) -> torch.amp.GradScaler | None:
        """Of the gradients in float16."""
        scaler: torch.amp.GradScaler | None = self._accelerator.scaler
        return scaler

    def autocast(self) -> AbstractContextManager[None]:
        """The shorter number format, if there is one."""
        context: AbstractContextManager[None] = self._accelerator.autocast()
        return context

    def backward(self, loss: torch.Tensor) -> None:
        """Add to the gradients of this process."""
        self._accelerator.backward(loss)

    def prepare(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """One whose steps are skipped where gradients in float16 overflow."""
        prepared: torch.optim.Optimizer = self._accelerator.prepare_optimizer(optimizer)
        return prepared

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Over all processes, which must have gradients of the same parameters."""
        if self.n_processes > 1:
            self._average([p.grad for p in parameters if p.grad is not None])

    def average_statistics(self, network: nn.Module) -> None:
        """Of batch normalisation: every process has seen other images."""
        if self.n_processes > 1:
            buffers = [b for b in network.buffers() if b.is_floating_point()]
            self._average(buffers)

    def clip_gradients(self, parameters: Sequence[nn.Parameter], longest: float) -> None:
        """The gradient as a whole gets at most so long."""
        self._accelerator.clip_grad_norm_(parameters, longest)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Over all processes."""
        mean: torch.Tensor = self._accelerator.reduce(values, "mean")
        return mean

    def wait(self) -> None:
        """For all other processes."""
        self._accelerator.wait_for_everyone()

    def _average(self, tensors: Sequence[torch.Tensor]) -> None:
        """In one message, in place."""
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        sizes = [tensor.numel() for tensor in tensors]
        for tensor, part in zip(tensors, torch.split(self.mean(flat), sizes), strict=True):
            tensor.copy_(part.view_as(tensor))


@contextmanager
def accelerate_scope() -> Iterator[None]:
    """What accelerate keeps for the whole process is new within, and as it was afterwards.

    A training must neither take over the device and number format of another one, nor change those
    of the user's own; what it computes is up to its config, not to variables of the environment.
    Trainings of several threads therefore take turns.

    Raises:
        ImportError: accelerate is not installed.
    """
    try:
        from accelerate.state import AcceleratorState
        from accelerate.state import GradientState
        from accelerate.state import PartialState
    except ImportError:
        raise ImportError(
            "Supernets are trained with accelerate: pip install 'optuna-dnas[supernet]'."
        ) from None
    states = (AcceleratorState, GradientState, PartialState)
    with _scope_lock:
        before = [vars(state)["_shared_state"] for state in states]
        environment = {key: v for key, v in os.environ.items() if key.startswith(_ENVIRONMENT)}
        try:
            for state in states:
                state._shared_state = {}  # What the user has made goes on with the one before.
            for key in environment:
                del os.environ[key]
            yield
        finally:
            for state, shared in zip(states, before, strict=True):
                state._shared_state = shared
            os.environ.update(environment)
