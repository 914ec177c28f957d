"""Processes and number formats: the only place that names accelerate.

Every process holds all weights and works off its share of each step; gradients are averaged.
"""

from collections.abc import Iterable
from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from torch import nn

from optuna_dnas.objectives.training import mixed_dtype


_FORMATS = {"single": "no", "float16": "fp16", "bfloat16": "bf16"}


class Distribution:
    """The processes that train together; one, unless started by ``accelerate launch``.

    Args:
        device: Where this process is to run. Of several GPUs, each process has its own.
        precision: As in `OptimizationConfig`.

    Raises:
        ImportError: accelerate is not installed.
    """

    def __init__(self, device: torch.device, precision: str) -> None:
        try:
            from accelerate import Accelerator
            from accelerate.state import AcceleratorState
        except ImportError:
            raise ImportError(
                "Supernets are trained with accelerate: pip install 'optuna-dnas[supernet]'."
            ) from None
        # One that is left over from another training would keep its number format.
        AcceleratorState._reset_state()
        self._accelerator = Accelerator(
            mixed_precision=_FORMATS[_resolve(precision, device)], cpu=device.type == "cpu"
        )

    @property
    def device(self) -> torch.device:
        """Of this process."""
        device: torch.device = self._accelerator.device
        return device

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


def _resolve(precision: str, device: torch.device) -> str:
    if precision != "auto":
        return precision
    dtype = mixed_dtype(device)
    return "single" if dtype is None else str(dtype).removeprefix("torch.")
