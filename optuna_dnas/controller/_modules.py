"""The networks: layers and `forward` only.

B: batch, L: steps, F: features of a step, D: latent dimensions, H: hidden units, S: size of a step
embedding, M: values, K: networks of an ensemble.

Modules are built on the meta device, which draws nothing; `initialise` gives them numbers.
"""

from typing import NamedTuple
from typing import TypeVar

import torch
from torch import nn


_Module = TypeVar("_Module", bound=nn.Module)

_LOG_VARIANCE_RANGE = (-10.0, 4.0)


def initialise(module: _Module, generator: torch.Generator) -> _Module:
    """``module`` on the CPU with torch's default distributions, drawn from ``generator``."""
    # `to_empty` imports nearly 500 modules, which takes half a second.
    state = {
        name: torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
        for name, tensor in module.state_dict().items()
    }
    module.load_state_dict(state, assign=True)
    for layer in module.modules():
        for parameter in layer.parameters(recurse=False):
            if isinstance(layer, nn.Embedding):
                nn.init.normal_(parameter, generator=generator)
                continue
            bound = _fan_in(layer) ** -0.5
            nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return module


class Encoder(nn.Module):
    """A bidirectional LSTM whose last states give a diagonal Gaussian.

    Args:
        input_dim: F.
        hidden_dim: H of each direction.
        latent_dim: D.
    """

    def __init__(self, *, input_dim: int, hidden_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            input_dim,
            hidden_dim,
            batch_first=True,
            bidirectional=True,
            device="meta",
            dtype=torch.float32,
        )
        self.head = _linear(2 * hidden_dim, 2 * latent_dim)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, L, F) -> mean (B, D) and log-variance (B, D)."""
        _, (last, _) = self.lstm(features)  # (2, B, H)
        mean, log_variance = self.head(torch.cat([last[0], last[1]], dim=1)).chunk(2, dim=1)
        return mean, log_variance.clamp(*_LOG_VARIANCE_RANGE)


class Decoder(nn.Module):
    """An LSTM that reads z and the step's embedding, and nothing that could bypass z.

    Args:
        output_dim: F.
        hidden_dim: H.
        latent_dim: D.
        n_steps: L.
        step_dim: S.
    """

    def __init__(
        self, *, output_dim: int, hidden_dim: int, latent_dim: int, n_steps: int, step_dim: int
    ) -> None:
        super().__init__()
        # Drawing normal numbers on the meta device, as `Embedding` does, imports the compiler.
        steps = torch.empty(n_steps, step_dim, device="meta", dtype=torch.float32)
        self.steps = nn.Embedding(n_steps, step_dim, _weight=steps)
        self.start = _linear(latent_dim, 2 * hidden_dim)
        self.lstm = nn.LSTM(
            latent_dim + step_dim, hidden_dim, batch_first=True, device="meta", dtype=torch.float32
        )
        self.head = _linear(hidden_dim, output_dim)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """(B, D) -> logits (B, L, F)."""
        n, n_steps = len(z), self.steps.num_embeddings
        steps = self.steps.weight.expand(n, -1, -1)  # (B, L, S)
        inputs = torch.cat([z[:, None].expand(-1, n_steps, -1), steps], dim=2)  # (B, L, D + S)
        h, c = torch.tanh(self.start(z))[None].chunk(2, dim=2)  # (1, B, H) each
        hidden, _ = self.lstm(inputs, (h.contiguous(), c.contiguous()))
        logits: torch.Tensor = self.head(hidden)
        return logits


class Reconstruction(NamedTuple):
    """What an autoencoder makes of a batch."""

    logits: torch.Tensor  # (B, L, F)
    mean: torch.Tensor  # (B, D)
    log_variance: torch.Tensor  # (B, D)
    z: torch.Tensor  # (B, D)


class Autoencoder(nn.Module):
    """Encoder, reparametrised draw and decoder.

    Args:
        n_steps: L.
        n_features: F.
        hidden_dim: H.
        latent_dim: D.
        step_dim: S.
    """

    def __init__(
        self, *, n_steps: int, n_features: int, hidden_dim: int, latent_dim: int, step_dim: int
    ) -> None:
        super().__init__()
        self.encoder = Encoder(input_dim=n_features, hidden_dim=hidden_dim, latent_dim=latent_dim)
        self.decoder = Decoder(
            output_dim=n_features,
            hidden_dim=hidden_dim,
            latent_dim=latent_dim,
            n_steps=n_steps,
            step_dim=step_dim,
        )

    def forward(self, features: torch.Tensor, noise: torch.Tensor) -> Reconstruction:
        """(B, L, F) features and (B, D) standard normal noise."""
        mean, log_variance = self.encoder(features)
        z = mean + torch.exp(0.5 * log_variance) * noise
        return Reconstruction(self.decoder(z), mean, log_variance, z)


class MLP(nn.Module):
    """Two hidden ReLU layers.

    Args:
        input_dim: D.
        hidden_dim: H.
        output_dim: M.
    """

    def __init__(self, *, input_dim: int, hidden_dim: int, output_dim: int) -> None:
        super().__init__()
        self.first = _linear(input_dim, hidden_dim)
        self.second = _linear(hidden_dim, hidden_dim)
        self.head = _linear(hidden_dim, output_dim)

    def forward(self, codes: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
        """(B, D) -> (B, M); ``keep`` (2, B, H) multiplies the hidden units, which is dropout."""
        hidden = torch.relu(self.first(codes))
        if keep is not None:
            hidden = hidden * keep[0]
        hidden = torch.relu(self.second(hidden))
        if keep is not None:
            hidden = hidden * keep[1]
        values: torch.Tensor = self.head(hidden)
        return values


class EnsembleLinear(nn.Module):
    """K linear layers side by side.

    Args:
        n_networks: K.
        in_features: Inputs of each.
        out_features: Outputs of each.
    """

    def __init__(self, n_networks: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features = in_features
        self.weight = nn.Parameter(
            torch.empty(n_networks, in_features, out_features, dtype=torch.float32, device="meta")
        )
        self.bias = nn.Parameter(
            torch.empty(n_networks, 1, out_features, dtype=torch.float32, device="meta")
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(K, B, in) -> (K, B, out)."""
        return torch.baddbmm(self.bias, x, self.weight)


class EnsembleMLP(nn.Module):
    """K independent MLPs with two hidden tanh layers and one output.

    Args:
        n_networks: K.
        input_dim: D.
        hidden_dim: H.
    """

    def __init__(self, *, n_networks: int, input_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.first = EnsembleLinear(n_networks, input_dim, hidden_dim)
        self.second = EnsembleLinear(n_networks, hidden_dim, hidden_dim)
        self.head = EnsembleLinear(n_networks, hidden_dim, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(K, B, D) -> (K, B)."""
        scores: torch.Tensor = self.head(torch.tanh(self.second(torch.tanh(self.first(x)))))
        return scores.squeeze(2)


def _linear(in_features: int, out_features: int) -> nn.Linear:
    return nn.Linear(in_features, out_features, device="meta", dtype=torch.float32)


def _fan_in(layer: nn.Module) -> int:
    if isinstance(layer, nn.LSTM):
        return layer.hidden_size
    if isinstance(layer, nn.Linear | EnsembleLinear):
        return layer.in_features
    raise TypeError(f"No initialisation is known for {type(layer).__name__}.")
