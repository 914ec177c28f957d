"""Subnets of a trained supernet."""

from copy import deepcopy
from dataclasses import replace
import math
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
import pytest
import torch

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives.supernet import evaluate
from optuna_dnas.objectives.supernet import MobileSupernet
from optuna_dnas.objectives.supernet import SupernetObjective
from optuna_dnas.objectives.supernet import train_supernet
from optuna_dnas.objectives.supernet import TrainedSupernet
from optuna_dnas.objectives.training import LatencyConfig
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec
from tests.controller.toy import DEVICES

from .toy import BRIEF
from .toy import CPU
from .toy import images_in_memory
from .toy import OTHER_SPEC
from .toy import sample_specs
from .toy import SHAPE
from .toy import SPEC
from .toy import WatchedImages


DATA = images_in_memory()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedSupernet:
    path = tmp_path_factory.mktemp("supernet") / "ckpt"
    return train_supernet(SHAPE, DATA, BRIEF, path, progress=False)


def accuracy(model: MobileSupernet, spec: MobileNetSpec) -> float:
    model.activate(spec)
    return model.evaluate()["validation_accuracy"]


def logits_of(model: MobileSupernet, spec: MobileNetSpec) -> torch.Tensor:
    """Of the validation images: they say more than an accuracy."""
    model.activate(spec)
    network = model._calibrated(CPU)
    with torch.no_grad():
        return torch.cat([network(batch.images) for batch in model._images("validation", CPU)])


@pytest.mark.parametrize("device", DEVICES)
def test_what_a_subnet_gives_does_not_depend_on_what_came_before(
    trained: TrainedSupernet, device: str
) -> None:
    specs = sample_specs(5)
    model = MobileSupernet(trained, DATA, device=device)
    forwards = [accuracy(model, spec) for spec in specs]
    backwards = [accuracy(model, spec) for spec in reversed(specs)]
    alone = [accuracy(MobileSupernet(trained, DATA, device=device), spec) for spec in specs]
    assert forwards == backwards[::-1] == alone


def test_logits_do_not_depend_on_what_came_before(trained: TrainedSupernet) -> None:
    model = MobileSupernet(trained, DATA)
    first = logits_of(model, SPEC)
    assert not torch.equal(logits_of(model, OTHER_SPEC), first)
    assert torch.equal(logits_of(model, SPEC), first)
    assert torch.equal(logits_of(MobileSupernet(trained, DATA), SPEC), first)


def test_the_supernet_is_left_as_it_is(trained: TrainedSupernet) -> None:
    before = {name: tensor.clone() for name, tensor in trained.network.state_dict().items()}
    accuracy(MobileSupernet(trained, DATA), SPEC)
    after = trained.network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert not trained.network.training


def test_accuracy_is_that_of_the_calibrated_subnet(trained: TrainedSupernet) -> None:
    """Its statistics are those of the first normalisation's inputs."""
    model = MobileSupernet(trained, DATA, batch_size=16)
    model.activate(SPEC)
    network = model._calibrated(CPU)
    assert accuracy(model, SPEC) == evaluate(network, model._images("validation", CPU)).top1
    convolution, norm, _ = network.frame.stem
    batches = list(DATA.batches("train", batch_size=16, device=CPU))
    with torch.no_grad():
        means = torch.stack([convolution(b.images).mean(dim=(0, 2, 3)) for b in batches])
    assert norm.running_mean is not None
    torch.testing.assert_close(norm.running_mean, means.mean(dim=0))
    assert not torch.allclose(norm.running_mean, trained.network.frame.stem[1].running_mean)


def test_the_same_network_written_differently_is_the_same_subnet(
    trained: TrainedSupernet,
) -> None:
    model = MobileSupernet(trained, DATA)
    twin = MobileNetSpec.parse("k3e3 k5e1 k5e3 k3e1 skip")
    assert twin != SPEC
    assert torch.equal(logits_of(model, twin), logits_of(model, SPEC))


def test_test_images_are_not_touched_and_others_read_once(tmp_path: Path) -> None:
    data = WatchedImages(lambda: None)
    trained = train_supernet(SHAPE, data, BRIEF, tmp_path / "ckpt", progress=False)
    data.parts.clear()
    model = MobileSupernet(trained, data)
    for spec in (SPEC, OTHER_SPEC):
        accuracy(model, spec)
    assert sorted(data.parts) == ["train", "validation"]


@pytest.mark.parametrize(
    ("batch_size", "n_images", "sizes"),
    [(256, 1024, [32]), (8, 20, [8, 8]), (256, 5, [5]), (12, 1024, [12, 12])],
)
def test_batches_of_a_calibration_are_equally_large(
    trained: TrainedSupernet, batch_size: int, n_images: int, sizes: list[int]
) -> None:
    """They count equally. Of 32 training images, as many as fill batches are taken."""
    model = MobileSupernet(trained, DATA, batch_size=batch_size, n_calibration_images=n_images)
    assert [len(batch.labels) for batch in model._images("train", CPU)] == sizes


def test_fewer_validation_images_are_a_mixture(trained: TrainedSupernet) -> None:
    model = MobileSupernet(trained, DATA, n_validation_images=6)
    (batch,) = model._images("validation", CPU)
    assert len(batch.labels) == 6
    assert len(set(batch.labels.tolist())) == 3


