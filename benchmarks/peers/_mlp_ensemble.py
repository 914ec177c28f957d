"""The predictor of BANANAS: deep and narrow networks, which differ in their first weights.

E: networks, n: observations, X: inputs, N: queries, B: batch.
"""

from itertools import pairwise

import torch

from optuna_dnas._torch_scope import private_generator
from optuna_dnas._torch_scope import torch_scope
from optuna_dnas._typing import FloatArray


_N_NETWORKS = 5
_N_LAYERS = 10
_WIDTH = 20
_N_EPOCHS = 150
_BATCH_SIZE = 32
_LEARNING_RATE = 0.01


def predict_by_ensemble(
    inputs: FloatArray,  # (n, X)
    targets: FloatArray,  # (n,)
    queries: FloatArray,  # (N, X)
    *,
    seed: int,
) -> FloatArray:  # (E, N)
    """Fit the networks to the mean absolute error, and predict with each of them."""
    with torch_scope():
        generator = private_generator(seed)
        layers = _initialise([inputs.shape[1], *[_WIDTH] * _N_LAYERS, 1], generator)
        x, y, new = (torch.as_tensor(a, dtype=torch.float32) for a in (inputs, targets, queries))
        _train(layers, x, y, generator)
    with torch_scope(grad=False):
        predicted: FloatArray = _forward(layers, new.expand(_N_NETWORKS, -1, -1)).double().numpy()
    return predicted


_Layers = list[tuple[torch.Tensor, torch.Tensor]]  # (E, inputs, outputs) and (E, 1, outputs)


def _initialise(sizes: list[int], generator: torch.Generator) -> _Layers:
    """Uniform weights as of Glorot & Bengio (2010, Eq. 16), and biases of 0, as Keras has it."""
    layers = []
    for n_in, n_out in pairwise(sizes):
        weight = torch.empty(_N_NETWORKS, n_in, n_out, dtype=torch.float32, device="cpu")
        bound = (6.0 / (n_in + n_out)) ** 0.5
        weight.uniform_(-bound, bound, generator=generator)
        bias = torch.zeros(_N_NETWORKS, 1, n_out, dtype=torch.float32, device="cpu")
        layers.append((weight.requires_grad_(), bias.requires_grad_()))
    return layers


def _forward(layers: _Layers, x: torch.Tensor) -> torch.Tensor:
    """(E, B, X) -> (E, B)."""
    *hidden, (weight, bias) = layers
    for w, b in hidden:
        x = torch.baddbmm(b, x, w).relu()
    return torch.baddbmm(bias, x, weight).squeeze(2)


def _train(
    layers: _Layers,
    x: torch.Tensor,  # (n, X)
    y: torch.Tensor,  # (n,)
    generator: torch.Generator,
) -> None:
    parameters = [parameter for layer in layers for parameter in layer]
    optimizer = torch.optim.Adam(parameters, lr=_LEARNING_RATE, betas=(0.9, 0.99), fused=True)
    for _ in range(_N_EPOCHS):
        # Every network has an order of its own.
        keys = torch.rand(_N_NETWORKS, len(x), generator=generator, device="cpu")
        for batch in keys.argsort(dim=1).split(_BATCH_SIZE, dim=1):  # type: ignore[no-untyped-call]  # (E, B)
            loss = (_forward(layers, x[batch]) - y[batch]).abs().mean(dim=1).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
