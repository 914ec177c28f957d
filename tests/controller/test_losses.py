import math

import numpy as np
import pytest
import torch
from torch.distributions import Categorical
from torch.distributions import Independent
from torch.distributions import kl_divergence as reference_kl
from torch.distributions import MixtureSameFamily
from torch.distributions import Normal

from optuna_dnas._torch_scope import private_generator
from optuna_dnas.controller._config import ControllerConfig
from optuna_dnas.controller._config import KLObjective
from optuna_dnas.controller._config import SemiSupervisedConfig
from optuna_dnas.controller._config import TotalCorrelationObjective
from optuna_dnas.controller._losses import kl_divergence
from optuna_dnas.controller._losses import pairwise_logistic
from optuna_dnas.controller._losses import reconstruction_error
from optuna_dnas.controller._losses import squared_error
from optuna_dnas.controller._losses import token_logits
from optuna_dnas.controller._losses import total_correlation
from optuna_dnas.controller.predictors._ensemble import EnsembleConfig
from optuna_dnas.controller.predictors._ensemble import SquaredLoss

from .toy import sample_tokens
from .toy import VOCABULARY


LEGAL = torch.as_tensor(VOCABULARY.legal)
FEATURE_INDEX = torch.as_tensor(VOCABULARY.feature_index)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=private_generator(seed), dtype=torch.float64)


def logits(n: int) -> torch.Tensor:
    return 3 * draw(n, VOCABULARY.n_steps, VOCABULARY.n_features)


def test_illegal_choices_have_exactly_no_probability() -> None:
    probabilities = token_logits(logits(7), FEATURE_INDEX, LEGAL).softmax(2)
    assert (probabilities[:, ~LEGAL] == 0).all()
    assert (probabilities[:, LEGAL] > 0).all()
    torch.testing.assert_close(probabilities.sum(dim=2), torch.ones(7, len(VOCABULARY)).double())


def test_each_token_has_its_own_logits() -> None:
    places = VOCABULARY.feature_index[VOCABULARY.legal]
    assert len(set(places)) == len(places)
    hot = VOCABULARY.one_hot(sample_tokens(5))  # a huge logit at each right place
    found = token_logits(torch.as_tensor(hot) * 50, FEATURE_INDEX, LEGAL).argmax(2)
    np.testing.assert_array_equal(found, sample_tokens(5))


def test_reconstruction_error_is_a_sum_over_tokens() -> None:
    tokens = torch.as_tensor(sample_tokens(7))
    error = reconstruction_error(logits(7), tokens, FEATURE_INDEX, LEGAL)
    flat = logits(7).flatten(1)
    for row in range(7):
        nats = 0.0
        for t, token in enumerate(VOCABULARY.tokens):
            own = flat[row, FEATURE_INDEX[t, : token.n_choices]]
            nats -= float(Categorical(logits=own).log_prob(tokens[row, t]))
        assert float(error[row]) == pytest.approx(nats)


def test_reconstruction_error_of_uniform_logits_counts_the_space() -> None:
    zeros = torch.zeros(2, VOCABULARY.n_steps, VOCABULARY.n_features)
    error = reconstruction_error(zeros, torch.as_tensor(sample_tokens(2)), FEATURE_INDEX, LEGAL)
    n_architectures = math.prod(token.n_choices for token in VOCABULARY.tokens)
    torch.testing.assert_close(error, torch.full((2,), math.log(n_architectures)))


def test_reconstruction_error_has_finite_gradients() -> None:
    wild = (logits(3) * 1e3).requires_grad_()
    tokens = torch.as_tensor(sample_tokens(3))
    reconstruction_error(wild, tokens, FEATURE_INDEX, LEGAL).sum().backward()
    assert wild.grad is not None
    assert torch.isfinite(wild.grad).all()


@pytest.mark.parametrize("n", [1, 8])
@pytest.mark.parametrize("dim", [1, 5])
def test_kl_against_torch(n: int, dim: int) -> None:
    mean, log_variance = draw(n, dim), draw(n, dim, seed=1)
    posterior = Independent(Normal(mean, (0.5 * log_variance).exp()), 1)
    prior = Independent(Normal(torch.zeros(dim).double(), torch.ones(dim).double()), 1)
    torch.testing.assert_close(kl_divergence(mean, log_variance), reference_kl(posterior, prior))


def test_kl_closed_forms() -> None:
    zero = torch.zeros(1, 4)
    assert kl_divergence(zero, zero).item() == 0
    assert kl_divergence(zero + 3, zero).item() == pytest.approx(4 * 9 / 2)
    assert kl_divergence(zero, zero + 1).item() == pytest.approx(4 * (math.e - 2) / 2)


def test_total_correlation_against_mixtures_of_torch() -> None:
    mean, log_variance, z = draw(6, 3), draw(6, 3, seed=1), draw(6, 3, seed=2)
    deviation = (0.5 * log_variance).exp()
    weights = Categorical(logits=torch.zeros(6).double())
    joint = MixtureSameFamily(weights, Independent(Normal(mean, deviation), 1))
    expected = joint.log_prob(z)
    for i in range(3):
        marginal = MixtureSameFamily(weights, Normal(mean[:, i], deviation[:, i]))
        expected = expected - marginal.log_prob(z[:, i])
    torch.testing.assert_close(total_correlation(mean, log_variance, z), expected.mean())


