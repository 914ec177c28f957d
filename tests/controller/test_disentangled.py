import copy
from dataclasses import replace
import multiprocessing
from pathlib import Path
import pickle

import numpy as np
import pytest
from safetensors.numpy import save_file
import torch

from optuna_dnas.controller._config import ControllerConfig
from optuna_dnas.controller._config import KLObjective
from optuna_dnas.controller._disentangled import DisentangledLatent
from optuna_dnas.encoding import Vocabulary
from optuna_dnas.exceptions import CorruptFileError
from optuna_dnas.search_space import NASBench101Space

from .toy import DEVICES
from .toy import sample_tokens
from .toy import SMALL
from .toy import untrained_latent
from .toy import VOCABULARY


TOKENS = sample_tokens(200)


@pytest.fixture(scope="module", params=DEVICES)
def latent(request: pytest.FixtureRequest) -> DisentangledLatent:
    config = ControllerConfig(
        latent_dim=12, hidden_dim=32, n_steps=300, learning_rate=1e-2, objective=KLObjective()
    )
    return DisentangledLatent.pretrained(VOCABULARY, TOKENS, config, seed=0, device=request.param)


def test_codes_of_pre_training_are_standardised(latent: DisentangledLatent) -> None:
    codes = latent.encode(TOKENS)
    assert codes.dtype == np.float64
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(codes.std(axis=0), 1, atol=1e-6)


def test_decoding_inverts_encoding(latent: DisentangledLatent) -> None:
    assert latent.reconstruction_accuracy(TOKENS) > 0.9
    held_out = sample_tokens(200, seed=1)
    same = (latent.decode(latent.encode(held_out)) == held_out).all(axis=1).mean()
    assert latent.reconstruction_accuracy(held_out) == same
    assert 0.05 < same < 1


@pytest.mark.slow
def test_the_default_settings_reconstruct_nasbench_cells() -> None:
    space, rng, config = NASBench101Space(), np.random.default_rng(0), ControllerConfig()
    latent = DisentangledLatent.pretrained(
        space.vocabulary, space.sample_tokens(config.n_cells, rng), config, seed=0
    )
    assert latent.reconstruction_accuracy(space.sample_tokens(2000, rng)) > 0.95


def test_a_row_of_a_batch_equals_the_row_alone(latent: DisentangledLatent) -> None:
    codes = latent.encode(TOKENS)
    decoded = latent.decode(codes)
    for row in range(0, 200, 40):
        alone = latent.encode(TOKENS[row : row + 1])
        np.testing.assert_allclose(alone[0], codes[row], atol=1e-4)
        np.testing.assert_array_equal(latent.decode(codes[row : row + 1])[0], decoded[row])


def test_chunks_do_not_show(latent: DisentangledLatent) -> None:
    many = sample_tokens(3000, seed=2)
    codes = latent.encode(many)
    np.testing.assert_allclose(latent.encode(many[1000:1100]), codes[1000:1100], atol=1e-4)
    assert latent.decode(codes).shape == many.shape


def test_no_architectures_are_no_codes(latent: DisentangledLatent) -> None:
    assert latent.encode(TOKENS[:0]).shape == (0, 12)
    assert latent.decode(np.zeros((0, 12))).shape == (0, len(VOCABULARY))
    assert latent.perturb(np.zeros((0, 12)), np.random.default_rng(0)).shape == (0, 12)
    with pytest.raises(ValueError, match="must not be empty"):
        latent.reconstruction_accuracy(TOKENS[:0])


def test_whatever_is_decoded_is_legal(latent: DisentangledLatent) -> None:
    rng = np.random.default_rng(0)
    for scale in (0.0, 1.0, 1e6):
        VOCABULARY.check(latent.decode(scale * latent.sample_prior(300, rng)))


