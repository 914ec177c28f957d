from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from optuna_dnas.controller import ControllerConfig
from optuna_dnas.controller import GuidedConfig
from optuna_dnas.controller._disentangled import DisentangledLatent
from optuna_dnas.controller._guidance_data import GuidanceData
from optuna_dnas.controller._guidance_data import GuidedFactor
from optuna_dnas.controller._losses import guide_error
from optuna_dnas.controller._losses import reconstruction_error
from optuna_dnas.controller._losses import set_error
from optuna_dnas.controller._losses import token_logits
from optuna_dnas.controller._weights import fingerprint

from .test_losses import FEATURE_INDEX
from .test_losses import LEGAL
from .test_losses import logits
from .toy import sample_tokens
from .toy import VOCABULARY


CONFIG = GuidedConfig(
    guided_factors=("first operation", "first switch"),
    control_shares=(1, 1),
    latent_dim=6,
    hidden_dim=32,
    step_dim=8,
    n_steps=600,
    batch_size=64,
    learning_rate=1e-2,
)
# The tokens that the guided factors are.
OPERATION, SWITCH = 6, 0


def change_of(tokens: np.ndarray, place: int, n_values: int, n_trained: int) -> GuidedFactor:
    """A factor that is a token: its partners differ in this token and no other."""
    weights = 4 ** np.arange(tokens.shape[1])
    number = {int(key): k for k, key in enumerate(tokens @ weights)}
    partners = np.empty((n_trained, n_values, 1), dtype=np.int32)
    for value in range(n_values):
        changed = tokens[:n_trained].copy()
        changed[:, place] = value
        partners[:, value, 0] = [number[int(key)] for key in changed @ weights]
    values = np.arange(float(n_values))
    exist = np.ones(partners.shape, dtype=bool)
    return GuidedFactor(tokens[:n_trained, place].astype(float), values, partners, exist)


def guidance(n_trained: int) -> tuple[np.ndarray, GuidanceData]:
    drawn = sample_tokens(n_trained)
    every = [drawn]
    for value in range(4):
        changed = drawn.copy()
        changed[:, OPERATION] = value
        every.append(changed)
    for value in range(2):
        changed = drawn.copy()
        changed[:, SWITCH] = value
        every.append(changed)
    tokens = np.concatenate(every)
    factors = [change_of(tokens, OPERATION, 4, n_trained), change_of(tokens, SWITCH, 2, n_trained)]
    return drawn, GuidanceData(factors, tokens)


def train(config: GuidedConfig, seed: int = 0) -> DisentangledLatent:
    tokens, data = guidance(400)
    return DisentangledLatent.pretrained(VOCABULARY, tokens, config, seed=seed, guidance=data)


def test_the_error_of_one_sequence_is_its_reconstruction_error() -> None:
    tokens = torch.as_tensor(sample_tokens(7))
    found = set_error(
        token_logits(logits(7), FEATURE_INDEX, LEGAL), tokens[:, None], torch.ones(7, 1).bool()
    )
    torch.testing.assert_close(
        found, reconstruction_error(logits(7), tokens, FEATURE_INDEX, LEGAL)
    )


def test_the_error_of_a_set_is_of_the_sum_of_probabilities() -> None:
    tokens = torch.as_tensor(sample_tokens(21)).reshape(7, 3, -1)
    choices = token_logits(logits(7), FEATURE_INDEX, LEGAL)
    exist = torch.tensor([True, False, True]).expand(7, 3)
    single = [set_error(choices, tokens[:, [k]], exist[:, :1]) for k in (0, 2)]
    expected = -torch.log(torch.exp(-single[0]) + torch.exp(-single[1]))
    torch.testing.assert_close(set_error(choices, tokens, exist), expected)


def test_the_guide_leaves_free_what_has_no_target() -> None:
    mean = torch.tensor([[1.0, 2.0, 9.0], [0.0, 5.0, 9.0]], requires_grad=True)
    targets = torch.tensor([[0.0, 2.0], [0.0, torch.nan]])
    error = guide_error(mean, targets)
    assert float(error.detach()) == pytest.approx(0.5)
    (gradient,) = torch.autograd.grad(error, mean)
    torch.testing.assert_close(gradient, torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))


def test_guided_latents_know_and_control_their_factors() -> None:
    latent = train(CONFIG)
    tokens = sample_tokens(400)
    codes = latent.encode(tokens)
    for g, place in enumerate((OPERATION, SWITCH)):
        assert np.corrcoef(codes[:, g], tokens[:, place])[0, 1] > 0.95
        values = np.unique(tokens[:, place])
        for value in values:
            moved = codes.copy()
            moved[:, g] = codes[tokens[:, place] == value, g].mean()
            decoded, others = latent.decode(moved), np.arange(len(VOCABULARY)) != place
            assert (decoded[:, place] == value).mean() > 0.95
            assert (decoded == tokens)[:, others].mean() > 0.9


def test_a_seed_gives_the_same_bits() -> None:
    short = replace(CONFIG, n_steps=3)
    one, same, other = (train(short, seed).encode(sample_tokens(9)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_random_draws_are_not_those_of_the_caller() -> None:
    before = torch.get_rng_state()
    train(replace(CONFIG, n_steps=2))
    assert torch.equal(torch.get_rng_state(), before)


def test_without_weights_guidance_changes_nothing() -> None:
    """Reduction: one step, since what is drawn for the guide comes after that step's noise."""
    tokens, data = guidance(400)
    sizes = {"latent_dim": 6, "hidden_dim": 32, "step_dim": 8, "n_steps": 1, "batch_size": 64}
    free = replace(CONFIG, guide_weight=0.0, control_weight=0.0, learning_rate=5e-3, **sizes)
    guided = DisentangledLatent.pretrained(VOCABULARY, tokens, free, seed=0, guidance=data)
    plain = DisentangledLatent.pretrained(VOCABULARY, tokens, ControllerConfig(**sizes), seed=0)
    np.testing.assert_array_equal(guided.encode(tokens), plain.encode(tokens))


def test_guidance_goes_with_its_config() -> None:
    tokens, data = guidance(50)
    for config, found in ((CONFIG, None), (ControllerConfig(), data)):
        with pytest.raises(ValueError, match="GuidedConfig"):
            DisentangledLatent.pretrained(VOCABULARY, tokens, config, seed=0, guidance=found)


def test_settings_without_a_guide_keep_their_fingerprint() -> None:
    assert "Guided" not in repr(ControllerConfig())
    assert fingerprint(VOCABULARY, ControllerConfig()) != fingerprint(VOCABULARY, CONFIG)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"guided_factors": ()}, "but got 0"),
        ({"latent_dim": 1}, "1 to 1"),
        ({"control_shares": (1.0,)}, "2, but got 1"),
        ({"control_width": 1.5}, "control_width"),
        ({"control_weight": -1.0}, "control_weight"),
        ({"n_partners": 0}, "n_partners"),
    ],
)
def test_settings_are_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **changes)
