"""The optimization that supernets and single networks share.

B: images of a batch, K: classes, S: steps in all.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from functools import lru_cache
import itertools
import time
from typing import Any
from typing import cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm

from optuna_dnas._optuna_compat import get_logger
from optuna_dnas._torch_scope import private_generator
from optuna_dnas._typing import IntArray
from optuna_dnas.objectives.supernet._checkpoint import Checkpoint
from optuna_dnas.objectives.supernet._checkpoint import with_prefix
from optuna_dnas.objectives.supernet._config import OptimizationConfig
from optuna_dnas.objectives.supernet._distribution import Distribution
from optuna_dnas.objectives.supernet._network import initialise
from optuna_dnas.objectives.supernet._network import split_by_decay
from optuna_dnas.objectives.supernet.data import Batch
from optuna_dnas.objectives.supernet.data import ImageData
from optuna_dnas.objectives.supernet.data import IndexBatch
from optuna_dnas.objectives.training import DivergedError
from optuna_dnas.objectives.training import memory_layout


Arguments = Sequence[tuple[Any, ...]]
"""What a step calls the network with beside the images, once for each entry."""

_logger = get_logger(__name__)

# Reading a loss waits for the device.
_STEPS_BETWEEN_READINGS = 20


class Engine:
    """A network, its optimizer, and how far they are.

    Every process, and every part into which a process divides its share of a step, has its own
    batch normalisation. So two processes compute the losses and weights that one does that
    accumulates two parts, but for the rounding of sums. Only the running statistics differ, which
    weigh the parts of a step alike in several processes, the later more in one.

    Args:
        network: On the "meta" device; it is built here.
        data: What to train on.
        config: How to train.
        n_steps: S.
        arguments_of: Of a step, the same in every process.
        device: Where to train.

    Raises:
        ValueError: The batches do not fit the images or the processes, or the precision does not
            fit the device.
    """

    def __init__(
        self,
        network: nn.Module,
        data: ImageData,
        config: OptimizationConfig,
        *,
        n_steps: int,
        arguments_of: Callable[[int], Arguments],
        device: torch.device,
    ) -> None:
        self._distribution = Distribution(device, config.precision)
        self._data, self._config, self._n_steps = data, config, n_steps
        self._arguments_of = arguments_of
        self._check_batches()
        target = self._distribution.device
        initialise(network, private_generator(config.seed))
        self.network = network.to(target).to(memory_format=memory_layout(target))  # type: ignore[call-overload]
        self._optimizer = self._distribution.prepare(self._build_optimizer())
        self._average = self._build_average()
        self.step = 0
        self._losses = torch.full((n_steps,), torch.nan, device=target, dtype=torch.float32)
        self._n_seen, self._seconds, self._start = 0, 0.0, 0.0

    @property
    def distribution(self) -> Distribution:
        """The processes."""
        return self._distribution

    @property
    def trained(self) -> nn.Module:
        """The network to use: with the moving average of the weights, if there is one."""
        return self.network if self._average is None else self._average.module

    @property
    def losses(self) -> torch.Tensor:
        """(S,) mean loss of each step, NaN of those to come, on the CPU."""
        return self._losses.cpu()

    @property
    def images_per_second(self) -> float:
        """Of this run; of several subnets in a step, an image counts for each."""
        return self._n_seen / self._seconds if self._seconds > 0 else 0.0

    def run(self, until: int, bar: "tqdm[Any]") -> None:
        """Train up to this step, which is the number of steps done.

        Raises:
            DivergedError: The loss or a weight became infinite or NaN.
        """
        self.network.train()
        self._start = time.perf_counter() - self._seconds
        batches = self._batches(range(self.step, until))
        while self.step < until:
            # Readings are at the same steps in every run: so is the rounding of sums.
            first = self.step
            stop = min(until, (first // _STEPS_BETWEEN_READINGS + 1) * _STEPS_BETWEEN_READINGS)
            for step in range(first, stop):
                parts = list(itertools.islice(batches, self._config.n_accumulation))
                self._losses[step] = self._take_step(step, parts)
                self.step = step + 1
                bar.update()
            self._read(bar, slice(first, stop))
        self._check_weights()
        self._distribution.average_statistics(self.network)
        if self._average is not None:
            self._distribution.average_statistics(self._average.module)

    def checkpoint(self, kind: str, state: dict[str, Any]) -> Checkpoint:
        """All that is needed to go on, and ``state`` beside it."""
        tensors = with_prefix("network", self.network.state_dict())
        if self._average is not None:
            tensors |= with_prefix("average", self._average.state_dict())
        tensors |= with_prefix("momentum", self._momentum_buffers())
        tensors["losses"] = self._losses
        state = state | {"step": self.step, "precision": self._distribution.precision}
        if self._distribution.scaler is not None:
            state["scaler"] = self._distribution.scaler.state_dict()
        return Checkpoint(kind, state, tensors)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from where the checkpoint is."""
        self.network.load_state_dict(checkpoint.part("network"))
        if self._average is not None:
            self._average.load_state_dict(checkpoint.part("average"))
        buffers = checkpoint.part("momentum")
        for name, parameter in self.network.named_parameters():
            if name in buffers:
                buffer = torch.empty_like(parameter).copy_(buffers[name])
                self._optimizer.state[parameter] = {"momentum_buffer": buffer}
        before, now = checkpoint.state["precision"], self._distribution.precision
        if before != now and self._distribution.is_main:
            _logger.warning(
                f"The training was in the precision {before} until now, and goes on in {now}: "
                "that is what `precision` means on this device."
            )
        # There is none of another precision: a new one finds its scale.
        if self._distribution.scaler is not None and "scaler" in checkpoint.state:
            self._distribution.scaler.load_state_dict(checkpoint.state["scaler"])
        self._losses.copy_(checkpoint.tensors["losses"])
        self.step = int(checkpoint.state["step"])

    def _take_step(self, step: int, parts: list[Batch]) -> torch.Tensor:
        """The mean loss of this process."""
        config, parameters = self._config, list(self.network.parameters())
        arguments = self._arguments_of(step)
        for group in self._optimizer.param_groups:
            group["lr"] = config.learning_rate_at((step + 1) / self._n_steps)
        self._optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self._distribution.device, dtype=torch.float32)
        for k, (images, labels) in enumerate(parts, start=self._first_part):
            if config.dropout > 0:
                # It draws from torch's own generator: what, is decided by step and part alone.
                torch.manual_seed(_mix(config.seed, step, k))
            for extra in arguments:
                loss = self._loss(images, labels, extra) / (len(parts) * len(arguments))
                self._distribution.backward(loss)
                total += loss.detach()
            self._n_seen += len(arguments) * len(labels) * self._distribution.n_processes
        self._distribution.average_gradients(parameters)
        if config.gradient_clip is not None:
            self._distribution.clip_gradients(parameters, config.gradient_clip)
        self._optimizer.step()
        if self._average is not None:
            self._average.update_parameters(self.network)
        return total

    def _loss(
        self, images: torch.Tensor, labels: torch.Tensor, extra: tuple[Any, ...]
    ) -> torch.Tensor:
        images = images.contiguous(memory_format=memory_layout(images.device))
        with self._distribution.autocast():
            logits = self.network(images, *extra)
        return F.cross_entropy(
            logits.float(), labels, label_smoothing=self._config.label_smoothing
        )

    def _batches(self, steps: range) -> Iterator[Batch]:
        """The parts of this process, ``n_accumulation`` a step."""
        return self._data.train_batches(
            itertools.chain.from_iterable(map(self._parts, steps)),
            seed=self._config.seed,
            device=self._distribution.device,
        )

    def _parts(self, step: int) -> list[IndexBatch]:
        n, config = self._data.n_images("train"), self._config
        epoch, k = divmod(step, n // config.batch_size)
        order = _order_of_epoch(config.seed, epoch, n)
        indices = order[k * config.batch_size : (k + 1) * config.batch_size]
        parts = np.split(indices, self._distribution.n_processes * config.n_accumulation)
        own = parts[self._first_part :][: config.n_accumulation]
        return [IndexBatch(epoch, part.tolist()) for part in own]

    @property
    def _first_part(self) -> int:
        """Of this process, among those of a step."""
        return self._distribution.rank * self._config.n_accumulation

    def _read(self, bar: "tqdm[Any]", steps: slice) -> None:
        """The losses of all processes, which therefore all diverge at the same step."""
        losses = self._distribution.mean(self._losses[steps])
        self._losses[steps] = losses
        loss = float(losses.mean())
        self._seconds = time.perf_counter() - self._start
        if not np.isfinite(loss):
            raise DivergedError(f"The loss is {loss} at step {self.step}.")
        rate = self._config.learning_rate_at(self.step / self._n_steps)
        bar.set_postfix_str(
            f"loss {loss:.3f}, learning rate {rate:.3g}, {self.images_per_second:,.0f} images/s",
            refresh=False,
        )

    def _check_weights(self) -> None:
        """A loss is of the weights before its step: it does not see what the last one does."""
        are_finite = torch.stack([p.detach().isfinite().all() for p in self.network.parameters()])
        if not are_finite.all():
            raise DivergedError(f"Weights are infinite or NaN at step {self.step}.")

    def _check_batches(self) -> None:
        size, n = self._config.batch_size, self._data.n_images("train")
        if size > n:
            raise ValueError(
                f"`batch_size` must be at most {n}, the number of training images, but got {size}."
            )
        n_parts = self._distribution.n_processes * self._config.n_accumulation
        if size % n_parts or size // n_parts < 2:
            raise ValueError(
                f"`batch_size` must be {n_parts} equal parts (processes x `n_accumulation`) of at "
                f"least 2 images, but got {size}."
            )

    def _build_optimizer(self) -> torch.optim.Optimizer:
        decaying, others = split_by_decay(self.network)
        groups = [
            {"params": decaying, "weight_decay": self._config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        momentum = self._config.momentum
        return torch.optim.SGD(groups, lr=0.0, momentum=momentum, nesterov=momentum > 0)

    def _build_average(self) -> AveragedModel | None:
        if self._config.ema_decay is None:
            return None
        average = get_ema_multi_avg_fn(self._config.ema_decay)  # type: ignore[no-untyped-call]
        return AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)

    def _momentum_buffers(self) -> dict[str, torch.Tensor]:
        state = self._optimizer.state
        buffers = {
            name: state[parameter].get("momentum_buffer")
            for name, parameter in self.network.named_parameters()
            if parameter in state
        }
        return {name: cast(torch.Tensor, b) for name, b in buffers.items() if b is not None}


@lru_cache(maxsize=2)
def _order_of_epoch(seed: int, epoch: int, n: int) -> IntArray:
    return np.random.default_rng([seed, epoch]).permutation(n)


def _mix(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
