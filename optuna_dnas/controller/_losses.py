"""Losses as pure functions.

B: batch, L: steps, F: features of a step, T: tokens, C: choices, D: latent dimensions,
K: networks of an ensemble.
"""

import math

import torch
from torch.nn import functional as F


def token_logits(
    logits: torch.Tensor,  # (B, L, F)
    feature_index: torch.Tensor,  # (T, C), place of each choice in the L * F logits
    legal: torch.Tensor,  # (T, C)
) -> torch.Tensor:  # (B, T, C)
    """Logits of each token's choices; -inf, no probability at all, of those not legal."""
    return logits.flatten(1)[:, feature_index].masked_fill(~legal, -torch.inf)


def reconstruction_error(
    logits: torch.Tensor,  # (B, L, F)
    tokens: torch.Tensor,  # (B, T)
    feature_index: torch.Tensor,  # (T, C)
    legal: torch.Tensor,  # (T, C)
) -> torch.Tensor:  # (B,)
    """Cross-entropy of the tokens in nats, summed over a sequence."""
    log_probabilities = F.log_softmax(token_logits(logits, feature_index, legal), dim=2)
    return -log_probabilities.gather(2, tokens[:, :, None]).sum(dim=(1, 2))


def set_error(
    logits: torch.Tensor,  # (B, T, C), -inf for illegal choices
    tokens: torch.Tensor,  # (B, K, T)
    exist: torch.Tensor,  # (B, K)
) -> torch.Tensor:  # (B,)
    """Minus the log-probability in nats that one of the K sequences comes out, no matter which."""
    log_probabilities = F.log_softmax(logits, dim=2)[:, None].expand(-1, tokens.shape[1], -1, -1)
    of_sequences = log_probabilities.gather(3, tokens[..., None]).sum(dim=(2, 3))  # (B, K)
    return -torch.logsumexp(of_sequences.masked_fill(~exist, -torch.inf), dim=1)


def guide_error(mean: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(B, D) means, (B, G) targets of the first G -> () squared error per example; NaN is free."""
    error = mean[:, : targets.shape[1]] - targets
    return error.nan_to_num(nan=0.0).square().sum(dim=1).mean()


def kl_divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """(B, D) diagonal Gaussians -> (B,) KL(q || N(0, I)) in nats (Kingma & Welling, App. B)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)


def total_correlation(
    mean: torch.Tensor,  # (B, D)
    log_variance: torch.Tensor,  # (B, D)
    z: torch.Tensor,  # (B, D)
) -> torch.Tensor:  # ()
    """KL(q(z) || prod_i q(z_i)) with the batch's mixture as q(z).

    Minibatch-weighted sampling (Chen et al. 2018, App. C.1) without the data set's size, which
    adds a constant and no gradient.
    """
    deviation = (z[:, None] - mean[None]).square() * torch.exp(-log_variance)[None]
    log_density = -0.5 * (deviation + log_variance[None] + math.log(2 * math.pi))  # (B, B, D)
    joint = torch.logsumexp(log_density.sum(dim=2), dim=1)  # (B,), log(B) too large
    marginals = torch.logsumexp(log_density, dim=1).sum(dim=1)  # (B,), D log(B) too large
    return (joint - marginals).mean() + (z.shape[1] - 1) * math.log(len(z))


def pairwise_logistic(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(K, B) scores and targets -> (K,) mean loss of the pairs with unlike targets, 0 if none.

    A pair costs log(1 + exp(s_i - s_j)) where target i is the lower (Burges et al. 2005).
    """
    should_precede = (targets[:, :, None] < targets[:, None, :]).flatten(1).to(scores.dtype)
    cost = F.softplus(scores[:, :, None] - scores[:, None, :]).flatten(1)  # (K, B * B)
    total: torch.Tensor = torch.linalg.vecdot(cost, should_precede)
    return total / should_precede.sum(dim=1).clamp(min=1)


def squared_error(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(K, B) predictions and targets -> (K,) mean squared errors."""
    return (predictions - targets).square().mean(dim=1)
