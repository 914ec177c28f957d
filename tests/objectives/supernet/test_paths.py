"""Which subnets a step trains."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from optuna_dnas.objectives.supernet._paths import PATH_SAMPLERS
from optuna_dnas.objectives.supernet._paths import paths_of_step
from optuna_dnas.search_space import MBConv
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpec

from .toy import SHAPE


SHAPES = [SHAPE, MobileNetShape()]


def paths(
    sampling: str, step: int, *, seed: int = 0, n_random: int = 2, shape: MobileNetShape = SHAPE
) -> tuple[MobileNetSpec, ...]:
    return paths_of_step(shape, sampling=sampling, n_random=n_random, seed=seed, step=step)


def depths(spec: MobileNetSpec, shape: MobileNetShape = SHAPE) -> tuple[int, ...]:
    layers = iter(spec.layers)
    return tuple(
        sum(next(layers) is not None for _ in range(stage.n_layers)) for stage in shape.stages
    )


@pytest.mark.parametrize("shape", SHAPES, ids=["toy", "default"])
@pytest.mark.parametrize("sampling", PATH_SAMPLERS)
def test_paths_are_of_the_shape_and_skip_the_last_layers_of_a_stage(
    sampling: str, shape: MobileNetShape
) -> None:
    for step in range(20):
        for spec in paths(sampling, step, shape=shape):
            shape.check(spec)
            for k, may_skip in enumerate(shape.may_skip):
                if may_skip and spec.layers[k - 1] is None:
                    assert spec.layers[k] is None


@pytest.mark.parametrize("sampling", PATH_SAMPLERS)
def test_paths_are_a_function_of_seed_and_step(sampling: str) -> None:
    backwards = [paths(sampling, step) for step in reversed(range(30))][::-1]
    assert [paths(sampling, step) for step in range(30)] == backwards
    assert len(set(backwards)) > 20
    assert [paths(sampling, step, seed=1) for step in range(30)] != backwards


@pytest.mark.parametrize("shape", SHAPES, ids=["toy", "default"])
def test_strict_fairness_trains_every_choice_of_a_present_layer_exactly_once(
    shape: MobileNetShape,
) -> None:
    for step in range(30):
        specs = paths("fair", step, shape=shape)
        assert len({depths(spec, shape) for spec in specs}) == 1
        for layer in zip(*(spec.layers for spec in specs), strict=True):
            assert layer == (None,) * len(shape.choices) or Counter(layer) == Counter(
                shape.choices
            )


def test_sandwich_has_the_largest_the_smallest_and_random_ones() -> None:
    for n_random in (0, 1, 3):
        largest, smallest, *between = paths("sandwich", 5, n_random=n_random)
        assert largest == MobileNetSpec((MBConv(5, 3),) * 5)
        assert smallest == MobileNetSpec.parse("k3e1 skip k3e1 skip skip")
        assert len(set(between)) == n_random


def test_uniform_depths_and_choices_are_uniform() -> None:
    specs = [spec for step in range(1200) for spec in paths("uniform", step)]
    assert len(specs) == 1200
    for stage, n_layers in enumerate(stage.n_layers for stage in SHAPE.stages):
        counts = Counter(depths(spec)[stage] for spec in specs)
        assert sorted(counts) == list(range(1, n_layers + 1))
        assert chisquare(list(counts.values())).pvalue > 1e-3
    for layer in zip(*(spec.layers for spec in specs), strict=True):
        counts = Counter(choice for choice in layer if choice)
        assert set(counts) == set(SHAPE.choices)
        assert chisquare(list(counts.values())).pvalue > 1e-3


def test_no_global_generator_is_touched() -> None:
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    paths("uniform", 0)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
