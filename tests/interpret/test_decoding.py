import itertools

import numpy as np
import pytest

from optuna_dnas._typing import FloatArray
from optuna_dnas.controller import ControllerConfig
from optuna_dnas.controller import IdentityLatent
from optuna_dnas.controller._disentangled import DisentangledLatent
from optuna_dnas.interpret import latent_quality
from optuna_dnas.interpret import LikeliestDecoding
from optuna_dnas.interpret import ValidDecoding
from optuna_dnas.interpret._decoding import likeliest_sequences
from optuna_dnas.search_space import NASBench101Space

from ..search_space.toy import FLAT


SPACE = NASBench101Space(max_vertices=5)


@pytest.fixture(scope="module")
def latent() -> DisentangledLatent:
    config = ControllerConfig(latent_dim=6, hidden_dim=16, n_steps=60)
    tokens = SPACE.enumerate_tokens()
    return DisentangledLatent.pretrained(SPACE.vocabulary, tokens, config, seed=0)


def random_log_probabilities(n_choices: tuple[int, ...]) -> FloatArray:
    """Of 20 sequences of tokens with so many choices."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((20, len(n_choices), max(n_choices)))
    logits[:, np.arange(max(n_choices)) >= np.array(n_choices)[:, None]] = -np.inf
    return logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))


def test_the_likeliest_sequences_are_those_of_all_sequences() -> None:
    log_probabilities = random_log_probabilities((2, 2, 1, 2, 2))
    every = np.array(list(itertools.product((0, 1), (0, 1), (0,), (0, 1), (0, 1))))
    found = likeliest_sequences(log_probabilities, 5)
    for row, of_row in zip(log_probabilities, found, strict=True):
        total = row[np.arange(5), every].sum(axis=1)
        np.testing.assert_array_equal(of_row, every[np.argsort(-total)[:5]])


def test_likely_sequences_hold_legal_choices_only() -> None:
    found = likeliest_sequences(random_log_probabilities((1, 3, 2)), 64)
    assert (found.max(axis=(0, 1)) <= [0, 2, 1]).all()
    np.testing.assert_array_equal(likeliest_sequences(np.zeros((2, 4, 1)), 3), np.zeros((2, 1, 4)))


def test_log_probabilities_are_those_that_decoding_maximises(latent: DisentangledLatent) -> None:
    codes = latent.sample_prior(50, np.random.default_rng(0))
    log_probabilities = latent.log_probabilities(codes)
    np.testing.assert_array_equal(log_probabilities.argmax(axis=2), latent.decode(codes))
    np.testing.assert_allclose(np.exp(log_probabilities).sum(axis=2), 1, atol=1e-5)


def test_valid_decoding_keeps_what_is_valid_and_repairs_the_rest(
    latent: DisentangledLatent,
) -> None:
    codes = latent.sample_prior(300, np.random.default_rng(0))
    plain, repaired = LikeliestDecoding(latent, SPACE)(codes), ValidDecoding(latent, SPACE)(codes)
    assert not plain.valid.all()
    assert repaired.valid.sum() > plain.valid.sum()
    np.testing.assert_array_equal(repaired.tokens[plain.valid], plain.tokens[plain.valid])
    again, valid = SPACE.canonicalize(repaired.tokens[repaired.valid])
    assert valid.all()
    np.testing.assert_array_equal(again, repaired.tokens[repaired.valid])


def test_one_sequence_repairs_nothing(latent: DisentangledLatent) -> None:
    codes = latent.sample_prior(300, np.random.default_rng(0))
    plain = LikeliestDecoding(latent, SPACE)(codes)
    repaired = ValidDecoding(latent, SPACE, n_sequences=1)(codes)
    np.testing.assert_array_equal(repaired.valid, plain.valid)


def test_every_point_of_a_flat_space_is_valid() -> None:
    latent = IdentityLatent(FLAT)
    codes = latent.sample_prior(20, np.random.default_rng(0))
    assert LikeliestDecoding(latent, FLAT)(codes).valid.all()


def test_quality_counts(latent: DisentangledLatent) -> None:
    every = SPACE.enumerate_tokens()
    quality = latent_quality(
        latent,
        SPACE,
        unseen=every[:200],
        trained=every,
        n_samples=500,
        rng=np.random.default_rng(0),
    )
    assert quality.reconstruction == latent.reconstruction_accuracy(every[:200])
    assert quality.validity < quality.repaired_validity <= 1
    assert 0 < quality.uniqueness < 1
    assert quality.novelty == 0  # nothing is left of a space that is known wholly
    fresh = latent_quality(
        latent,
        SPACE,
        unseen=every[:200],
        trained=every[:0],
        n_samples=500,
        rng=np.random.default_rng(0),
    )
    assert fresh.novelty == 1
