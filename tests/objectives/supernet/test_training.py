"""Training follows its formulas, and learns."""

from dataclasses import replace
import math
from pathlib import Path
import random
from typing import Any

from accelerate import Accelerator
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from optuna_dnas._torch_scope import private_generator
from optuna_dnas.objectives.supernet import evaluate
from optuna_dnas.objectives.supernet import MobileNetwork
from optuna_dnas.objectives.supernet import open_images
from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.objectives.supernet import RetrainedNetwork
from optuna_dnas.objectives.supernet import SupernetConfig
from optuna_dnas.objectives.supernet import TensorImages
from optuna_dnas.objectives.supernet import TrainedSupernet
from optuna_dnas.objectives.supernet._checkpoint import Checkpoint
from optuna_dnas.objectives.supernet._network import initialise
from optuna_dnas.objectives.supernet._paths import PATH_SAMPLERS
from optuna_dnas.objectives.supernet._paths import paths_of_step
from optuna_dnas.objectives.training import DivergedError
from tests.controller.toy import DEVICES

from .data.toy import toy_data
from .toy import BRIEF
from .toy import BRIEF_RETRAIN
from .toy import CPU
from .toy import fit
from .toy import fit_one
from .toy import images_in_memory
from .toy import SHAPE
from .toy import SPEC
from .toy import supernet
from .toy import WatchedImages


PLAIN = TensorImages(toy_data())
"""Without augmentation."""


@pytest.fixture
def checkpoints(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, torch.Tensor]]:
    """The tensors of every checkpoint that is written."""
    written = []
    original = Checkpoint.save

    def save(self: Checkpoint, path: Path) -> None:
        written.append({name: tensor.clone() for name, tensor in self.tensors.items()})
        original(self, path)

    monkeypatch.setattr(Checkpoint, "save", save)
    return written


