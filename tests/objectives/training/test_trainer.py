"""Training is seeded, learns, and fails with a reason."""

from dataclasses import replace
import math
import pickle
import random
from typing import Any

import numpy as np
import pytest
import torch

from optuna_dnas.objectives.training import _trainer
from optuna_dnas.objectives.training import DivergedError
from optuna_dnas.objectives.training import InsufficientMemoryError
from optuna_dnas.objectives.training import train
from optuna_dnas.objectives.training import TrainingConfig
from optuna_dnas.objectives.training import TrainingData
from optuna_dnas.objectives.training import TrainingResult

from .toy import CHAIN
from .toy import QUICK
from .toy import SKIP
from .toy import SPECS
from .toy import stripes
from .toy import toy_data
from .toy import TRUNCATED


DATA = toy_data()


def untimed(results: list[TrainingResult]) -> list[TrainingResult]:
    return [
        replace(
            r,
            halfway=replace(r.halfway, training_time=0.0),
            final=replace(r.final, training_time=0.0),
        )
        for r in results
    ]


def final_weights(
    monkeypatch: pytest.MonkeyPatch, seeds: list[int], spec: Any = TRUNCATED
) -> list[torch.Tensor]:
    """All parameters and buffers after a training, each with its replicas first."""
    networks = []
    original = _trainer.initialise

    def spy(network: Any, generators: Any) -> Any:
        networks.append(network)
        return original(network, generators)

    monkeypatch.setattr(_trainer, "initialise", spy)
    train(spec, DATA, QUICK, seeds=seeds)
    tensors = networks[0].state_dict().items()
    return [
        tensor.reshape(len(seeds), -1)
        for name, tensor in tensors
        if not name.endswith("num_batches_tracked")
    ]


def test_equal_seeds_give_equal_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    first, again = (final_weights(monkeypatch, [3, 4]) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert untimed(train(SKIP, DATA, QUICK, seeds=[3])) == untimed(
        train(SKIP, DATA, QUICK, seeds=[3])
    )


def test_different_seeds_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    replicas = torch.cat(final_weights(monkeypatch, [3, 4]), dim=1)
    assert (replicas[0] != replicas[1]).float().mean() > 0.8


def test_seed_among_others_is_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    together = final_weights(monkeypatch, [3, 4, 5])
    for r, seed in enumerate((3, 4, 5)):
        alone = final_weights(monkeypatch, [seed])
        for a, b in zip(together, alone, strict=True):
            torch.testing.assert_close(a[r], b[0], rtol=1e-3, atol=1e-4)


def test_no_global_generator_is_touched() -> None:
    random.seed(1)
    np.random.seed(2)  # noqa: NPY002
    torch.manual_seed(3)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())  # noqa: NPY002
    n_threads = torch.get_num_threads()
    train(SKIP, toy_data(), QUICK, seeds=[0])
    after = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())  # noqa: NPY002
    assert before[:2] == after[:2]
    assert torch.equal(before[2], after[2])
    assert torch.get_num_threads() == n_threads


def test_user_settings_do_not_leak_in() -> None:
    expected = untimed(train(SKIP, DATA, QUICK, seeds=[1]))
    torch.manual_seed(99)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode():
            assert untimed(train(SKIP, DATA, QUICK, seeds=[1])) == expected
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
@pytest.mark.parametrize("spec", SPECS[1:3], ids=str)
def test_overfits_32_digits(spec: Any, optimizer: str) -> None:
    digits = TrainingData.digits(0, n_train=32, n_validation=100)
    config = TrainingConfig(epochs=60, batch_size=16, optimizer=optimizer, learning_rate=0.05)
    for result in train(spec, digits, config, seeds=[0, 1]):
        assert result.final.train_accuracy == 1.0
        assert result.final.validation_accuracy > 0.4
        assert result.final.test_accuracy == pytest.approx(
            result.final.validation_accuracy, abs=0.15
        )


def test_results_are_complete() -> None:
    config = replace(QUICK, epochs=5, validation_interval=2)
    seen = []
    results = train(CHAIN, DATA, config, seeds=[7, 8], on_epoch=lambda *epoch: seen.append(epoch))
    assert [r.seed for r in results] == [7, 8]
    for r, result in enumerate(results):
        assert list(result.validation_accuracies) == [2, 3, 4, 5]
        assert result.halfway.validation_accuracy == result.validation_accuracies[3]
        assert result.final.validation_accuracy == result.validation_accuracies[5]
        assert 0 < result.halfway.training_time < result.final.training_time
        assert [(epoch, values[r]) for epoch, values in seen] == list(
            result.validation_accuracies.items()
        )
    assert pickle.loads(pickle.dumps(results)) == results