def test_cost_is_that_of_the_space(trained: TrainedSupernet) -> None:
    model = MobileSupernet(trained, DATA)
    model.activate(SPEC)
    assert model.cost() == MobileNetSpace(SHAPE).cost(SPEC)


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 16},
        {"n_calibration_images": 16},
        {"n_validation_images": 5},
        {"precision": "bfloat16"},
    ],
)
def test_digest_tells_ways_to_evaluate_apart(
    trained: TrainedSupernet, options: dict[str, Any]
) -> None:
    digest = MobileSupernet(trained, DATA).digest()
    assert MobileSupernet(trained, DATA).digest() == digest
    assert MobileSupernet(trained, DATA, n_threads=2).digest() == digest
    assert MobileSupernet(trained, DATA, precision="single").digest() == digest
    assert MobileSupernet(trained, DATA, **options).digest() != digest


def test_latency_is_that_of_the_subnet(trained: TrainedSupernet) -> None:
    model = MobileSupernet(trained, DATA)
    meter = model.latency_meter(LatencyConfig(n_repeats=3, n_warm_up=1))
    before = logits_of(model, SPEC)
    network = meter.build(SPEC)
    assert sum(p.numel() for p in network.parameters()) == MobileNetSpace(SHAPE).cost(SPEC).params
    objective = SupernetObjective(
        model, metrics=["validation_accuracy", "latency"], latency_meter=meter
    )
    study = optuna.create_study(directions=objective.directions)
    study.enqueue_trial(objective.space.architecture_to_params(SPEC))
    study.optimize(objective, n_trials=1)
    assert 0 < study.trials[0].values[1] < 60_000
    assert torch.equal(logits_of(model, SPEC), before)


def test_evaluation_leaves_no_traces(trained: TrainedSupernet) -> None:
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    accuracy(MobileSupernet(trained, DATA, n_threads=2), SPEC)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == n_threads
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be positive, but got 0"),
        ({"n_calibration_images": 0}, "`n_calibration_images` must be positive, but got 0"),
        ({"n_validation_images": 0}, "`n_validation_images` must be positive, but got 0"),
        ({"device": "tpu"}, "`device` must be .* but got 'tpu'"),
        ({"precision": "float16"}, "`precision` must not be 'float16' on 'cpu'"),
        ({"precision": "double"}, "`precision` must be of .* but got 'double'"),
    ],
)
def test_errors_name_argument_and_value(
    trained: TrainedSupernet, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        MobileSupernet(trained, DATA, **options)


def test_other_images_are_refused(trained: TrainedSupernet) -> None:
    with pytest.raises(ValueError, match=r"`data` must be the images that .* was trained on"):
        MobileSupernet(trained, images_in_memory(seed=1))


def test_a_subnet_has_to_be_activated_and_of_the_space(trained: TrainedSupernet) -> None:
    model = MobileSupernet(trained, DATA)
    with pytest.raises(RuntimeError, match=r"call activate\(\) first"):
        model.evaluate()
    with pytest.raises(OutOfDomainError, match="must have 5 layers, but got 1"):
        model.activate(MobileNetSpec.parse("k3e3"))


def test_a_subnet_is_evaluated_in_the_precision_of_the_training(trained: TrainedSupernet) -> None:
    short = replace(trained, config=replace(trained.config, precision="bfloat16"))
    assert MobileSupernet(short, DATA).digest() != MobileSupernet(trained, DATA).digest()
    asked = MobileSupernet(trained, DATA, precision="bfloat16")
    assert MobileSupernet(short, DATA).digest() == asked.digest()
    single = MobileSupernet(short, DATA, precision="single")
    assert single.digest() == MobileSupernet(trained, DATA).digest()
    assert torch.equal(logits_of(single, SPEC), logits_of(MobileSupernet(trained, DATA), SPEC))


def test_studies_do_not_mix_precisions(trained: TrainedSupernet) -> None:
    study = optuna.create_study(direction="maximize")
    for precision in ("single", "bfloat16", "single"):
        objective = SupernetObjective(MobileSupernet(trained, DATA, precision=precision))
        study.enqueue_trial(objective.space.architecture_to_params(SPEC))
        study.optimize(objective, n_trials=1)
    assert [t.user_attrs.get("reused_from") for t in study.trials] == [None, None, 0]


def test_a_supernet_of_nan_is_a_failure(trained: TrainedSupernet) -> None:
    network = deepcopy(trained.network)
    network.frame.classifier.weight.fill_(math.nan)
    model = MobileSupernet(replace(trained, network=network), DATA)
    objective = SupernetObjective(model)
    study = optuna.create_study(direction="maximize")
    study.enqueue_trial(objective.space.architecture_to_params(SPEC))
    study.optimize(objective, n_trials=1)
    assert study.trials[0].state == TrialState.PRUNED
    assert study.trials[0].user_attrs["failure"] == "Logits of the network are infinite or NaN."


def test_threads_give_what_one_gives(trained: TrainedSupernet) -> None:
    objective = SupernetObjective(MobileSupernet(trained, DATA))
    study = optuna.create_study(direction="maximize")
    for spec in sample_specs(24, seed=3):
        study.enqueue_trial(objective.space.architecture_to_params(spec))
    study.optimize(objective, n_trials=24, n_jobs=4)
    values = [trial.value for trial in study.trials]
    assert values == [objective.evaluate(trial.params) for trial in study.trials]
    assert len(set(values)) > 1