def test_total_correlation_of_independent_and_of_correlated_codes() -> None:
    mean, flat = draw(2000, 2), torch.full((2000, 2), math.log(0.05)).double()
    z = mean + math.sqrt(0.05) * draw(2000, 2, seed=1)
    assert total_correlation(mean, flat, z).item() == pytest.approx(0, abs=0.05)
    same = mean[:, :1].expand(-1, 2)
    z = same + math.sqrt(0.05) * draw(2000, 2, seed=1)
    gaussian = -0.5 * math.log(1 - (1 / 1.05) ** 2)  # mutual information of a Gaussian pair
    assert total_correlation(same, flat, z).item() == pytest.approx(gaussian, abs=0.1)


def test_total_correlation_of_one_example_or_one_dimension_is_zero() -> None:
    for shape in ((1, 5), (5, 1)):
        value = total_correlation(draw(*shape), draw(*shape, seed=1), draw(*shape, seed=2))
        assert value.item() == pytest.approx(0, abs=1e-12)


def test_pairwise_logistic_is_a_mean_over_ordered_pairs() -> None:
    scores = torch.tensor([[0.3, -1.0, 2.0]])
    targets = torch.tensor([[1.0, 2.0, 2.0]])
    pairs = [math.log1p(math.exp(0.3 + 1.0)), math.log1p(math.exp(0.3 - 2.0))]
    assert pairwise_logistic(scores, targets).item() == pytest.approx(sum(pairs) / 2)


def test_pairwise_logistic_of_ties_alone_is_zero_with_zero_gradient() -> None:
    scores = draw(2, 4).requires_grad_()
    loss = pairwise_logistic(scores, torch.zeros(2, 4))
    loss.sum().backward()
    assert (loss == 0).all()
    assert scores.grad is not None
    assert (scores.grad == 0).all()


def test_squared_error_is_per_network() -> None:
    predictions, targets = draw(3, 5), draw(3, 5, seed=1)
    expected = ((predictions - targets) ** 2).mean(dim=1)
    torch.testing.assert_close(squared_error(predictions, targets), expected)


@pytest.mark.parametrize("loss", [pairwise_logistic, squared_error])
def test_predictor_loss_gradients_against_finite_differences(loss) -> None:
    targets = draw(2, 6, seed=1)
    assert torch.autograd.gradcheck(lambda s: loss(s, targets), (draw(2, 6).requires_grad_(),))


@pytest.mark.parametrize("objective", [KLObjective(), TotalCorrelationObjective()])
def test_objective_gradients_against_finite_differences(objective) -> None:
    inputs = [draw(6, 3, seed=seed).requires_grad_() for seed in range(3)]
    assert torch.autograd.gradcheck(objective.penalty, (*inputs, 0.5))


@pytest.mark.parametrize(
    "objective",
    [
        KLObjective(weight=0),
        TotalCorrelationObjective(kl_weight=0, tc_weight=0),
    ],
)
def test_without_weight_the_penalty_is_exactly_zero(objective) -> None:
    penalty = objective.penalty(draw(6, 3), draw(6, 3, seed=1), draw(6, 3, seed=2), 1.0)
    assert penalty.item() == 0


def test_objectives_are_the_sums_that_they_say() -> None:
    mean, log_variance, z = draw(8, 3), draw(8, 3, seed=1), draw(8, 3, seed=2)
    kl = kl_divergence(mean, log_variance).mean()
    half = total_correlation(mean[:4], log_variance[:4], z[:4])
    cases = {
        KLObjective(weight=0.2): 0.2 * kl,
        TotalCorrelationObjective(kl_weight=0.2, tc_weight=0.5): 0.2 * kl + 0.5 * half,
        TotalCorrelationObjective(kl_weight=0.2, tc_weight=0): 0.2 * kl,
    }
    for objective, expected in cases.items():
        torch.testing.assert_close(objective.penalty(mean, log_variance, z, 0.25), expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KLObjective(weight=-1), "`weight` must not be negative, but got -1"),
        (lambda: KLObjective(weight=math.nan), "`weight` must not be negative, but got nan"),
        (lambda: TotalCorrelationObjective(tc_weight=-1), "`tc_weight` must not be negative"),
        (lambda: ControllerConfig(latent_dim=0), "`latent_dim` must be positive, but got 0"),
        (lambda: ControllerConfig(warmup=1.5), r"`warmup` must be in \[0, 1\], but got 1.5"),
        (lambda: EnsembleConfig(n_members=0), "`n_members` must be positive, but got 0"),
        (lambda: SquaredLoss(clip=0), "`clip` must be positive, but got 0"),
        (lambda: SemiSupervisedConfig(dropout=1), r"`dropout` must be in \[0, 1\), but got 1"),
    ],
)
def test_settings_check_themselves(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
