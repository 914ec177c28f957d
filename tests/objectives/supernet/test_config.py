"""Settings check themselves; the learning rate follows its formula."""

from dataclasses import asdict
from dataclasses import replace
import json
import math
from typing import Any

import pytest

from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.objectives.supernet import SupernetConfig


CONFIGS = [SupernetConfig(), SupernetConfig.imagenet(), RetrainConfig(), RetrainConfig.imagenet()]


def test_learning_rate_rises_linearly_then_falls_along_a_cosine() -> None:
    config = SupernetConfig(learning_rate=0.8, warm_up=0.2)
    for progress in (0.05, 0.1, 0.2):
        assert config.learning_rate_at(progress) == pytest.approx(0.8 * progress / 0.2)
    for progress in (0.2, 0.4, 0.6, 1.0):
        angle = math.pi * (progress - 0.2) / 0.8
        assert config.learning_rate_at(progress) == pytest.approx(0.4 * (1 + math.cos(angle)))
    assert config.learning_rate_at(0.6) == pytest.approx(0.4)
    assert config.learning_rate_at(1.0) == 0


def test_without_warm_up_the_learning_rate_begins_at_its_highest() -> None:
    assert SupernetConfig(learning_rate=0.8, warm_up=0).learning_rate_at(0.0) == 0.8


@pytest.mark.parametrize("config", CONFIGS)
def test_dictionary_is_another_writing(config: Any) -> None:
    assert type(config).from_dict(json.loads(json.dumps(asdict(config)))) == config


@pytest.mark.parametrize("config", CONFIGS)
def test_dictionary_of_other_settings_is_refused(config: Any) -> None:
    values = asdict(config)
    for wrong in ({**values, "colour": 1}, {k: v for k, v in values.items() if k != "seed"}):
        with pytest.raises(ValueError, match="`config` has"):
            type(config).from_dict(wrong)


def test_checkpoint_interval_is_no_part_of_what_is_computed() -> None:
    config = SupernetConfig()
    assert replace(config, checkpoint_interval=7).identity == config.identity
    assert replace(config, seed=7).identity != config.identity


def test_imagenet_is_the_paper_where_it_speaks() -> None:
    assert SupernetConfig.imagenet().steps == 60_000
    assert RetrainConfig.imagenet().epochs == 300


@pytest.mark.parametrize("config", [SupernetConfig, RetrainConfig])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 0),
        ("n_accumulation", 0),
        ("checkpoint_interval", 0),
        ("learning_rate", 0.0),
        ("learning_rate", math.inf),
        ("learning_rate", math.nan),
        ("warm_up", 1.0),
        ("warm_up", -0.1),
        ("momentum", 1.0),
        ("weight_decay", -1.0),
        ("weight_decay", math.inf),
        ("label_smoothing", 1.0),
        ("gradient_clip", 0.0),
        ("ema_decay", 1.0),
        ("dropout", 1.0),
        ("precision", "double"),
        ("seed", -1),
    ],
)
def test_impossible_settings_are_refused(config: Any, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"`{name}` must .* but got '?{value}"):
        config(**{name: value})


@pytest.mark.parametrize(
    ("config", "name", "value"),
    [
        (SupernetConfig, "steps", 0),
        (SupernetConfig, "sampling", "greedy"),
        (SupernetConfig, "n_random", -1),
        (RetrainConfig, "epochs", 0),
        (RetrainConfig, "validation_interval", 0),
    ],
)
def test_impossible_settings_of_one_kind_are_refused(config: Any, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"`{name}` must .* but got '?{value}"):
        config(**{name: value})
