import numpy as np
import pytest
import torch
from torch import nn

from optuna_dnas._torch_scope import private_generator
from optuna_dnas.controller._modules import Autoencoder
from optuna_dnas.controller._modules import Decoder
from optuna_dnas.controller._modules import Encoder
from optuna_dnas.controller._modules import EnsembleMLP
from optuna_dnas.controller._modules import initialise
from optuna_dnas.controller._modules import MLP

from .toy import DEVICES


def autoencoder(device: str = "cpu") -> Autoencoder:
    module = Autoencoder(n_steps=5, n_features=7, hidden_dim=16, latent_dim=3, step_dim=4)
    return initialise(module, private_generator(0)).to(device)


def features(n: int, device: str = "cpu") -> torch.Tensor:
    return torch.rand(n, 5, 7, generator=private_generator(1)).to(device)


@pytest.mark.parametrize("device", DEVICES)
def test_shapes(device: str) -> None:
    noise = torch.zeros(6, 3, device=device)
    logits, mean, log_variance, z = autoencoder(device)(features(6, device), noise)
    assert logits.shape == (6, 5, 7)
    assert mean.shape == log_variance.shape == z.shape == (6, 3)
    assert torch.equal(z, mean)  # without noise the code is the mean


@pytest.mark.parametrize("device", DEVICES)
def test_a_row_of_a_batch_equals_the_row_alone(device: str) -> None:
    model, x = autoencoder(device), features(9, device)
    noise = torch.randn(9, 3, generator=private_generator(2)).to(device)
    batch = model(x, noise)
    for row in range(9):
        alone = model(x[row : row + 1], noise[row : row + 1])
        for of_batch, of_row in zip(batch, alone, strict=True):
            torch.testing.assert_close(of_batch[row], of_row[0], atol=1e-5, rtol=1e-4)


def test_the_encoder_reads_every_step() -> None:
    encoder, x = autoencoder().encoder, features(1)
    mean, _ = encoder(x)
    for step in range(5):
        changed = x.clone()
        changed[:, step] = 1 - changed[:, step]
        assert not torch.allclose(encoder(changed)[0], mean)


def test_the_log_variance_is_clamped() -> None:
    encoder = autoencoder().encoder
    for bias, clamped in ((100.0, 4.0), (-100.0, -10.0)):
        nn.init.constant_(encoder.head.bias, bias)
        assert (encoder(features(2))[1] == clamped).all()


@pytest.mark.parametrize(
    "module",
    [
        Encoder(input_dim=7, hidden_dim=16, latent_dim=3),
        Decoder(output_dim=7, hidden_dim=16, latent_dim=3, n_steps=5, step_dim=4),
        MLP(input_dim=3, hidden_dim=16, output_dim=2),
        EnsembleMLP(n_networks=4, input_dim=3, hidden_dim=16),
    ],
)
def test_initialisation_has_torch_bounds_and_follows_the_seed(module: nn.Module) -> None:
    initialise(module, private_generator(0))
    first = [parameter.detach().clone() for parameter in module.parameters()]
    for parameter in first:
        assert torch.isfinite(parameter).all()
        assert parameter.std() > 0
    initialise(module, private_generator(0))
    assert all(map(torch.equal, first, module.parameters()))
    initialise(module, private_generator(1))
    assert not any(map(torch.equal, first, module.parameters()))


def test_linear_layers_start_like_those_of_torch() -> None:
    ours = initialise(MLP(input_dim=100, hidden_dim=400, output_dim=1), private_generator(0))
    theirs = nn.Linear(100, 400)
    for name, parameter in theirs.named_parameters():
        found, expected = ours.first.get_parameter(name).detach(), parameter.detach()
        assert found.abs().max().item() == pytest.approx(0.1, rel=0.01)
        assert found.std().item() == pytest.approx(expected.std().item(), rel=0.1)


def test_ensemble_members_are_independent_networks() -> None:
    ensemble = initialise(
        EnsembleMLP(n_networks=3, input_dim=4, hidden_dim=8), private_generator(0)
    )
    x = torch.randn(3, 6, 4, generator=private_generator(1))
    together = ensemble(x)  # (3, 6)
    for k in range(3):
        hidden = x[k]
        for layer in (ensemble.first, ensemble.second):
            hidden = torch.tanh(hidden @ layer.weight[k] + layer.bias[k])
        alone = hidden @ ensemble.head.weight[k] + ensemble.head.bias[k]
        torch.testing.assert_close(together[k], alone[:, 0])


def test_dropped_units_do_not_count() -> None:
    mlp = initialise(MLP(input_dim=3, hidden_dim=8, output_dim=2), private_generator(0))
    x = torch.randn(5, 3, generator=private_generator(1))
    torch.testing.assert_close(mlp(x, torch.ones(2, 5, 8)), mlp(x))
    dropped = mlp(x, torch.zeros(2, 5, 8))
    torch.testing.assert_close(dropped, mlp.head.bias.expand(5, 2))


def test_gradients_against_finite_differences() -> None:
    model = autoencoder().double()
    x, noise = features(2).double(), torch.ones(2, 3, dtype=torch.float64)

    def total(z: torch.Tensor) -> torch.Tensor:
        return model.decoder(z).square().sum(dim=(1, 2))

    z = model(x, noise).z.detach().requires_grad_()
    assert torch.autograd.gradcheck(total, (z,))
    np.testing.assert_array_less(0.0, np.abs(torch.autograd.grad(total(z).sum(), z)[0].numpy()))