def test_training_is_nesterov_momentum_by_the_book(tmp_path: Path) -> None:
    config = RetrainConfig(
        epochs=3,
        batch_size=8,
        learning_rate=0.1,
        warm_up=0.25,
        weight_decay=0.01,
        label_smoothing=0.2,
        gradient_clip=0.5,
        seed=5,
    )
    network = MobileNetwork.build(SHAPE, SPEC)
    initialise(network, private_generator(5))
    network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    velocities = {p: torch.zeros_like(p) for p in network.parameters()}
    part = toy_data().part("train")
    losses = []
    for step in range(12):
        order = np.random.default_rng([5, step // 4]).permutation(32)
        rows = torch.from_numpy(order[8 * (step % 4) : 8 * (step % 4 + 1)])
        logits = network(part[0][rows].contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits, part[1][rows], label_smoothing=0.2)
        gradients = torch.autograd.grad(loss, list(velocities))
        norm = math.sqrt(sum(float(g.square().sum()) for g in gradients))
        rate = config.learning_rate_at((step + 1) / 12)
        losses.append(float(loss.detach()))
        for (p, v), g in zip(velocities.items(), gradients, strict=True):
            g = g * min(1.0, 0.5 / norm) + (0.01 * p.detach() if p.ndim > 1 else 0.0)
            v.mul_(0.9).add_(g)
            p.data -= rate * (g + 0.9 * v)
    result = fit_one(tmp_path / "ckpt", config, data=PLAIN)
    torch.testing.assert_close(result.losses, torch.tensor(losses), rtol=1e-4, atol=1e-5)
    for name, expected in network.state_dict().items():
        found = result.network.state_dict()[name]
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_losses_of_subnets_are_averaged(tmp_path: Path) -> None:
    config = SupernetConfig(steps=1, batch_size=8, sampling="fair", label_smoothing=0.0)
    result = fit(tmp_path / "ckpt", config, data=PLAIN)
    order = np.random.default_rng([0, 0]).permutation(32)[:8]
    images, labels = (tensor[order] for tensor in toy_data().part("train"))
    network = supernet().train()
    specs = paths_of_step(SHAPE, sampling="fair", n_random=2, seed=0, step=0)
    losses = [F.cross_entropy(network(images, spec), labels).detach() for spec in specs]
    torch.testing.assert_close(result.losses[0], torch.stack(losses).mean())


def test_moving_average_is_its_closed_form(
    tmp_path: Path, checkpoints: list[dict[str, torch.Tensor]]
) -> None:
    result = fit(tmp_path / "ckpt", replace(BRIEF, checkpoint_interval=1, ema_decay=0.7))
    weights = {0: 0.7**6} | {n: 0.3 * 0.7 ** (6 - n) for n in range(1, 7)}
    assert len(checkpoints) == 7
    for name, tensor in result.network.state_dict().items():
        if tensor.is_floating_point():
            series = [written[f"network.{name}"] for written in checkpoints]
            expected = sum(weights[n] * series[n] for n in range(7))
            torch.testing.assert_close(tensor, expected, rtol=1e-4, atol=1e-6)


def test_untrained_choices_keep_their_weights(
    tmp_path: Path, checkpoints: list[dict[str, torch.Tensor]]
) -> None:
    config = replace(BRIEF, checkpoint_interval=1, weight_decay=0.1, ema_decay=None)
    fit(tmp_path / "ckpt", config)
    for step in range(1, 6):  # in the last one the learning rate is 0
        before, after = checkpoints[step - 1], checkpoints[step]
        (spec,) = paths_of_step(SHAPE, sampling="uniform", n_random=2, seed=0, step=step)
        for name in before:
            if name.startswith("network.choices") and before[name].ndim > 1:
                _, _, layer, choice, *_ = name.split(".")
                changed = not torch.equal(before[name], after[name])
                assert changed == (choice == str(spec.layers[int(layer)]))


@pytest.mark.parametrize("sampling", PATH_SAMPLERS)
def test_accumulated_parts_are_one_batch_to_a_network_without_normalisation(
    sampling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.nn.BatchNorm2d, "forward", lambda self, x: x)
    config = replace(BRIEF, dropout=0.0, sampling=sampling)
    whole, parts = (
        fit(tmp_path / str(n), replace(config, n_accumulation=n)).network.state_dict()
        for n in (1, 4)
    )
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_network_overfits_32_images(device: str, ema_decay: float | None, tmp_path: Path) -> None:
    config = RetrainConfig(
        epochs=60, batch_size=16, learning_rate=0.1, label_smoothing=0, ema_decay=ema_decay
    )
    result = fit_one(tmp_path / "ckpt", config, data=PLAIN, device=device)
    assert float(result.losses[-4:].mean()) < 0.1
    assert evaluate(result.network, PLAIN.batches("train", batch_size=32, device=CPU)).top1 == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("sampling", "steps"), [("uniform", 150), ("fair", 70), ("sandwich", 60)])
def test_supernet_learns_digits(device: str, sampling: str, steps: int, tmp_path: Path) -> None:
    shape = replace(SHAPE, image_channels=1, n_classes=10, head_channels=64)
    config = SupernetConfig(steps=steps, sampling=sampling, learning_rate=0.3)
    result = fit(tmp_path / "ckpt", config, shape=shape, data=open_images("digits"), device=device)
    assert float(result.losses[-10:].mean()) < 0.85 * float(result.losses[:10].mean())


def test_supernet_says_what_it_is(tmp_path: Path) -> None:
    data = images_in_memory()
    result = fit(tmp_path / "ckpt", data=data)
    assert (result.shape, result.config, result.step) == (SHAPE, BRIEF, 7)
    assert result.losses.shape == (7,)
    assert result.losses.isfinite().all()
    assert result.data_digest == data.digest()
    assert result.images_per_second > 0
    assert not any(module.training for module in result.network.modules())
    loaded = TrainedSupernet.load(tmp_path / "ckpt")
    assert loaded.images_per_second == 0
    assert (loaded.shape, loaded.config, loaded.step) == (SHAPE, BRIEF, 7)
    assert loaded.digest() == result.digest()
    assert fit(tmp_path / "other", replace(BRIEF, seed=1)).digest() != result.digest()


def test_network_is_validated_at_intervals_and_tested_once(tmp_path: Path) -> None:
    data = WatchedImages(lambda: None)
    config = replace(BRIEF_RETRAIN, epochs=5, validation_interval=2)
    result = fit_one(tmp_path / "ckpt", config, data=data)
    assert data.parts == ["validation", "validation", "validation", "test"]
    assert list(result.validations) == [2, 4, 5]
    assert result.accuracies["validation"] == result.validations[5]
    for part, accuracy in result.accuracies.items():
        batches = data.batches(part, batch_size=256, device=CPU)
        assert evaluate(result.network, batches) == accuracy
    loaded = RetrainedNetwork.load(tmp_path / "ckpt")
    assert (loaded.spec, loaded.epoch, loaded.config) == (SPEC, 5, config)
    assert (loaded.accuracies, loaded.validations) == (result.accuracies, result.validations)
    assert loaded.digest() == result.digest()


def test_validation_does_not_change_the_training(tmp_path: Path) -> None:
    often, rare = (
        fit_one(tmp_path / str(n), replace(BRIEF_RETRAIN, epochs=4, validation_interval=n))
        for n in (1, 4)
    )
    assert often.digest() == rare.digest()


def test_checkpoints_do_not_change_the_training(tmp_path: Path) -> None:
    digests = {
        fit(tmp_path / str(n), replace(BRIEF, checkpoint_interval=n)).digest() for n in (1, 2, 7)
    }
    assert len(digests) == 1


def test_global_states_are_left_alone(tmp_path: Path) -> None:
    random.seed(1)
    np.random.seed(2)  # noqa: NPY002
    torch.manual_seed(3)
    before = _global_states()
    fit(tmp_path / "ckpt")
    fit_one(tmp_path / "network")
    assert _global_states() == before


def _global_states() -> tuple[Any, ...]:
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
    )


