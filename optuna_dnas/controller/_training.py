"""Label-free pre-training: an autoencoder of generated architectures.

N: architectures, T: tokens, B: batch, D: latent dimensions.
"""

from collections.abc import Callable
from collections.abc import Iterator

import torch
from torch import nn

from optuna_dnas._background import stop_if_process_ends
from optuna_dnas._torch_scope import flush_denormal
from optuna_dnas._torch_scope import private_generator
from optuna_dnas._torch_scope import resolve_device
from optuna_dnas._torch_scope import torch_scope
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller._config import ControllerConfig
from optuna_dnas.controller._config import GuidedConfig
from optuna_dnas.controller._guidance import Guidance
from optuna_dnas.controller._guidance_data import GuidanceData
from optuna_dnas.controller._losses import reconstruction_error
from optuna_dnas.controller._modules import Autoencoder
from optuna_dnas.controller._modules import initialise
from optuna_dnas.encoding import Vocabulary


Progress = Callable[[int, float], None]
"""Called now and then with the number of finished steps and the last loss in nats."""

REPORT_INTERVAL = 50  # Steps. Reading a loss makes an accelerator wait.


def pretrain(
    vocabulary: Vocabulary,
    tokens: TokenArray,  # (N, T)
    config: ControllerConfig,
    *,
    seed: int,
    device: str = "cpu",
    n_threads: int = 1,
    guidance: GuidanceData | None = None,
    on_progress: Progress | None = None,
) -> Autoencoder:
    """Train an autoencoder of ``tokens``. On the CPU a seed gives the same bits every time.

    ``guidance`` is of the same tokens, and for a `GuidedConfig`.

    Raises:
        ValueError: ``tokens`` is empty or illegal, ``device`` is not there, or ``guidance`` does
            not go with ``config``.
        RuntimeError: Training diverged.
    """
    check_tokens(vocabulary, tokens)
    if not len(tokens):
        raise ValueError("`tokens` must not be empty.")
    if isinstance(config, GuidedConfig) != (guidance is not None):
        raise ValueError("`guidance` belongs to a `GuidedConfig`, and to no other config.")
    with torch_scope(n_threads), flush_denormal():
        generator = private_generator(seed)
        model = build_autoencoder(vocabulary, config, generator).to(resolve_device(device))
        data = TokenData(vocabulary, tokens, resolve_device(device))
        guide = None if guidance is None else data.guide(guidance, config)
        _train(model, data, config, generator, guide, on_progress)
    return model.eval()


class TokenData:
    """Architectures as tensors on a device.

    Args:
        vocabulary: Of the tokens.
        tokens: (N, T) integers.
        device: Where they live.
    """

    def __init__(self, vocabulary: Vocabulary, tokens: TokenArray, device: torch.device) -> None:
        self.tokens = torch.as_tensor(tokens, dtype=torch.int64, device=device)  # (N, T)
        self.features = torch.as_tensor(vocabulary.one_hot(tokens), device=device)  # (N, L, F)
        self.feature_index = torch.as_tensor(vocabulary.feature_index, device=device)  # (T, C)
        self.legal = torch.as_tensor(vocabulary.legal, device=device)  # (T, C)

    def __len__(self) -> int:
        return len(self.tokens)

    def reconstruction_error(self, logits: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        """() nats per sequence of the architectures number ``batch`` (B,)."""
        tokens = self.tokens[batch]
        return reconstruction_error(logits, tokens, self.feature_index, self.legal).mean()

    def guide(self, guidance: GuidanceData, config: ControllerConfig) -> Guidance:
        """Guidance of these architectures, on their device."""
        assert isinstance(config, GuidedConfig)
        return Guidance(guidance, config, self.feature_index, self.legal)


def check_tokens(vocabulary: Vocabulary, tokens: TokenArray) -> None:
    """Raise `ValueError` unless ``tokens`` is an (N, T) array of integers, all legal choices."""
    if tokens.dtype.kind not in "iu":
        raise ValueError(f"Tokens must be integers, but got {tokens.dtype}.")
    vocabulary.check(tokens)


def build_autoencoder(
    vocabulary: Vocabulary, config: ControllerConfig, generator: torch.Generator
) -> Autoencoder:
    """An untrained autoencoder on the CPU."""
    model = Autoencoder(
        n_steps=vocabulary.n_steps,
        n_features=vocabulary.n_features,
        hidden_dim=config.hidden_dim,
        latent_dim=config.latent_dim,
        step_dim=config.step_dim,
    )
    return initialise(model, generator)


def epoch_batches(
    n: int, batch_size: int, generator: torch.Generator, device: torch.device
) -> Iterator[torch.Tensor]:
    """(B,) indices below ``n``, for ever: every epoch is a fresh permutation."""
    while True:
        permutation = torch.randperm(n, generator=generator, device="cpu").to(device)
        for start in range(0, n, batch_size):
            yield permutation[start : start + batch_size]


def standard_normal(
    n: int, dim: int, generator: torch.Generator, device: torch.device
) -> torch.Tensor:
    """(n, dim) float32 draws."""
    noise = torch.randn(n, dim, generator=generator, dtype=torch.float32, device="cpu")
    return noise.to(device)


def adam(model: nn.Module, learning_rate: float, weight_decay: float = 0.0) -> torch.optim.Adam:
    """Adam on all parameters, in one kernel where the device has it."""
    parameters = list(model.parameters())
    return torch.optim.Adam(
        parameters,
        lr=learning_rate,
        weight_decay=weight_decay,
        fused=parameters[0].device.type in ("cpu", "cuda"),
    )


def descend(
    loss: torch.Tensor, model: nn.Module, optimizer: torch.optim.Optimizer, clip: float
) -> None:
    """One optimiser step."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()


def finite_loss(loss: torch.Tensor, step: int) -> float:
    """The loss as a number.

    Raises:
        RuntimeError: It is not finite.
    """
    value = loss.item()
    if value - value != 0:
        raise RuntimeError(
            f"Training diverged: the loss is {value} after {step} steps. "
            "Try a smaller `learning_rate` or smaller weights."
        )
    return value


def _train(
    model: Autoencoder,
    data: TokenData,
    config: ControllerConfig,
    generator: torch.Generator,
    guide: Guidance | None,
    on_progress: Progress | None,
) -> None:
    n_steps, device = config.n_steps, data.tokens.device
    optimizer = adam(model, config.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=config.learning_rate, total_steps=n_steps + 1
    )
    batches = epoch_batches(len(data), config.batch_size, generator, device)
    for step, batch in zip(range(1, n_steps + 1), batches, strict=False):
        stop_if_process_ends()
        noise = standard_normal(len(batch), config.latent_dim, generator, device)
        made = model(data.features[batch], noise)
        logits, mean, log_variance, z = made
        penalty = config.objective.penalty(mean, log_variance, z, step / n_steps)
        weight = min(1.0, step / max(1.0, config.warmup * n_steps))
        loss = data.reconstruction_error(logits, batch) + weight * penalty
        if guide is not None:
            loss = loss + guide.penalty(model.decoder, made, batch, generator, weight)
        descend(loss, model, optimizer, config.gradient_clip)
        schedule.step()
        if step % REPORT_INTERVAL == 0 or step == n_steps:
            value = finite_loss(loss, step)
            if on_progress is not None:
                on_progress(step, value)
