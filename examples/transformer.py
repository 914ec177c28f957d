"""Search for a small vision transformer, with its learning rate, on scikit-learn's digits.

    python examples/transformer.py

As in AutoFormer (Chen et al., 2021), the depth and the embedding vary, and for each layer the
heads and the ratio of the MLP. The cost is exact, so that the limit of multiply-adds holds from
the first trial on.
"""

import optuna
from sklearn.datasets import load_digits
import torch
from torch import nn

from optuna_dnas import DNASSampler
from optuna_dnas.search_space import Architecture
from optuna_dnas.search_space import ArchitectureSpace
from optuna_dnas.search_space import Choice
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import Repeat


N_PATCHES, PATCH_SIZE, HEAD_DIM, N_CLASSES = 16, 4, 8, 10


def cost(architecture: Architecture) -> Cost:
    """Multiply-adds of one image, and parameters; normalizations have no multiply-adds here."""
    n, d = N_PATCHES, architecture.embedding
    flops = n * PATCH_SIZE * d + d * N_CLASSES
    params = (PATCH_SIZE + 1) * d + n * d + 2 * d + (d + 1) * N_CLASSES
    for layer in architecture.layers:
        q, m = HEAD_DIM * layer.heads, layer.mlp_ratio * d
        flops += n * (4 * d * q + 2 * n * q + 2 * d * m)
        params += 4 * d + 3 * q * (d + 1) + (q + 1) * d + m * (d + 1) + (m + 1) * d
    return Cost(flops=flops, params=params)


SPACE = ArchitectureSpace(
    embedding=Choice(16, 24, 32, 48),
    layers=Repeat({"heads": Choice(1, 2, 4), "mlp_ratio": Choice(1, 2, 4)}, depth=(1, 4)),
    cost=cost,
    limits={"flops": 500_000},
)


class Layer(nn.Module):
    """Attention and an MLP, each after a normalization, and beside an identity."""

    def __init__(self, dim: int, n_heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norms = nn.ModuleList([nn.LayerNorm(dim), nn.LayerNorm(dim)])
        self.qkv = nn.Linear(dim, 3 * HEAD_DIM * n_heads)
        self.projection = nn.Linear(HEAD_DIM * n_heads, dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, mlp_ratio * dim), nn.GELU(), nn.Linear(mlp_ratio * dim, dim)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, N_PATCHES, dim) -> the same."""
        heads = self.qkv(self.norms[0](x)).unflatten(-1, (3, self.n_heads, HEAD_DIM))
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # (B, heads, N_PATCHES, HEAD_DIM) each
        attention = torch.softmax(q @ k.transpose(-1, -2) / HEAD_DIM**0.5, dim=-1)
        x = x + self.projection((attention @ v).transpose(1, 2).flatten(2))
        output: torch.Tensor = x + self.mlp(self.norms[1](x))
        return output


class Transformer(nn.Module):
    """Of images of 8 x 8 pixels, which are 16 patches."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        dim = architecture.embedding
        self.embed = nn.Linear(PATCH_SIZE, dim)
        # As large as what they are added to: an average over patches is all that comes after.
        self.positions = nn.Parameter(0.5 * torch.randn(N_PATCHES, dim))
        self.layers = nn.Sequential(
            *(Layer(dim, layer.heads, layer.mlp_ratio) for layer in architecture.layers)
        )
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, N_CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 8, 8) -> (B, 10) logits."""
        patches = images.unfold(1, 2, 2).unfold(2, 2, 2).reshape(-1, N_PATCHES, PATCH_SIZE)
        x = self.layers(self.embed(patches) + self.positions)
        logits: torch.Tensor = self.head(self.norm(x).mean(dim=1))
        return logits


class Objective:
    """Validation loss after some epochs; the accuracy is kept beside it."""

    def __init__(self, n_epochs: int = 8, batch_size: int = 50) -> None:
        digits = load_digits()
        order = torch.randperm(len(digits.images), generator=torch.Generator().manual_seed(0))
        images = torch.tensor(digits.images, dtype=torch.float32)[order] / 16
        labels = torch.tensor(digits.target)[order]
        self.train, self.validation = (
            (images[rows], labels[rows]) for rows in (slice(1_000), slice(1_000, None))
        )
        self.n_epochs, self.batch_size = n_epochs, batch_size

    def __call__(self, trial: optuna.Trial) -> float:
        torch.manual_seed(trial.number)
        network = Transformer(SPACE.suggest(trial))
        rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
        images, labels = self.train
        n_steps = self.n_epochs * -(-len(labels) // self.batch_size)
        optimizer = torch.optim.AdamW(network.parameters(), lr=rate, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=n_steps)
        for _ in range(self.n_epochs):
            for rows in torch.split(torch.randperm(len(labels)), self.batch_size):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(network(images[rows]), labels[rows])
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
        images, labels = self.validation
        with torch.no_grad():
            logits = network(images)
            loss = nn.functional.cross_entropy(logits, labels)
        trial.set_user_attr("accuracy", float((logits.argmax(dim=1) == labels).float().mean()))
        return float(loss)


def main(n_trials: int = 40) -> None:
    """Print the best transformer within the limit."""
    study = optuna.create_study(direction="minimize", sampler=DNASSampler(space=SPACE, seed=0))
    study.optimize(Objective(), n_trials=n_trials)
    best = SPACE.params_to_architecture(study.best_params)
    print(SPACE.draw(best))
    print(f"{cost(best).flops:,} multiply-adds, rate {study.best_params['rate']:.2g}")
    accuracy = study.best_trial.user_attrs["accuracy"]
    print(f"validation loss {study.best_value:.4f}, accuracy {accuracy:.4f}")


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    torch.set_num_threads(1)
    main()