def test_user_settings_do_not_leak_in(tmp_path: Path) -> None:
    expected = fit(tmp_path / "expected").digest()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode():
            assert fit(tmp_path / "ckpt").digest() == expected
    finally:
        torch.set_default_dtype(torch.float32)


def test_training_of_the_users_own_with_accelerate_goes_on(tmp_path: Path) -> None:
    mine = Accelerator(mixed_precision="bf16", cpu=True)
    fit(tmp_path / "ckpt")
    assert mine.mixed_precision == "bf16"
    assert Accelerator(cpu=True).mixed_precision == "bf16"


def test_bfloat16_trains_and_is_not_single_precision(tmp_path: Path) -> None:
    short, single = (
        fit(tmp_path / precision, replace(BRIEF, precision=precision))
        for precision in ("bfloat16", "single")
    )
    assert {p.dtype for p in short.network.parameters()} == {torch.float32}
    torch.testing.assert_close(short.losses, single.losses, rtol=0.1, atol=0.1)
    assert short.digest() != single.digest()


def test_progress_shows_loss_learning_rate_and_throughput(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    fit(tmp_path / "ckpt", progress=True)
    last = capsys.readouterr().err.split("\r")[-1]
    assert "7/7" in last
    for word in ("loss ", "learning rate 0", "images/s"):
        assert word in last
    fit(tmp_path / "quiet")
    assert capsys.readouterr().err == ""


def test_divergence_is_told_and_the_checkpoint_before_survives(tmp_path: Path) -> None:
    def poison() -> None:
        poisoned.n_batches += 1
        if poisoned.n_batches > 4:
            poisoned._on_device("train", CPU).images.fill_(math.nan)

    poisoned = WatchedImages(poison)
    poisoned.n_batches = 0  # type: ignore[attr-defined]
    with pytest.raises(DivergedError, match="The loss is nan at step 6"):
        fit(tmp_path / "ckpt", data=poisoned)
    assert TrainedSupernet.load(tmp_path / "ckpt").step == 3


def test_weights_that_the_last_step_breaks_are_no_checkpoint(tmp_path: Path) -> None:
    config = replace(BRIEF, steps=1, learning_rate=1e38, gradient_clip=None, momentum=0.999)
    config = replace(config, weight_decay=1e10, warm_up=0.0, steps=2, checkpoint_interval=1)
    with pytest.raises(DivergedError, match="Weights are infinite or NaN at step 1"):
        fit(tmp_path / "ckpt", config)
    assert not (tmp_path / "ckpt").exists()