def test_validation_does_not_change_the_training() -> None:
    rare, often = (
        train(SKIP, DATA, replace(QUICK, epochs=4, validation_interval=n)) for n in (9, 1)
    )
    assert untimed(rare)[0].final == untimed(often)[0].final


def test_one_epoch_is_halfway_and_final() -> None:
    (result,) = train(CHAIN, DATA, replace(QUICK, epochs=1))
    assert result.halfway == result.final


def test_fewer_images_than_a_batch() -> None:
    small = TrainingData.from_arrays(stripes(6, 0), stripes(9, 1), validation=stripes(9, 2))
    (result,) = train(CHAIN, small, replace(QUICK, batch_size=500))
    assert 0 <= result.final.validation_accuracy <= 1


def test_divergence_names_epoch_and_seed() -> None:
    config = replace(QUICK, learning_rate=1e30, epochs=3)
    with pytest.raises(DivergedError, match=r"The loss is \S+ in epoch \d with seed 5"):
        train(CHAIN, DATA, config, seeds=[5])


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_too_little_memory_has_an_error_of_its_own(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(_trainer._Training, "_step", fail)
    with pytest.raises(InsufficientMemoryError, match="needs more memory than 'cpu' has") as info:
        train(CHAIN, DATA, QUICK)
    assert info.value.__context__ is None


def test_other_errors_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(_trainer._Training, "_step", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        train(CHAIN, DATA, QUICK)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": []}, r"`seeds` must be different integers, at least one, but got \[\]"),
        ({"seeds": [1, 1]}, r"`seeds` must be different integers.* but got \[1, 1\]"),
        ({"device": "tpu"}, "`device` must be .* but got 'tpu'"),
        ({"n_threads": 0}, "`n_threads` must be positive, but got 0"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(CHAIN, DATA, QUICK, **options)


def test_images_must_be_square() -> None:
    images, labels = stripes(20, 0)
    flat = (images[:, :4], labels)
    with pytest.raises(ValueError, match=r"`train_images` must be square.* but got 4 x 6"):
        train(CHAIN, TrainingData.from_arrays(flat, flat), QUICK)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stem_channels", 0),
        ("n_stacks", 0),
        ("n_modules", -1),
        ("epochs", 0),
        ("validation_interval", 0),
        ("batch_size", 1),
        ("optimizer", "adam"),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("momentum", 1.0),
        ("weight_decay", -1.0),
        ("label_smoothing", 1.0),
        ("batch_norm_momentum", 0.0),
    ],
)
def test_bad_configurations_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must .* but got {value!r}"):
        TrainingConfig(**{name: value})


def test_learning_rate_falls_along_a_cosine() -> None:
    config = TrainingConfig(learning_rate=0.2)
    rates = [config.learning_rate_at(x) for x in (0.0, 0.5, 1.0)]
    assert rates == pytest.approx([0.2, 0.1, 0.0])


def test_label_smoothing_counts() -> None:
    plain, smooth = (
        untimed(train(SKIP, DATA, replace(QUICK, epochs=4, label_smoothing=s))) for s in (0, 0.5)
    )
    assert plain != smooth


@pytest.mark.slow
def test_chain_of_convolutions_beats_no_operation_on_digits() -> None:
    digits = TrainingData.digits()
    means = [
        np.mean(
            [r.final.test_accuracy for r in train(spec, digits, TrainingConfig(), seeds=[0, 1])]
        )
        for spec in SPECS[:2]
    ]
    assert means[1] > max(means[0] + 0.1, 0.85)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA device.")
def test_cuda_learns_as_the_cpu_does() -> None:
    digits = TrainingData.digits()
    config = TrainingConfig()
    by_device = {
        device: train(SKIP, digits, config, seeds=[0, 1, 2], device=device)
        for device in ("cpu", "cuda")
    }
    means = {
        device: np.mean([r.final.test_accuracy for r in results])
        for device, results in by_device.items()
    }
    assert means["cuda"] == pytest.approx(means["cpu"], abs=0.03)


def test_weights_that_the_last_step_breaks_have_no_accuracy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loss is of the weights before; the largest of NaN would be the first class."""

    def break_weights(self: torch.optim.SGD, *args: Any, **kwargs: Any) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data.fill_(math.nan)

    monkeypatch.setattr(torch.optim.SGD, "step", break_weights)
    data = toy_data()
    config = replace(QUICK, epochs=1, batch_size=len(data.train_images))
    with pytest.raises(DivergedError, match="Logits are infinite or NaN in epoch 1"):
        train(CHAIN, data, config)