def test_the_prior_is_standard_normal_and_follows_its_generator(
    latent: DisentangledLatent,
) -> None:
    one, other = (latent.sample_prior(5000, np.random.default_rng(0)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(one.mean(axis=0), 0, atol=0.06)
    np.testing.assert_allclose(one.std(axis=0), 1, atol=0.05)


def test_neighbours_are_near_and_far(latent: DisentangledLatent) -> None:
    codes = np.ones((5000, 12))
    steps = latent.perturb(codes, np.random.default_rng(0)) - codes
    scale = np.sqrt((steps**2).mean(axis=1))
    assert scale.mean() == pytest.approx(0.6, abs=0.02)  # of U(.15, 1.05)
    assert scale.min() < 0.2
    assert scale.max() > 1.0
    np.testing.assert_allclose(steps.mean(axis=0), 0, atol=0.05)


def test_reach_moves_the_farthest_neighbours_only(latent: DisentangledLatent) -> None:
    codes = np.ones((5000, 12))
    steps = {
        reach: latent.perturb(codes, np.random.default_rng(0), reach=reach) - codes
        for reach in (1.0, 2.0)
    }
    near, far = (np.sqrt((step**2).mean(axis=1)) for step in steps.values())
    # U(.15, 1.05) and U(.15, 2.1), in the same directions.
    np.testing.assert_allclose((far - 0.15).mean() / (near - 0.15).mean(), 1.95 / 0.9, rtol=0.03)
    assert far.min() < 0.2
    unit = [step / np.linalg.norm(step, axis=1, keepdims=True) for step in steps.values()]
    np.testing.assert_allclose(*unit)


def test_typical_distance_is_that_of_the_prior(latent: DisentangledLatent) -> None:
    pairs = latent.sample_prior(20_000, np.random.default_rng(0)).reshape(2, -1, 12)
    distance = ((pairs[0] - pairs[1]) ** 2).mean(axis=0)
    np.testing.assert_allclose(latent.typical_distance, distance, rtol=0.1)
    assert not latent.is_categorical.any()
    assert latent.relevance_group.tolist() == [0] * 12
    assert latent.half_width.shape == latent.is_categorical.shape == (12,)


def test_illegal_arguments_are_refused(latent: DisentangledLatent) -> None:
    with pytest.raises(ValueError, match="has no choice"):
        latent.encode(TOKENS + 3)
    with pytest.raises(ValueError, match="must be integers"):
        latent.encode(TOKENS.astype(float))
    with pytest.raises(ValueError, match=r"must be \(N, 12\)"):
        latent.decode(np.zeros((3, 11)))
    with pytest.raises(ValueError, match="must be finite"):
        latent.decode(np.full((3, 12), np.nan))


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_equal_to_the_last_bit(latent: DisentangledLatent, clone) -> None:
    copied = clone(latent)
    codes = latent.encode(TOKENS)
    np.testing.assert_array_equal(copied.encode(TOKENS), codes)
    np.testing.assert_array_equal(copied.decode(codes), latent.decode(codes))


def test_a_pickle_holds_no_tensors(latent: DisentangledLatent) -> None:
    assert b"torch" not in pickle.dumps(latent)


@pytest.mark.slow
def test_a_spawned_process_gets_the_same_latent() -> None:
    latent = untrained_latent()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        codes = pool.apply(latent.encode, (TOKENS,))
    np.testing.assert_array_equal(codes, latent.encode(TOKENS))


@pytest.mark.slow
def test_a_forked_process_can_go_on() -> None:
    latent = untrained_latent()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        codes = pool.apply_async(latent.encode, (TOKENS,)).get(timeout=60)
    np.testing.assert_array_equal(codes, latent.encode(TOKENS))


def test_the_copied_network_may_be_trained_further() -> None:
    latent = untrained_latent()
    codes = latent.encode(TOKENS)
    copied = latent.copy_autoencoder()
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(latent.encode(TOKENS), codes)


def test_a_file_gives_back_every_bit(latent: DisentangledLatent, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "latent.safetensors"
    latent.save(path)
    loaded = DisentangledLatent.load(path, VOCABULARY, latent.config, device=latent.device)
    np.testing.assert_array_equal(loaded.code_mean, latent.code_mean)
    np.testing.assert_array_equal(loaded.code_deviation, latent.code_deviation)
    np.testing.assert_array_equal(loaded.encode(TOKENS), latent.encode(TOKENS))
    codes = latent.sample_prior(50, np.random.default_rng(0))
    np.testing.assert_array_equal(loaded.decode(codes), latent.decode(codes))


def test_saving_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "latent.safetensors"
    path.write_bytes(b"something older")
    untrained_latent().save(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_save_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    path = tmp_path / "latent.safetensors"
    path.write_bytes(b"something older")
    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space left"):
        untrained_latent().save(path)
    assert path.read_bytes() == b"something older"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, ControllerConfig]:
    latent = untrained_latent()
    latent.save(tmp_path / "latent.safetensors")
    return tmp_path / "latent.safetensors", latent.config


def test_files_of_another_space_or_config_are_refused(
    saved: tuple[Path, ControllerConfig],
) -> None:
    path, config = saved
    with pytest.raises(ValueError, match="another search space or `ControllerConfig`"):
        DisentangledLatent.load(path, Vocabulary(VOCABULARY.tokens[::-1]), config)
    for other in (replace(config, n_steps=2), replace(config, objective=KLObjective()), SMALL):
        with pytest.raises(ValueError, match="another search space or `ControllerConfig`"):
            DisentangledLatent.load(path, VOCABULARY, other)


def test_damaged_files_are_refused(saved: tuple[Path, ControllerConfig]) -> None:
    path, config = saved
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[-1000] ^= 1
    for damaged in (b"", content[:5], content[:100], content[:-1], content + b"0", flipped):
        path.write_bytes(damaged)
        with pytest.raises(CorruptFileError, match=str(path)):
            DisentangledLatent.load(path, VOCABULARY, config)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"a": np.zeros(3)}, path)
    with pytest.raises(CorruptFileError, match="not the file of a latent space"):
        DisentangledLatent.load(path, VOCABULARY, SMALL)
    save_file({"a": np.zeros(3)}, path, {"format": "99"})
    with pytest.raises(ValueError, match="format version 99"):
        DisentangledLatent.load(path, VOCABULARY, SMALL)
    with pytest.raises(FileNotFoundError, match="absent"):
        DisentangledLatent.load(tmp_path / "absent", VOCABULARY, SMALL)
